/*
 * What drivers and the platform read from the host's device tree: beyond tree.h: numbers, addresses
 * translated to the root's, and which hart an interrupt line leads to (Devicetree specification
 * 0.4). Nothing in the tree is trusted: lengths are checked, and what makes no sense is as if it
 * were absent.
 */
#ifndef DRIVERS_DEVICETREE_H
#define DRIVERS_DEVICETREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A property of one cell. */
bool devicetree_u32(const void *fdt, int node, const char *name, uint32_t *value);
/* A property of one or two cells. */
bool devicetree_u64(const void *fdt, int node, const char *name, uint64_t *value);
/* A property that is a string with its NUL; NULL if absent or not one. */
const char *devicetree_string(const void *fdt, int node, const char *name);
/* `status`: absent, "okay" or "ok" (2.3.4). */
bool devicetree_is_okay(const void *fdt, int node);
/* The string of `compatible` at *at, which then is behind it; NULL behind the last (2.3.1). */
const char *devicetree_compatible(const void *fdt, int node, size_t *at);
/* Is it one of the names, which end with NULL? Is one of `compatible`? */
bool devicetree_is_one_of(const char *name, const char *const *names);
bool devicetree_is_compatible(const void *fdt, int node, const char *const *names);
/* The i-th region in `reg`, as the harts address it: translated through the ranges of all
 * buses above (2.3.8). False if there is none or a bus does not pass it on. */
bool devicetree_reg(const void *fdt, int node, unsigned index, uint64_t *base, uint64_t *size);
/* `reg` of a node below /cpus: a hart's id. */
bool devicetree_hart_id(const void *fdt, int cpu, uint64_t *hart_id);

/* Privileged 1.13, 3.1.9: machine external interrupt. */
#define CAUSE_MACHINE_EXTERNAL 11

/* Goes through `interrupts-extended` of an interrupt controller or a timer whose lines lead to
 * harts. Start with a cursor that is all zero. */
struct devicetree_cursor {
    size_t offset; /* in bytes */
};

struct devicetree_line {
    bool leads_to_hart; /* false for a place that is not connected */
    uint64_t hart_id;
    uint32_t cause; /* the interrupt's number at the hart: 3, 7, 11, … */
};

bool devicetree_next_line(const void *fdt, int node, struct devicetree_cursor *cursor,
                          struct devicetree_line *line);

#endif
