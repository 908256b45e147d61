/* See extents.h. */
#include "extents.h"
#include <string.h>

size_t extents_find(const struct extents *extents, uint64_t address)
{
    size_t low = 0, high = extents->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (extent_end(&extents->array[middle]) > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void insert(struct extents *extents, size_t index, uint64_t base, uint64_t end, int owner)
{
    struct memory_extent *place = &extents->array[index];

    memmove(place + 1, place, (extents->count - index) * sizeof *place);
    *place = (struct memory_extent){hpa(base), end - base, owner};
    extents->count++;
}

/* Joins the extent with the one after it, if they touch and have one owner. */
static void join_next(struct extents *extents, size_t index)
{
    struct memory_extent *extent = &extents->array[index], *next = extent + 1;

    if (index + 1 >= extents->count || extent_end(extent) != next->base.value ||
        extent->owner != next->owner)
        return;
    extent->size += next->size;
    extents->count--;
    memmove(next, next + 1, (extents->count - index - 1) * sizeof *next);
}

static void join(struct extents *extents, size_t index)
{
    join_next(extents, index);
    if (index > 0)
        join_next(extents, index - 1);
}

void extents_add(struct extents *extents, size_t index, uint64_t base, uint64_t end, int owner)
{
    insert(extents, index, base, end, owner);
    join(extents, index);
}

void extents_assign(struct extents *extents, size_t index, uint64_t base, uint64_t end, int owner)
{
    struct memory_extent whole = extents->array[index];

    if (end < extent_end(&whole))
        insert(extents, index + 1, end, extent_end(&whole), whole.owner);
    if (whole.base.value < base)
        insert(extents, index++, whole.base.value, base, whole.owner);
    extents->array[index] = (struct memory_extent){hpa(base), end - base, owner};
    join(extents, index);
}

void extents_move(struct extents *extents, struct memory_extent *array, size_t capacity)
{
    extents->array = memcpy(array, extents->array, extents->count * sizeof *array);
    extents->capacity = capacity;
}
