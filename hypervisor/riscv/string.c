/*
 * memset, memcpy and memmove for large blocks: guests' RAM is cleared and filled with them.
 * picolibc's are made to be small and go byte by byte. The rest of the string functions are
 * picolibc's.
 *
 * What is to be zero is cleared in blocks as large as the hart's cache has them, without reading it
 * first, where the hart has an instruction for that (Zicboz; machine mode needs no leave for it).
 */
#include "hart.h"
#include "port.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD  (ptrdiff_t)sizeof(uint64_t)
#define BLOCK (8 * WORD)

#define COPY_STEP  (2 * (size_t)BLOCK)
#define ZERO_STEP  32   /* blocks */
#define ZERO_LARGE 4096 /* bytes, from which it is worth a look */

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

/* Blocks from `to` on, ZERO_STEP at a time; returns where they end. */
static uint8_t *zero_blocks(uint8_t *to, const uint8_t *end, size_t block)
{
    register uint8_t *at __asm__("a0") = to;
    const uint8_t *stop = to + (size_t)(end - to) / (ZERO_STEP * block) * (ZERO_STEP * block);
    while (at != stop)
        __asm__ volatile(".rept 32\n\t"
                         ".word 0x0045200f\n\t" /* cbo.zero (a0): "CMO" 1.0.1, 2.5 */
                         "add %0, %0, %1\n\t"
                         ".endr"
                         : "+r"(at)
                         : "r"(block)
                         : "memory");
    return at;
}

static void set(uint8_t *at, const uint8_t *end, uint8_t byte)
{
    uint64_t value = byte * 0x0101010101010101UL;
    for (; at < end && !is_aligned(at); at++)
        *at = byte;
    for (; end - at >= BLOCK; at += BLOCK)
        set_block((word *)(void *)at, value);
    for (; end - at >= WORD; at += WORD)
        *(word *)(void *)at = value;
    for (; at < end; at++)
        *at = byte;
}

void *memset(void *to, int byte, size_t size)
{
    uint8_t *at = to;
    const uint8_t *end = at + size;
    size_t block = byte == 0 && size >= ZERO_LARGE ? port_hart()->arch.features.zero_block : 0;
    if (block > 0) {
        uint8_t *start = at + -(uintptr_t)at % block;
        set(at, start, 0);
        at = zero_blocks(start, end, block);
    }
    set(at, end, (uint8_t)byte);
    return to;
}

/* From front to back, each block read before it is written: also for memmove to lower addresses. */
static void copy(uint8_t *at, const uint8_t *source, size_t size)
{
    if (is_aligned(at) && is_aligned(source)) {
        const uint8_t *stop = source + size / COPY_STEP * COPY_STEP;
        for (size %= COPY_STEP; source != stop; at += COPY_STEP, source += COPY_STEP) {
            copy_block((word *)(void *)at, (const word *)(const void *)source);
            copy_block((word *)(void *)(at + BLOCK), (const word *)(const void *)(source + BLOCK));
        }
        for (; size >= (size_t)WORD; size -= WORD, at += WORD, source += WORD)
            *(word *)(void *)at = *(const word *)(const void *)source;
    }
    for (; size >= 4; size -= 4, at += 4, source += 4) {
        at[0] = source[0];
        at[1] = source[1];
        at[2] = source[2];
        at[3] = source[3];
    }
    for (; size > 0; size--)
        *at++ = *source++;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    copy(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    uint8_t *end = (uint8_t *)to + size;
    const uint8_t *source = (const uint8_t *)from + size;
    if ((uintptr_t)to - (uintptr_t)from >= size) { /* also when `to` is the lower one */
        copy(to, from, size);
        return to;
    }
    if (is_aligned(end) && is_aligned(source)) {
        for (; size >= (size_t)WORD; size -= WORD) {
            end -= WORD;
            source -= WORD;
            *(word *)(void *)end = *(const word *)(const void *)source;
        }
    }
    for (; size > 0; size--)
        *--end = *--source;
    return to;
}

/*
 * The number of zeros below the lowest one, which the compiler calls where harts need not have an
 * instruction for it; the value is never 0. libgcc's is slower and has a table of 256 bytes. Each
 * six bits in a row of the product's factor differ from all others (a de Bruijn sequence), so the
 * six at the top of the product tell by how much it was shifted.
 */
#define DE_BRUIJN 0x03f79d71b4cb0a89UL

int __ctzdi2(unsigned long value);
int __ctzdi2(unsigned long value)
{
    static const uint8_t shifts[64] = {
        0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,  62, 55, 59, 36, 53, 51,
        43, 22, 45, 39, 33, 30, 24, 18, 12, 5,  63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21,
        44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6,
    };

    return shifts[(value & -value) * DE_BRUIJN >> 58];
}
