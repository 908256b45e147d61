#include "tree.h"
#include <libfdt.h>
#include <string.h>

#define FDT_VERSION 17 /* Devicetree 0.4, 5.2: the first with size_dt_struct */

static struct tree_index *known; /* NULL: none */

/* ---- Soundness ---- */

/* One piece with all of libfdt that it calls: so the header is read once, and not for each tag. */
__attribute__((flatten, noinline)) static int check_all(const void *fdt, size_t limit)
{
    return fdt_check_full(fdt, limit);
}

/* libfdt is compiled to know this version only, to read blocks as the words that their alignments
 * promise (Devicetree 0.4, 5.6; not every hart can read others), and to rely on the header that has
 * been checked here. */
const char *tree_fault(const void *fdt, size_t limit)
{
    int error;

    if ((uintptr_t)fdt % 8)
        return "it is not at an address that is a multiple of 8";
    if (limit < sizeof(struct fdt_header))
        return fdt_strerror(-FDT_ERR_TRUNCATED);
    error = fdt_check_header(fdt);
    if (error)
        return fdt_strerror(error);
    if (fdt_version(fdt) < FDT_VERSION || fdt_last_comp_version(fdt) > FDT_VERSION)
        return "its device tree is of a version before 17, or of one that can't be read like 17";
    if (fdt_off_dt_struct(fdt) % 4 || fdt_off_mem_rsvmap(fdt) % 8)
        return "its blocks are not aligned";
    error = check_all(fdt, limit);
    return error ? fdt_strerror(error) : NULL;
}

/* ---- The index ---- */

static const struct fdt_property *property_at(const struct tree_index *index, int offset)
{
    return (const void *)(index->tags + offset);
}

/* Notes a property of the last node; false when there is no room. */
static bool note_property(struct tree_index *to, int offset)
{
    struct tree_node *node = &to->nodes[to->node_count - 1];
    const struct fdt_property *property = property_at(to, offset);

    if (to->property_count == TREE_PROPERTIES)
        return false;
    struct tree_place place = {offset, (int)fdt32_ld(&property->nameoff)};

    to->properties[to->property_count++] = place;
    node->properties++;
    /* 2.3.3, and the name that it had before. */
    if (fdt32_ld(&property->len) == 4) {
        const char *name = to->names + place.name;

        if (!strcmp(name, "phandle") || (!node->phandle && !strcmp(name, "linux,phandle")))
            node->phandle = fdt32_ld((const fdt32_t *)property->data);
    }
    return true;
}

static bool note_node(struct tree_index *to, int offset, int above)
{
    if (to->node_count == TREE_NODES)
        return false;
    to->nodes[to->node_count++] = (struct tree_node){
        .node = offset, .above = (int16_t)above, .first_property = to->property_count};
    return true;
}

void tree_moved(const void *fdt)
{
    if (!known)
        return;
    known->fdt = fdt;
    known->names = (const char *)fdt + fdt_off_dt_strings(fdt);
    known->tags = (const uint8_t *)fdt + fdt_off_dt_struct(fdt);
}

/* A node that was noted in part is not in the index. Properties behind a node's children are none
 * (Devicetree 0.4, 5.4.2). */
__attribute__((flatten)) void tree_remember(const void *fdt, struct tree_index *restrict to)
{
    int above = -1, next;
    uint32_t tag;

    to->node_count = to->property_count = to->last = 0;
    to->whole = false;
    known = to;
    tree_moved(fdt);
    for (int offset = 0; (tag = fdt_next_tag(fdt, offset, &next)) != FDT_END; offset = next) {
        if (tag == FDT_BEGIN_NODE && !note_node(to, offset, above))
            return;
        if (tag == FDT_PROP && above >= 0 && above == to->node_count - 1 &&
            !note_property(to, offset)) {
            to->node_count--;
            return;
        }
        if (tag == FDT_BEGIN_NODE)
            above = to->node_count - 1;
        if (tag == FDT_END_NODE && above >= 0)
            above = to->nodes[above].above;
    }
    to->whole = next >= 0;
}

void tree_forget(void)
{
    known = NULL;
}

/* A node that is to be asked about. */
static int found(const struct tree_node *here)
{
    known->last = (uint16_t)(here - known->nodes);
    return here->node;
}

/* Nodes are in the order of their offsets. */
static const struct tree_node *search(int node)
{
    unsigned low = 0, high = known->node_count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (known->nodes[middle].node == node)
            return &known->nodes[middle];
        if (known->nodes[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const struct tree_node *find(const void *fdt, int node)
{
    if (!known || known->fdt != fdt)
        return NULL;
    if (known->last < known->node_count && known->nodes[known->last].node == node)
        return &known->nodes[known->last];
    const struct tree_node *here = search(node);

    if (here)
        found(here);
    return here;
}

static bool is_whole(const void *fdt)
{
    return known && known->fdt == fdt && known->whole;
}

/* ---- Nodes ---- */

int tree_next(const void *fdt, int node)
{
    const struct tree_node *here = find(fdt, node);

    if (here && here + 1 < known->nodes + known->node_count)
        return found(here + 1);
    return here && known->whole ? -1 : fdt_next_node(fdt, node, NULL);
}

int tree_parent(const void *fdt, int node)
{
    const struct tree_node *here = find(fdt, node);

    if (here)
        return here->above < 0 ? -1 : found(&known->nodes[here->above]);
    return fdt_parent_offset(fdt, node);
}

int tree_child(const void *fdt, int node, int last)
{
    const struct tree_node *here = find(fdt, last < 0 ? node : last);

    if (!here || !known->whole)
        return last < 0 ? fdt_first_subnode(fdt, node) : fdt_next_subnode(fdt, last);
    long above = last < 0 ? here - known->nodes : here->above;

    for (here++; here < known->nodes + known->node_count && here->above >= above; here++) {
        if (here->above == above)
            return found(here);
    }
    return -1;
}

const char *tree_name(const void *fdt, int node)
{
    return fdt_offset_ptr(fdt, node + FDT_TAGSIZE, 1);
}

/* "@" and what follows may be left out. */
static bool is_named(const char *node, const char *name, size_t length)
{
    return strncmp(node, name, length) == 0 &&
           (node[length] == '\0' || (node[length] == '@' && !memchr(name, '@', length)));
}

int tree_find_child(const void *fdt, int node, const char *name, size_t length)
{
    int child;

    tree_for_each_child(child, fdt, node)
    {
        if (is_named(tree_name(fdt, child), name, length))
            break;
    }
    return child;
}

int tree_find(const void *fdt, const char *path, size_t length)
{
    const char *end = path + length;
    int node = 0;

    if (length == 0 || *path != '/') /* an alias */
        return fdt_path_offset_namelen(fdt, path, (int)length);
    while (node >= 0 && path < end) {
        const char *slash = memchr(path, '/', (size_t)(end - path)), *stop = slash ? slash : end;

        if (stop > path)
            node = tree_find_child(fdt, node, path, (size_t)(stop - path));
        path = slash ? slash + 1 : end;
    }
    return node;
}

int tree_by_phandle(const void *fdt, uint32_t phandle)
{
    for (unsigned i = 0; phandle && known && known->fdt == fdt && i < known->node_count; i++) {
        if (known->nodes[i].phandle == phandle)
            return found(&known->nodes[i]);
    }
    return is_whole(fdt) ? -1 : fdt_node_offset_by_phandle(fdt, phandle);
}

const void *tree_property(const void *fdt, int node, const char *name, int *length)
{
    const struct tree_node *here = find(fdt, node);

    if (!here)
        return fdt_getprop(fdt, node, name, length);
    for (unsigned i = 0; i < here->properties; i++) {
        const struct tree_place *place = &known->properties[here->first_property + i];
        const char *found = known->names + place->name;

        if (*found == *name && !strcmp(found, name)) {
            const struct fdt_property *property = property_at(known, place->property);

            *length = (int)fdt32_ld(&property->len);
            return property->data;
        }
    }
    *length = 0;
    return NULL;
}
