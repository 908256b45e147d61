/*
 * head and tail run freely and wrap at 2^32, so that head - tail is the number of bytes stored
 * even when all of the buffer is used. The bytes are written before head says so, and read before
 * tail gives their place back: with one writer and one reader even an unlocked look is consistent.
 */
#include "ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

static uint32_t stored(const struct ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    return atomic_load_explicit(&ring->head, memory_order_acquire) - tail;
}

void ring_init(struct ring *ring, uint8_t *buffer, uint32_t size)
{
    assert(size && !(size & (size - 1)));
    ring->buffer = buffer;
    ring->size = size;
    atomic_store_explicit(&ring->head, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, 0, memory_order_relaxed);
}

size_t ring_used(const struct ring *ring)
{
    return stored(ring);
}

size_t ring_space(const struct ring *ring)
{
    return ring->size - stored(ring);
}

/* How many of `count` bytes from `position` on come before the buffer's end. */
static size_t before_end(const struct ring *ring, uint32_t position, size_t count)
{
    size_t room = ring->size - (position & (ring->size - 1));

    return count < room ? count : room;
}

size_t ring_put(struct ring *ring, const uint8_t *bytes, size_t count)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t space = ring_space(ring);

    if (count > space)
        count = space;
    size_t first = before_end(ring, head, count);

    memcpy(ring->buffer + (head & (ring->size - 1)), bytes, first);
    memcpy(ring->buffer, bytes + first, count - first);
    atomic_store_explicit(&ring->head, head + (uint32_t)count, memory_order_release);
    return count;
}

size_t ring_peek(const struct ring *ring, uint8_t *bytes, size_t count)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t used = ring_used(ring);

    if (count > used)
        count = used;
    size_t first = before_end(ring, tail, count);

    if (bytes && count) { /* there may be no buffer */
        memcpy(bytes, ring->buffer + (tail & (ring->size - 1)), first);
        memcpy(bytes + first, ring->buffer, count - first);
    }
    return count;
}

size_t ring_get(struct ring *ring, uint8_t *bytes, size_t count)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    count = ring_peek(ring, bytes, count);
    atomic_store_explicit(&ring->tail, tail + (uint32_t)count, memory_order_release);
    return count;
}
