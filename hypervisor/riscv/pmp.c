/*
 * Physical memory protection (Privileged 1.13, 3.7). A range takes two entries, the upper of them
 * top-of-range: any base and size in whole pages will do, on any implementation. Four entries are
 * enough, so the smallest cores are. A third range, which few capsules have, takes entries 5 and 6.
 * protect.c has the table of all entries, and the others.
 */
#include "csr.h"
#include "isolation.h"

/* The configuration byte of a range's upper entry; its lower entry is off (3.7.1.1). */
static uint64_t config(const struct pmp_range *range)
{
    return range->size == 0 ? 0 : PMP_TOR | range->permissions;
}

void pmp_set(uint64_t fixed, const struct pmp_range *first, const struct pmp_range *second,
             const struct pmp_range *third)
{
    /* Addresses are in units of 4 bytes (3.7.1). The entries are off while they change, so that
     * no half-made range is ever in force. */
    csr_write(CSR_PMPCFG0, fixed);
    csr_write(CSR_PMPADDR0 + 0, first->base.value >> 2);
    csr_write(CSR_PMPADDR0 + 1, (first->base.value + first->size) >> 2);
    csr_write(CSR_PMPADDR0 + 2, second->base.value >> 2);
    csr_write(CSR_PMPADDR0 + 3, (second->base.value + second->size) >> 2);
    if (third->size != 0) {
        csr_write(CSR_PMPADDR0 + 5, third->base.value >> 2);
        csr_write(CSR_PMPADDR0 + 6, (third->base.value + third->size) >> 2);
    }
    csr_write(CSR_PMPCFG0, fixed | config(first) << 8 | config(second) << 24 | config(third) << 48);
}
