/* What the short answers share: exit_fast() and the files that it leaves the longer ones to. */
#ifndef RISCV_FAST_H
#define RISCV_FAST_H

#include "csr.h"
#include "guest_access.h"
#include "vcpu.h"
#include <stdbool.h>
#include <stdint.h>

/* Notes what the general functions want to know of the trap. */
static inline void fast_note(struct vcpu *vcpu, uint64_t cause)
{
    vcpu->arch.x[0] = csr_read(CSR_MEPC);
    vcpu->arch.mstatus = csr_read(CSR_MSTATUS);
    vcpu->arch.cause = cause;
    vcpu->arch.tval = csr_read(CSR_MTVAL);
}

/* After that, when an access of ours has faulted: the trap's CSRs are as they were, for those whom
 * it is left to. */
static inline bool fast_decline(const struct vcpu *vcpu)
{
    csr_write(CSR_MEPC, vcpu->arch.x[0]);
    csr_write(CSR_MCAUSE, vcpu->arch.cause);
    csr_write(CSR_MTVAL, vcpu->arch.tval);
    return false;
}

/* As guest_fetch(), the first time. False: it cannot be fetched, and is to be declined. */
static inline bool fast_fetch(struct vcpu *vcpu, uint32_t *instruction)
{
    return guest_load_instruction(vcpu->arch.x[0], guest_rights(vcpu) | STATUS_MXR, instruction) ==
               0 ||
           fast_decline(vcpu);
}

#endif
