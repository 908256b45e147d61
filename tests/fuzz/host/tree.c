/* See tree.h. */
#include "tree.h"
#include <libfdt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SIZE 64
#define VALUE_MAX     1024

struct place {
    int node, property; /* offsets */
};

static uint64_t state;

static unsigned below(unsigned limit)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL; /* Knuth's MMIX */
    return (uint32_t)(state >> 32) % limit;
}

size_t tree_size(const uint8_t *data, size_t size)
{
    if (size < sizeof(struct fdt_header) || fdt_check_header(data) || fdt_off_dt_struct(data) % 4 ||
        fdt_off_mem_rsvmap(data) % 8 || fdt_check_full(data, size))
        return 0;
    return fdt_totalsize(data);
}

/* Each node is as likely as any other: the i-th is taken with probability 1/i. */
static int any_node(const void *tree)
{
    int chosen = 0;
    unsigned count = 1;

    for (int node = fdt_next_node(tree, 0, NULL); node >= 0; node = fdt_next_node(tree, node, NULL))
        if (below(++count) == 0)
            chosen = node;
    return chosen;
}

static bool any_property(const void *tree, struct place *place)
{
    unsigned count = 0;

    for (int node = 0; node >= 0; node = fdt_next_node(tree, node, NULL)) {
        int property;

        fdt_for_each_property_offset(property, tree, node)
        {
            if (below(++count) == 0)
                *place = (struct place){node, property};
        }
    }
    return count != 0;
}

/* A copy of a property, for those that change the tree must not read it meanwhile. */
struct property {
    char name[NAME_MAX_SIZE];
    uint8_t value[VALUE_MAX];
    int size;
};

static bool copy_property(const void *tree, int offset, struct property *property)
{
    const char *name;
    const void *value = fdt_getprop_by_offset(tree, offset, &name, &property->size);

    if (!value || property->size > VALUE_MAX || strlen(name) >= NAME_MAX_SIZE)
        return false;
    strcpy(property->name, name);
    memcpy(property->value, value, property->size);
    return true;
}

static void set(void *tree, int node, const struct property *property)
{
    fdt_setprop(tree, node, property->name, property->value, property->size);
}

static void mutate_cell(struct property *property)
{
    static const uint32_t interesting[] = {0,          1,          2,          3,     4,
                                           0x7fffffff, 0x80000000, 0xffffffff, 0xfff, 0x1000};
    int cells = property->size / 4;

    if (cells == 0)
        return;
    uint8_t *cell = property->value + 4 * below(cells);
    uint32_t value = fdt32_ld((const fdt32_t *)cell);

    switch (below(4)) {
    case 0:
        value++;
        break;
    case 1:
        value--;
        break;
    case 2:
        value ^= 1U << below(32);
        break;
    default:
        value = interesting[below(sizeof interesting / sizeof interesting[0])];
    }
    fdt32_st((fdt32_t *)cell, value);
}

static void change_value(void *tree, struct place place)
{
    static struct property property;

    if (!copy_property(tree, place.property, &property))
        return;
    if (below(2))
        mutate_cell(&property);
    else
        property.size = LLVMFuzzerMutate(property.value, property.size, VALUE_MAX);
    set(tree, place.node, &property);
}

/* One property's value under another's name, or under one that the code looks for. */
static void add_property(void *tree, struct place place, const char *const *names)
{
    static struct property property, other;
    struct place elsewhere;
    unsigned count = 0;

    while (names[count])
        count++;
    if (!copy_property(tree, place.property, &property) || !any_property(tree, &elsewhere))
        return;
    if (count && below(2))
        strcpy(property.name, names[below(count)]);
    else if (copy_property(tree, elsewhere.property, &other))
        strcpy(property.name, other.name);
    set(tree, any_node(tree), &property);
}

/* Properties, and nodes below, of one node into another, which may be in another tree. */
static void copy_node(void *tree, int to, const void *from_tree, int from, unsigned depth)
{
    static struct property property;
    int offset, node;

    fdt_for_each_property_offset(offset, from_tree, from)
    {
        if (copy_property(from_tree, offset, &property))
            set(tree, to, &property);
    }
    if (depth == 0)
        return;
    fdt_for_each_subnode(node, from_tree, from)
    {
        /* Setting properties moves nodes that come later, never those before. */
        int added = fdt_add_subnode(tree, to, fdt_get_name(from_tree, node, NULL));

        if (added >= 0)
            copy_node(tree, added, from_tree, node, depth - 1);
    }
}

static void add_node(void *tree, const void *from_tree, int from)
{
    char name[NAME_MAX_SIZE];
    int added, parent = any_node(tree);
    const char *old = fdt_get_name(from_tree, from, NULL);

    snprintf(name, sizeof name, "%.40s", old);
    if (fdt_subnode_offset(tree, parent, name) >= 0)
        snprintf(name + strlen(name), sizeof name - strlen(name), "%x", below(16));
    added = fdt_add_subnode(tree, parent, name);
    if (added >= 0)
        copy_node(tree, added, from_tree, from, 3);
}

static void duplicate_node(void *tree)
{
    void *before = malloc(TREE_MAX);

    memcpy(before, tree, fdt_totalsize(tree));
    add_node(tree, before, any_node(before));
    free(before);
}

static void rename_node(void *tree, int node)
{
    static char name[NAME_MAX_SIZE];

    snprintf(name, sizeof name, "%.40s", fdt_get_name(tree, node, NULL));
    if (below(2)) /* a unit address: whoever looks for the name without one finds it, too */
        snprintf(name + strlen(name), sizeof name - strlen(name), "@%c", 1 + below(255));
    else
        name[LLVMFuzzerMutate((uint8_t *)name, strlen(name), sizeof name - 1)] = '\0';
    if (node > 0)
        fdt_set_name(tree, node, name);
}

static void delete_property(void *tree, struct place place)
{
    static struct property property;

    if (copy_property(tree, place.property, &property))
        fdt_delprop(tree, place.node, property.name);
}

static void change(void *tree, const char *const *names)
{
    struct place place;
    int node = any_node(tree);

    if (!any_property(tree, &place))
        return;
    switch (below(12)) {
    case 0:
        delete_property(tree, place);
        break;
    case 1:
        if (node > 0)
            fdt_del_node(tree, node);
        break;
    case 2:
        duplicate_node(tree);
        break;
    case 3:
        rename_node(tree, node);
        break;
    case 4:
        fdt_add_mem_rsv(tree, (uint64_t)below(0x200) << 23, (uint64_t)below(0x100) << below(33));
        break;
    case 5:
    case 6:
        add_property(tree, place, names);
        break;
    default:
        change_value(tree, place);
    }
}

static size_t finish(void *work, uint8_t *to, size_t max_size)
{
    if (fdt_pack(work) || fdt_totalsize(work) > max_size)
        return 0;
    memcpy(to, work, fdt_totalsize(work));
    return fdt_totalsize(to);
}

size_t tree_mutate(const uint8_t *tree, uint8_t *to, size_t max_size, const char *const *names,
                   unsigned seed)
{
    static uint64_t work[TREE_MAX / 8];

    state = seed;
    if (fdt_open_into(tree, work, sizeof work))
        return 0;
    for (unsigned changes = 1 + below(3); changes; changes--)
        change(work, names);
    return finish(work, to, max_size);
}

size_t tree_cross(const uint8_t *tree, const uint8_t *other, uint8_t *to, size_t max_size,
                  unsigned seed)
{
    static uint64_t work[TREE_MAX / 8];
    static struct property property;
    struct place place;

    state = seed;
    if (fdt_open_into(tree, work, sizeof work))
        return 0;
    if (below(2))
        add_node(work, other, any_node(other));
    else if (any_property(other, &place) && copy_property(other, place.property, &property))
        set(work, any_node(work), &property);
    return finish(work, to, max_size);
}
