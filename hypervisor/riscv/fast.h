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

/* After that: as guest_fetch(), the first time. False: it cannot be fetched, and the trap's CSRs
 * are as they were. */
static inline bool fast_fetch(struct vcpu *vcpu, uint32_t *instruction)
{
    if (guest_load_instruction(vcpu->arch.x[0], guest_rights(vcpu) | STATUS_MXR, instruction) == 0)
        return true;
    csr_write(CSR_MEPC, vcpu->arch.x[0]);
    csr_write(CSR_MCAUSE, vcpu->arch.cause);
    csr_write(CSR_MTVAL, vcpu->arch.tval);
    return false;
}

#endif
