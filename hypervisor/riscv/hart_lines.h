/* What goes straight into this hart for the guest on it: interrupt lines and fences. Inline, for
 * the shortest exits use them too. */
#ifndef RISCV_HART_LINES_H
#define RISCV_HART_LINES_H

#include "csr.h"
#include "hart.h"
#include "port.h"
#include "vcpu.h"

/* Raises and lowers lines, given by their bits in sip; in hvip it is the bit above (Privileged
 * 1.13, 21.2.3). */
static inline void interrupt_put_into_hart(const struct hart *hart, uint64_t set, uint64_t clear)
{
    if (hart->arch.features.h) {
        if (set != 0)
            csr_set(CSR_HVIP, set << 1);
        if (clear != 0)
            csr_clear(CSR_HVIP, clear << 1);
    } else {
        if (set != 0)
            csr_set(CSR_MIP, set);
        if (clear != 0)
            csr_clear(CSR_MIP, clear);
    }
}

/* FENCE_I and FENCE_VMA of vcpu_arch.h, for the guest that is loaded. */
static inline void fence_carry_out(uint32_t kinds)
{
    if (kinds & FENCE_I)
        fence_i();
    if (!(kinds & FENCE_VMA))
        return;
    if (port_hart()->arch.features.h)
        hfence_vvma_all();
    else
        sfence_vma_all();
}

#endif
