/*
 * A byte ring over a caller's buffer whose size is a power of two. Not locked: the owner's lock
 * guards it. One-sided questions (ring_empty) may be asked without the lock as a hint.
 */
#ifndef CORE_RING_H
#define CORE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *buffer;
    uint32_t size;               /* a power of two; 0: no buffer, nothing goes in or out */
    _Atomic uint32_t head, tail; /* free-running; head - tail bytes are stored */
};

void ring_init(struct ring *ring, uint8_t *buffer, uint32_t size);
/* Inline wherever: shorter exits of guests ask it, too, and should need no registers for a call. */
static inline __attribute__((always_inline)) bool ring_empty(const struct ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    return atomic_load_explicit(&ring->head, memory_order_acquire) == tail;
}
size_t ring_used(const struct ring *ring);
size_t ring_space(const struct ring *ring);
/* Stores as many of the bytes as fit; returns how many. */
size_t ring_put(struct ring *ring, const uint8_t *bytes, size_t count);
/* Copies up to count bytes and leaves them in; returns how many. */
size_t ring_peek(const struct ring *ring, uint8_t *bytes, size_t count);
/* Takes up to count bytes, to nowhere when `bytes` is NULL; returns how many. */
size_t ring_get(struct ring *ring, uint8_t *bytes, size_t count);

#endif
