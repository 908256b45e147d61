/*
 * A list of extents in order of address, each with one owner: an array in which neighbours with one
 * owner are always merged, so it is as short as it can be. What is in no extent is a gap.
 *
 * For memory.c, which owns the one list there is, guards it, and finds room for its array.
 */
#ifndef CORE_EXTENTS_H
#define CORE_EXTENTS_H

#include "memory.h"

struct extents {
    struct memory_extent *array;
    size_t capacity, count;
};

/* Changing the owner of a part of one extent adds at most this many. */
#define EXTENTS_SPLIT_MAX 2

static inline uint64_t extent_end(const struct memory_extent *extent)
{
    return extent->base.value + extent->size;
}

/* The first extent that ends above the address; `count` if there is none. */
size_t extents_find(const struct extents *extents, uint64_t address);
/* Puts [base, end), of which nothing is in the list, before the extent at `index`. There is room
 * for one more. */
void extents_add(struct extents *extents, size_t index, uint64_t base, uint64_t end, int owner);
/* Gives [base, end), all within the extent at `index`, to `owner`. There is room for
 * EXTENTS_SPLIT_MAX more. */
void extents_assign(struct extents *extents, size_t index, uint64_t base, uint64_t end, int owner);
/* Moves the list to another array, where there is room for it. */
void extents_move(struct extents *extents, struct memory_extent *array, size_t capacity);

#endif
