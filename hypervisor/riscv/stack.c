/* See stack.h. arch.stack_low is the guard page; the stack proper begins above it. */
#include "stack.h"
#include "addr.h"
#include <string.h>

#define PAINT_BYTE 0x5a
#define PAINT      0x5a5a5a5a5a5a5a5aUL

static uint64_t *lowest_word(const struct hart *hart)
{
    return hpa_pointer(hpa(hart->arch.stack_low + PAGE_SIZE));
}

/* What lies below the present stack pointer is free; a little room is left for this function and
 * for what it calls. */
void stack_paint(struct hart *hart)
{
    uint64_t *end = (uint64_t *)__builtin_frame_address(0) - 64;
    memset(lowest_word(hart), PAINT_BYTE, (uintptr_t)end - (uintptr_t)lowest_word(hart));
}

uint64_t stack_used(const struct hart *hart)
{
    const volatile uint64_t *word = lowest_word(hart);
    const uint64_t *end = hpa_pointer(hpa(hart->arch.stack_high));
    while (word < end && *word == PAINT)
        word++;
    return (uint64_t)((const char *)end - (const char *)word);
}
