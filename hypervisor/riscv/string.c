/*
 * memset and memcpy for large blocks: guests' RAM is cleared and filled with them. picolibc's are
 * made to be small and go byte by byte. The rest of the string functions are picolibc's.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD  sizeof(uint64_t)
#define BLOCK (8 * WORD)

/* May alias anything, as memcpy may. */
typedef uint64_t __attribute__((may_alias)) word;

static int is_aligned(const void *pointer)
{
    return (uintptr_t)pointer % WORD == 0;
}

static void set_block(word *to, uint64_t value)
{
    to[0] = value;
    to[1] = value;
    to[2] = value;
    to[3] = value;
    to[4] = value;
    to[5] = value;
    to[6] = value;
    to[7] = value;
}

static void copy_block(word *to, const word *from)
{
    uint64_t a = from[0], b = from[1], c = from[2], d = from[3];
    uint64_t e = from[4], f = from[5], g = from[6], h = from[7];
    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
    to[4] = e;
    to[5] = f;
    to[6] = g;
    to[7] = h;
}

void *memset(void *to, int byte, size_t size)
{
    uint8_t *at = to;
    uint64_t value = (uint8_t)byte * 0x0101010101010101UL;
    for (; size > 0 && !is_aligned(at); size--)
        *at++ = (uint8_t)byte;
    for (; size >= BLOCK; size -= BLOCK, at += BLOCK)
        set_block((word *)(void *)at, value);
    for (; size >= WORD; size -= WORD, at += WORD)
        *(word *)(void *)at = value;
    for (; size > 0; size--)
        *at++ = (uint8_t)byte;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    uint8_t *at = to;
    const uint8_t *source = from;
    if (is_aligned(at) && is_aligned(source)) {
        for (; size >= BLOCK; size -= BLOCK, at += BLOCK, source += BLOCK)
            copy_block((word *)(void *)at, (const word *)(const void *)source);
        for (; size >= WORD; size -= WORD, at += WORD, source += WORD)
            *(word *)(void *)at = *(const word *)(const void *)source;
    }
    for (; size > 0; size--)
        *at++ = *source++;
    return to;
}
