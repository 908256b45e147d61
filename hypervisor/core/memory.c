/*
 * Who gets which memory. The map itself, a list of extents, is extents.c's.
 *
 * Guests get the highest free memory that fits, the hypervisor's own pages the lowest, which keeps
 * each kind together. A range can be kept clear of the latter, for guests that must lie at one
 * address (a kernel linked at 0x8020_0000, without address translation). Where guests see these
 * addresses, low ones that are not kept clear come first: programs for boards with little memory
 * may take all that is higher for free, for mappings of their own say.
 *
 * Giving back the middle of an extent needs a new entry, and giving back must not fail. So an
 * allocation never takes the last quarter of the array, and before the array is half full, it
 * moves to one of twice the size in free memory. Only at boot, while reservations are still being
 * taken out of the RAM, it cannot move. So boot lends it a larger array than it mostly needs later.
 */
#include "memory.h"
#include "boot_only.h"
#include "extents.h"
#include "lock.h"
#include "log.h"
#include <stdbool.h>
#include <string.h>

#ifndef MEMORY_EXTENT_MAX
#define MEMORY_EXTENT_MAX 32 /* in the array that is always there */
#endif

static struct memory_extent first_array[MEMORY_EXTENT_MAX];
static struct extents map = {.array = first_array, .capacity = MEMORY_EXTENT_MAX};
static struct memory_extent *lent;      /* at boot; NULL: none */
static uint64_t clear_start, clear_end; /* kept clear of the hypervisor's pages */
static uint64_t preferred_end;          /* guests get what is below it first */
/* For guests alone, and guests in them alone; in order of address, size 0 last. */
static struct memory_range divided[MEMORY_GUEST_RANGES];
static struct lock lock = LOCK_INITIALIZER(LOCK_MEMORY);

#ifdef DEBUG
void (*memory_watcher)(struct hpa base, uint64_t size, int from, int to);
static uint64_t allocations_left; /* before the one that fails */

uint64_t memory_fail(uint64_t n)
{
    uint64_t before = allocations_left;

    allocations_left = n;
    return before;
}

static bool fails_on_purpose(void)
{
    return allocations_left != 0 && --allocations_left == 0;
}

static void tell(uint64_t base, uint64_t size, int from, int to)
{
    if (memory_watcher)
        memory_watcher(hpa(base), size, from, to);
}
#else
static bool fails_on_purpose(void)
{
    return false;
}

static void tell(uint64_t base, uint64_t size, int from, int to)
{
    (void)base, (void)size, (void)from, (void)to;
}
#endif

static bool is_divided(void)
{
    return divided[0].size != 0;
}

static uint64_t range_end(const struct memory_range *range)
{
    return range->base.value + range->size;
}

static bool may_be_guests(uint64_t base, uint64_t size)
{
    for (size_t i = 0; i < MEMORY_GUEST_RANGES; i++)
        if (base >= divided[i].base.value && base + size <= range_end(&divided[i]))
            return true;
    return !is_divided();
}

/* The highest place for an allocation in [start, end). */
static bool fits_below(uint64_t start, uint64_t end, uint64_t size, uint64_t align, uint64_t *base)
{
    if (end < start || end - start < size)
        return false;
    *base = align_down(end - size, align);
    return *base >= start;
}

/* The highest place for an allocation in the part of a free extent that is in [low, high). */
static bool fits_high(const struct memory_extent *extent, uint64_t low, uint64_t high,
                      uint64_t size, uint64_t align, uint64_t *base)
{
    uint64_t start = extent->base.value > low ? extent->base.value : low;
    uint64_t end = extent_end(extent) < high ? extent_end(extent) : high;

    if (extent->owner != MEMORY_FREE)
        return false;
    for (size_t i = MEMORY_GUEST_RANGES; is_divided() && i > 0; i--) {
        const struct memory_range *range = &divided[i - 1];
        uint64_t from = start > range->base.value ? start : range->base.value;
        uint64_t to = end < range_end(range) ? end : range_end(range);

        if (fits_below(from, to, size, align, base))
            return true;
    }
    return !is_divided() && fits_below(start, end, size, align, base);
}

/* The lowest place for pages in a free extent outside what is kept clear and what is for guests. */
static bool fits_low(const struct memory_extent *extent, uint64_t size, uint64_t align,
                     uint64_t *base)
{
    if (extent->owner != MEMORY_FREE || extent->size < size)
        return false;
    uint64_t start = align_up(extent->base.value, align);

    if (start < clear_end && clear_start < start + size)
        start = align_up(clear_end, align);
    for (size_t i = 0; i < MEMORY_GUEST_RANGES; i++) {
        if (start < range_end(&divided[i]) && divided[i].base.value < start + size)
            start = align_up(range_end(&divided[i]), align);
    }
    *base = start;
    return start >= extent->base.value && start <= extent_end(extent) - size;
}

static size_t choose_within(uint64_t low, uint64_t high, uint64_t size, uint64_t align,
                            uint64_t *base)
{
    for (size_t i = map.count; i > 0; i--) {
        if (fits_high(&map.array[i - 1], low, high, size, align, base))
            return i - 1;
    }
    return map.count;
}

/* The extent that has room for a guest's memory; the number of extents if none has. */
static size_t choose_high(uint64_t size, uint64_t align, uint64_t *base)
{
    size_t index = choose_within(clear_end, preferred_end, size, align, base);

    return index < map.count ? index : choose_within(0, UINT64_MAX, size, align, base);
}

/* The extent that has room for the hypervisor's pages; the number of extents if none has. Where
 * there is nothing else, they go to the end of what is kept clear, but never to what is for guests.
 */
static size_t choose_low(uint64_t size, uint64_t align, uint64_t *base)
{
    for (size_t i = 0; i < map.count; i++) {
        if (fits_low(&map.array[i], size, align, base))
            return i;
    }
    return is_divided() ? map.count : choose_high(size, align, base);
}

/* Moves the array to free memory; false if there is none. */
static bool move_to_pages(size_t new_capacity)
{
    uint64_t size = align_up(new_capacity * sizeof map.array[0], PAGE_SIZE), base;
    struct memory_extent *old = map.array;
    uint64_t old_size = align_up(map.capacity * sizeof map.array[0], PAGE_SIZE);
    size_t index = choose_low(size, PAGE_SIZE, &base);

    if (index == map.count)
        return false;
    extents_assign(&map, index, base, base + size, MEMORY_HYPERVISOR);
    tell(base, size, MEMORY_FREE, MEMORY_HYPERVISOR);
    extents_move(&map, hpa_pointer(hpa(base)), new_capacity);
    if (old == first_array || old == lent)
        return true;
    extents_assign(&map, extents_find(&map, hpa_of(old).value), hpa_of(old).value,
                   hpa_of(old).value + old_size, MEMORY_FREE);
    tell(hpa_of(old).value, old_size, MEMORY_HYPERVISOR, MEMORY_FREE);
    return true;
}

/* Moves the array to a larger one when it is half full, if memory allows. */
static void grow(void)
{
    if (map.count >= map.capacity / 2 && map.count + 2 * EXTENTS_SPLIT_MAX <= map.capacity &&
        !fails_on_purpose())
        (void)move_to_pages(2 * map.capacity);
}

static bool has_room_for_allocation(void)
{
    grow();
    return map.count + EXTENTS_SPLIT_MAX <= map.capacity - map.capacity / 4;
}

static bool is_good_size(uint64_t size)
{
    return size > 0 && size % PAGE_SIZE == 0;
}

BOOT_ONLY void memory_lend(struct memory_extent *array, size_t size)
{
    lent = map.array = array;
    map.capacity = size;
}

BOOT_ONLY bool memory_settle(void)
{
    bool settled = true;

    lock_acquire(&lock);
    if (map.array == lent && map.count < MEMORY_EXTENT_MAX / 2)
        extents_move(&map, first_array, MEMORY_EXTENT_MAX);
    else if (map.array == lent)
        settled = !fails_on_purpose() && move_to_pages(map.capacity);
    if (settled)
        lent = NULL;
    lock_release(&lock);
    return settled;
}

BOOT_ONLY enum error memory_add(struct hpa base, uint64_t size)
{
    /* The page at address 0 stays out of the map, so that no page's pointer is NULL. */
    uint64_t start = base.value < PAGE_SIZE ? PAGE_SIZE : align_up(base.value, PAGE_SIZE);
    uint64_t end = size > UINT64_MAX - base.value ? UINT64_MAX : base.value + size;
    enum error error = OK;

    if (start < base.value)
        return OK; /* the last page of the address space, in part */
    end = align_down(end, PAGE_SIZE);
    lock_acquire(&lock);
    /* What is already in the map stays as it is: fill the gaps between. */
    while (start < end && !error) {
        size_t index = extents_find(&map, start);
        uint64_t stop = index < map.count && map.array[index].base.value < end
                            ? map.array[index].base.value
                            : end;

        if (start < stop && map.count == map.capacity) {
            error = ERROR_NO_MEMORY;
        } else if (start < stop) {
            extents_add(&map, index, start, stop, MEMORY_FREE);
            tell(start, stop - start, MEMORY_NONE, MEMORY_FREE);
            start = stop;
        } else {
            start = extent_end(&map.array[index]);
        }
    }
    lock_release(&lock);
    return error;
}

BOOT_ONLY enum error memory_reserve(struct hpa base, uint64_t size, int owner)
{
    uint64_t start = align_down(base.value, PAGE_SIZE);
    uint64_t end = size > UINT64_MAX - PAGE_SIZE - base.value
                       ? UINT64_MAX
                       : align_up(base.value + size, PAGE_SIZE);
    enum error error = OK;

    lock_acquire(&lock);
    /* Takes what is free; what was reserved before keeps its owner. */
    while (start < end && !error) {
        size_t index = extents_find(&map, start);

        if (index == map.count || map.array[index].base.value >= end)
            break;
        struct memory_extent extent = map.array[index];
        uint64_t from = start > extent.base.value ? start : extent.base.value;
        uint64_t to = end < extent_end(&extent) ? end : extent_end(&extent);

        if (extent.owner == MEMORY_FREE && map.count + EXTENTS_SPLIT_MAX > map.capacity) {
            error = ERROR_NO_MEMORY;
        } else if (extent.owner == MEMORY_FREE) {
            extents_assign(&map, index, from, to, owner);
            tell(from, to - from, MEMORY_FREE, owner);
        }
        start = to;
    }
    lock_release(&lock);
    return error;
}

BOOT_ONLY void memory_keep_clear(struct hpa base, uint64_t end)
{
    lock_acquire(&lock);
    clear_start = base.value;
    clear_end = end;
    lock_release(&lock);
}

BOOT_ONLY void memory_prefer_below(uint64_t end)
{
    lock_acquire(&lock);
    preferred_end = end;
    lock_release(&lock);
}

/* --- dividing it --- */

/* The largest ones are kept. What lies before the memory that is kept clear is the hypervisor's. */
BOOT_ONLY static void consider(const struct memory_extent *extent)
{
    uint64_t start = extent->base.value, end = extent_end(extent);

    if (start < clear_start && clear_start < end)
        start = clear_start;
    struct memory_range range = {hpa(start), end - start};

    for (size_t i = 0; i < MEMORY_GUEST_RANGES; i++) {
        if (range.size > divided[i].size) {
            struct memory_range smaller = divided[i];

            divided[i] = range;
            range = smaller;
        }
    }
}

BOOT_ONLY static void sort_divided(void)
{
    struct memory_range first = divided[0];

    if (divided[1].size != 0 && divided[1].base.value < first.base.value) {
        divided[0] = divided[1];
        divided[1] = first;
    }
}

_Static_assert(MEMORY_GUEST_RANGES == 2, "sort_divided()");

BOOT_ONLY void memory_divide(uint64_t room, struct memory_range ranges[MEMORY_GUEST_RANGES])
{
    lock_acquire(&lock);
    for (size_t i = 0; i < map.count; i++)
        if (map.array[i].owner == MEMORY_FREE)
            consider(&map.array[i]);
    /* At the end: at the start may be the one place where a guest can lie. */
    if (divided[0].size > room)
        divided[0].size -= room;
    sort_divided();
    memcpy(ranges, divided, sizeof divided);
    lock_release(&lock);
}

/* --- allocating --- */

/* Low: for the hypervisor's own use. */
static enum error alloc(uint64_t size, uint64_t align, bool low, int owner, struct hpa *base)
{
    enum error error = ERROR_NO_MEMORY;

    lock_acquire(&lock);
    if (!fails_on_purpose() && has_room_for_allocation()) {
        uint64_t start;
        size_t index = low ? choose_low(size, align, &start) : choose_high(size, align, &start);

        if (index < map.count) {
            extents_assign(&map, index, start, start + size, owner);
            tell(start, size, MEMORY_FREE, owner);
            *base = hpa(start);
            error = OK;
        }
    }
    lock_release(&lock);
    return error;
}

enum error memory_alloc(uint64_t size, uint64_t align, int owner, struct hpa *base)
{
    if (!is_good_size(size) || align < PAGE_SIZE || (align & (align - 1)))
        return ERROR_BAD_CONFIG;
    return alloc(size, align, false, owner, base);
}

enum error memory_alloc_low(uint64_t size, uint64_t align, struct hpa *base)
{
    if (!is_good_size(size) || align < PAGE_SIZE || (align & (align - 1)))
        return ERROR_BAD_CONFIG;
    return alloc(size, align, true, MEMORY_HYPERVISOR, base);
}

enum error memory_alloc_at(struct hpa base, uint64_t size, int owner)
{
    enum error error = ERROR_NO_MEMORY;

    if (!is_good_size(size) || base.value % PAGE_SIZE)
        return ERROR_BAD_CONFIG;
    lock_acquire(&lock);
    if (!fails_on_purpose() && has_room_for_allocation()) {
        size_t index = extents_find(&map, base.value);

        if (index < map.count && map.array[index].owner == MEMORY_FREE &&
            map.array[index].base.value <= base.value &&
            size <= extent_end(&map.array[index]) - base.value && may_be_guests(base.value, size)) {
            extents_assign(&map, index, base.value, base.value + size, owner);
            tell(base.value, size, MEMORY_FREE, owner);
            error = OK;
        }
    }
    lock_release(&lock);
    return error;
}

void memory_free(struct hpa base, uint64_t size, int owner)
{
    lock_acquire(&lock);
    grow();
    size_t index = extents_find(&map, base.value);

    if (!is_good_size(size) || base.value % PAGE_SIZE || owner == MEMORY_FREE ||
        index == map.count || map.array[index].owner != owner ||
        map.array[index].base.value > base.value ||
        size > extent_end(&map.array[index]) - base.value)
        panic("memory of owner %d freed that is not its own: 0x%llx, 0x%llx bytes", owner,
              (unsigned long long)base.value, (unsigned long long)size);
    if (map.count + EXTENTS_SPLIT_MAX > map.capacity)
        panic("the map of memory is full");
    extents_assign(&map, index, base.value, base.value + size, MEMORY_FREE);
    tell(base.value, size, owner, MEMORY_FREE);
    lock_release(&lock);
}

void *memory_alloc_pages(size_t size)
{
    struct hpa base;

    if (size == 0 || size > SIZE_MAX - PAGE_SIZE)
        return NULL;
    size = align_up(size, PAGE_SIZE);
    if (alloc(size, PAGE_SIZE, true, MEMORY_HYPERVISOR, &base))
        return NULL;
    return memset(hpa_pointer(base), 0, size);
}

void memory_free_pages(void *pages, size_t size)
{
    memory_free(hpa_of(pages), align_up(size, PAGE_SIZE), MEMORY_HYPERVISOR);
}

BOOT_ONLY struct memory_extent memory_lookup(struct hpa address)
{
    struct memory_extent extent = {hpa(0), 0, MEMORY_NONE};

    lock_acquire(&lock);
    size_t index = extents_find(&map, address.value);

    if (index < map.count && map.array[index].base.value <= address.value)
        extent = map.array[index];
    lock_release(&lock);
    return extent;
}

int memory_extent_at(size_t index, struct memory_extent *extent)
{
    bool found;

    lock_acquire(&lock);
    found = index < map.count;
    if (found)
        *extent = map.array[index];
    lock_release(&lock);
    return found;
}

uint64_t memory_owned(int owner)
{
    uint64_t bytes = 0;

    lock_acquire(&lock);
    for (size_t i = 0; i < map.count; i++) {
        if (map.array[i].owner == owner)
            bytes += map.array[i].size;
    }
    lock_release(&lock);
    return bytes;
}
