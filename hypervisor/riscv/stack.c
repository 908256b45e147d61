/* See stack.h. arch.stack_low is the guard page; the stack proper begins above it. */
#include "stack.h"
#include "addr.h"
#include "csr.h"
#include "log.h"

#define PAINT      0x5a5a5a5a5a5a5a5aUL
#define GUARD_SLOT 4 /* pmp.c uses 0 to 3 */

static uint64_t *lowest_word(const struct hart *hart)
{
    return hpa_pointer(hpa(hart->arch.stack_low + PAGE_SIZE));
}

/* What lies below the present stack pointer is free; a little room is left for this function. */
static void paint(struct hart *hart)
{
    uint64_t *end = (uint64_t *)__builtin_frame_address(0) - 32;
    for (volatile uint64_t *word = lowest_word(hart); word < end; word++)
        *word = PAINT;
}

void stack_guard(struct hart *hart)
{
    paint(hart);
    if (hart->arch.features.pmp_entries <= GUARD_SLOT)
        return;
    /* A naturally aligned power of two (3.7.1.1): 4 KiB is 9 ones below the address. Entries of one
     * pmpcfg register are written together; those of guests are still off. */
    csr_write(CSR_PMPADDR0 + GUARD_SLOT, hart->arch.stack_low >> 2 | (PAGE_SIZE / 8 - 1));
    csr_write(CSR_PMPCFG0, (uint64_t)(PMP_LOCK | PMP_NAPOT) << 8 * GUARD_SLOT);
}

uint64_t stack_used(const struct hart *hart)
{
    const volatile uint64_t *word = lowest_word(hart);
    const uint64_t *end = hpa_pointer(hpa(hart->arch.stack_high));
    while (word < end && *word == PAINT)
        word++;
    return (uint64_t)((const char *)end - (const char *)word);
}
