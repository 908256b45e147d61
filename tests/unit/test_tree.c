/*
 * What is found in a device tree with an index, without one and with one that is too small must be
 * what libfdt finds: in the trees that QEMU makes, in one of our own and in damaged ones that
 * libfdt's full check lets pass.
 */
#include "unit.h"
#include "tree.h"
#include <libfdt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGED_TREES 5000

static const char *const names[] = {"virt", "small", "sifive_u", "spike", "aclint", "aia", "board"};
#define NAMES (sizeof names / sizeof names[0])

static struct tree_index known;

/* The file's tree in memory of exactly its size, so that the sanitizer sees every step beyond. */
static void *load(const char *name, size_t *size)
{
    char path[256];
    void *bytes = malloc(2 << 20), *tree;

    snprintf(path, sizeof path, UNIT_DATA "/%s.dtb", name);
    FILE *file = fopen(path, "rb");

    if (!file)
        fail_msg("%s is missing", path);
    *size = fread(bytes, 1, 2 << 20, file);
    fclose(file);
    assert_int_equal(fdt_pack(bytes), 0);
    *size = fdt_totalsize(bytes);
    tree = memcpy(malloc(*size), bytes, *size);
    free(bytes);
    return tree;
}

static int none_or(int node)
{
    return node < 0 ? -1 : node;
}

static void compare_node(const void *tree, int node)
{
    int property, length, expected_length;

    assert_string_equal(tree_name(tree, node), fdt_get_name(tree, node, NULL));
    assert_int_equal(none_or(tree_parent(tree, node)), none_or(fdt_parent_offset(tree, node)));
    fdt_for_each_property_offset(property, tree, node)
    {
        const char *name;

        assert_non_null(fdt_getprop_by_offset(tree, property, &name, &length));
        const void *expected = fdt_getprop(tree, node, name, &expected_length);

        assert_ptr_equal(tree_property(tree, node, name, &length), expected);
        assert_int_equal(length, expected_length);
    }
    assert_null(tree_property(tree, node, "no such property", &length));
    int child = tree_child(tree, node, -1);

    assert_int_equal(none_or(child), none_or(fdt_first_subnode(tree, node)));
    for (; child >= 0; child = none_or(tree_child(tree, node, child)))
        assert_int_equal(none_or(tree_child(tree, node, child)),
                         none_or(fdt_next_subnode(tree, child)));
    uint32_t phandle = fdt_get_phandle(tree, node);

    if (phandle != 0 && phandle != UINT32_MAX)
        assert_int_equal(tree_by_phandle(tree, phandle), fdt_node_offset_by_phandle(tree, phandle));
}

static void compare_tree(const void *tree)
{
    int node = -1, expected = -1;

    do {
        expected = none_or(fdt_next_node(tree, expected, NULL));
        node = none_or(tree_next(tree, node));
        assert_int_equal(node, expected);
        if (node >= 0)
            compare_node(tree, node);
    } while (node >= 0);
    assert_true(tree_by_phandle(tree, 0) < 0);
    assert_true(tree_by_phandle(tree, 0x7fffff) < 0);
}

/* As if there had been room for fewer: what is beyond was never noted. */
static void cut(unsigned nodes)
{
    known.node_count = (uint16_t)nodes;
    known.property_count =
        nodes > 0 ? known.nodes[nodes - 1].first_property + known.nodes[nodes - 1].properties : 0;
    known.whole = false;
}

static void test_sound_trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        size_t size;
        void *tree = load(names[i], &size);

        tree_forget();
        compare_tree(tree); /* without an index */
        tree_remember(tree, &known);
        assert_true(known.whole);
        compare_tree(tree);
        for (unsigned nodes = known.node_count; nodes > 0; nodes /= 2) {
            tree_remember(tree, &known);
            cut(nodes);
            compare_tree(tree);
        }
        tree_forget();
        free(tree);
    }
}

/* An index is of one tree: another one is not looked up in it. */
static void test_another_tree(void **state)
{
    size_t size;
    void *one = load("small", &size), *other = load("spike", &size);

    (void)state;
    tree_remember(one, &known);
    compare_tree(other);
    tree_forget();
    free(one);
    free(other);
}

static void *begin_tree(size_t size)
{
    void *tree = malloc(size);

    assert_int_equal(fdt_create(tree, (int)size), 0);
    assert_int_equal(fdt_finish_reservemap(tree), 0);
    assert_int_equal(fdt_begin_node(tree, ""), 0);
    return tree;
}

/* More nodes than there is room for, and more properties. */
static void test_too_large(void **state)
{
    (void)state;
    for (unsigned properties = 0; properties <= 8; properties += 4) {
        void *tree = begin_tree(1 << 20);

        for (uint32_t i = 0; i < TREE_NODES + 20; i++) {
            char name[32];

            snprintf(name, sizeof name, "node@%u", i);
            fdt_begin_node(tree, name);
            fdt_property_u32(tree, "phandle", i + 1);
            for (unsigned p = 0; p < properties; p++) {
                snprintf(name, sizeof name, "property-%u", p);
                fdt_property_string(tree, name, "value");
            }
            if (i % 3)
                fdt_end_node(tree);
        }
        for (uint32_t i = 0; i < TREE_NODES + 20; i++) {
            if (i % 3 == 0)
                fdt_end_node(tree);
        }
        fdt_end_node(tree);
        assert_int_equal(fdt_finish(tree), 0);
        tree_remember(tree, &known);
        assert_false(known.whole);
        compare_tree(tree);
        tree_forget();
        free(tree);
    }
}

/* Behind a node's children no property counts; nor is it the last child's. */
static void test_late_property(void **state)
{
    void *tree = begin_tree(4096);
    int length;

    (void)state;
    fdt_property_u32(tree, "early", 1);
    fdt_begin_node(tree, "child");
    fdt_end_node(tree);
    fdt_property_u32(tree, "late", 2);
    fdt_end_node(tree);
    assert_int_equal(fdt_finish(tree), 0);
    assert_int_equal(fdt_check_full(tree, 4096), 0);
    tree_remember(tree, &known);
    assert_non_null(tree_property(tree, 0, "early", &length));
    assert_null(tree_property(tree, 0, "late", &length));
    assert_null(tree_property(tree, tree_child(tree, 0, -1), "late", &length));
    tree_forget();
    free(tree);
}

/* One byte or cell is changed; nearly all such trees pass the full check, with other nodes,
 * names and phandles. */
static void test_damaged_trees(void **state)
{
    uint64_t seed = 1;
    unsigned passed = 0;
    size_t sizes[NAMES];
    void *originals[NAMES];

    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        originals[i] = load(names[i], &sizes[i]);
    for (unsigned i = 0; i < DAMAGED_TREES; i++) {
        size_t size = sizes[i % NAMES], at = unit_random(&seed) % (size / 4) * 4;
        uint8_t *tree = memcpy(malloc(size), originals[i % NAMES], size);
        fdt32_t cell = cpu_to_fdt32(unit_random(&seed) % 12);

        if (unit_random(&seed) % 2)
            memcpy(tree + at, &cell, 4);
        else
            tree[at] ^= (uint8_t)(1 << unit_random(&seed) % 8);
        if (fdt_check_full(tree, size) == 0 && fdt_get_name(tree, 0, NULL)) {
            passed++;
            tree_remember(tree, &known);
            compare_tree(tree);
            tree_forget();
        }
        free(tree);
    }
    assert_in_range(passed, DAMAGED_TREES / 4, DAMAGED_TREES);
    for (size_t i = 0; i < NAMES; i++)
        free(originals[i]);
}

static void test_paths(void **state)
{
    static const char *const paths[] = {
        "/",
        "/soc",
        "/soc/",
        "//soc///serial@10000000",
        "/soc/serial",
        "/soc/serial@1",
        "/so",
        "/cpus/cpu@3/interrupt-controller",
        "/cpus/cpu",
        "/cpus/cpu@9",
        "serial0",
        "nothing",
        "serial0/child",
        "/chosen/",
        "/memory",
        "/nowhere/soc",
        "",
    };
    size_t size;
    void *tree = load("virt", &size);

    (void)state;
    for (unsigned indexed = 0; indexed < 2; indexed++) {
        if (indexed)
            tree_remember(tree, &known);
        for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
            assert_int_equal(none_or(tree_find(tree, paths[i], strlen(paths[i]))),
                             none_or(fdt_path_offset(tree, paths[i])));
        assert_int_equal(tree_find(tree, "/soc:115200", 4), fdt_path_offset(tree, "/soc"));
    }
    tree_forget();
    free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_trees), cmocka_unit_test(test_another_tree),
        cmocka_unit_test(test_too_large),   cmocka_unit_test(test_damaged_trees),
        cmocka_unit_test(test_paths),       cmocka_unit_test(test_late_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
