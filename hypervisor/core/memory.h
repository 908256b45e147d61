/*
 * Who owns each page of physical memory.
 *
 * The map is an ordered list of extents that covers every byte of RAM: each extent has one owner,
 * so each page has. Allocating splits a free extent, freeing merges; nothing is stored per page,
 * so the map of a large machine is as small as that of a small one. The owner of a page that
 * belongs to a capsule is the capsule's number.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include "addr.h"
#include "error.h"
#include <stdbool.h>
#include <stddef.h>

enum memory_owner {
    MEMORY_NONE = -4, /* not RAM */
    MEMORY_FREE = -3,
    MEMORY_RESERVED = -2,   /* the firmware or the device tree keeps it from us */
    MEMORY_HYPERVISOR = -1, /* code, data, stacks, tables, the image */
    /* 0 and up: the capsule with this number */
};

struct memory_extent {
    struct hpa base;
    uint64_t size;
    int owner;
};

/* At boot, before all others: a larger array for the map, up to memory_settle(), which moves it to
 * where it stays and is false if there is no place: then the array must stay, too. */
void memory_lend(struct memory_extent *array, size_t size);
bool memory_settle(void);

/* At boot, one hart: adds RAM as free, then takes reserved parts out of it. Both widen to pages
 * (RAM inwards, reservations outwards). ERROR_NO_MEMORY when the list is full. */
enum error memory_add(struct hpa base, uint64_t size);
enum error memory_reserve(struct hpa base, uint64_t size, int owner);

/* Keeps [base, end) clear of the hypervisor's pages as long as there are others. The last call
 * counts; base equal to end keeps nothing clear. */
void memory_keep_clear(struct hpa base, uint64_t end);

/* Guests get memory below `end` that is not kept clear, as long as there is any. */
void memory_prefer_below(uint64_t end);

/* A part of RAM that is for guests alone. */
#define MEMORY_GUEST_RANGES 2
struct memory_range {
    struct hpa base;
    uint64_t size; /* 0: there is none */
};
/* Divides memory between the hypervisor and its guests for good: the largest free ranges, but for
 * `room` bytes, are for guests, and nothing else is; what the hypervisor is given lies elsewhere.
 * At boot, one hart, before guests have any. */
void memory_divide(uint64_t room, struct memory_range ranges[MEMORY_GUEST_RANGES]);

/* Takes `size` bytes (a multiple of PAGE_SIZE), aligned to `align` (a power of two of at least
 * PAGE_SIZE), for `owner`. The memory is not cleared. Takes LOCK_MEMORY. */
enum error memory_alloc(uint64_t size, uint64_t align, int owner, struct hpa *base);
/* The same for the hypervisor's own use, in the place of its pages. */
enum error memory_alloc_low(uint64_t size, uint64_t align, struct hpa *base);
/* The same at a given address: ERROR_NO_MEMORY unless all of it is free. */
enum error memory_alloc_at(struct hpa base, uint64_t size, int owner);
/* Gives pages back; panics unless all of them belong to `owner`. */
void memory_free(struct hpa base, uint64_t size, int owner);

/* Cleared pages of the hypervisor's own, for its structures; NULL when there are none. */
void *memory_alloc_pages(size_t size);
void memory_free_pages(void *pages, size_t size);

/* The extent that holds the address, copied out: owner MEMORY_NONE and size 0 outside RAM. */
struct memory_extent memory_lookup(struct hpa address);
/* The i-th extent in order of address; false past the last. For reports and checks. */
int memory_extent_at(size_t index, struct memory_extent *extent);
/* Bytes of RAM with this owner. */
uint64_t memory_owned(int owner);

#ifdef DEBUG
/* Makes the n-th allocation from now on fail, counted from 1; 0: none. Returns how many were still
 * to come up to the one that was to fail before; 0: it has failed, or there was none. */
uint64_t memory_fail(uint64_t n);
/* Is told what changes hands, as it was asked for, holding LOCK_MEMORY; NULL: nobody is. */
extern void (*memory_watcher)(struct hpa base, uint64_t size, int from, int to);
#endif

#endif
