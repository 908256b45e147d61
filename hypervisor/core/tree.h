/*
 * Finds things in flattened device trees (Devicetree 0.4, chapter 5) as libfdt does, but faster: a
 * flattened tree says nothing about what is above a node, or where a phandle leads, but to who
 * reads it from its start, and libfdt looks for a property from tag to tag, with all its checks.
 * Boot asks for hundreds of such things. So one walk writes down where nodes and properties are;
 * what had no room there, or is of another tree, is found by libfdt, only slower.
 *
 * Nodes are libfdt's offsets; a negative one is none. The tree is one that tree_fault() has passed,
 * and stays as it is. All this is for boot, on one hart.
 */
#ifndef CORE_TREE_H
#define CORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_NODES      192
#define TREE_PROPERTIES 768

struct tree_index {
    const void *fdt;
    const char *names;   /* its strings block */
    const uint8_t *tags; /* its structure block */
    bool whole;          /* there was room for all */
    uint16_t node_count, property_count;
    uint16_t last; /* the node that was found last: it is often the next one, too */
    struct tree_node {
        int node;
        uint32_t phandle; /* 0: none */
        int16_t above;    /* the index of the node above; negative for the root */
        uint16_t first_property, properties;
    } nodes[TREE_NODES];
    struct tree_place {
        int property, name; /* in its blocks */
    } properties[TREE_PROPERTIES];
};

/* What is wrong with a tree that may take `limit` bytes; NULL: nothing that keeps libfdt from
 * walking through it. */
const char *tree_fault(const void *fdt, size_t limit);

/* Fills the index, which the functions below use until tree_forget(). */
void tree_remember(const void *fdt, struct tree_index *index);
void tree_forget(void);
/* The tree has been copied, and its copy is read from now on. */
void tree_moved(const void *fdt);

/* The node after `node`, each before those below it; -1 begins. */
int tree_next(const void *fdt, int node);
int tree_parent(const void *fdt, int node);
/* The one below `node` after `last`; -1 begins. */
int tree_child(const void *fdt, int node, int last);
#define tree_for_each_child(child, fdt, node)                                                      \
    for (child = tree_child(fdt, node, -1); child >= 0; child = tree_child(fdt, node, child))
/* As fdt_path_offset_namelen(). */
int tree_find(const void *fdt, const char *path, size_t length);
int tree_find_child(const void *fdt, int node, const char *name, size_t length);
int tree_by_phandle(const void *fdt, uint32_t phandle);
const char *tree_name(const void *fdt, int node);
/* A property's value; NULL if there is none. */
const void *tree_property(const void *fdt, int node, const char *name, int *length);

#endif
