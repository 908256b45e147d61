/*
 * Reaching a guest's memory by its own virtual addresses, with its own rights: the hart does the
 * translation and the checks, as if the guest itself made the access (mstatus.MPRV; Privileged
 * 1.13, 3.1.6.3). A fault comes back as a return value.
 *
 * Only for the vCPU that is loaded on this hart, in the handling of its exit.
 */
#ifndef RISCV_GUEST_ACCESS_H
#define RISCV_GUEST_ACCESS_H

#include "addr.h"
#include "csr.h"
#include "vcpu.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest_fault {
    uint64_t cause, tval; /* what the guest should see; guest-page faults are access faults */
    bool read_only;       /* isolation_fault_address(): its page table forbids a store there */
    bool again;           /* and it is to see none, but to try again */
};

/* entry.S: one access with `mstatus` in force for it. 0, or 1 after a fault, with mcause and mtval
 * as it left them. */
int guest_load(uint64_t address, size_t size, uint64_t mstatus, uint64_t *value);
int guest_store(uint64_t address, size_t size, uint64_t mstatus, uint64_t value);
int guest_load_instruction(uint64_t address, uint64_t mstatus, uint32_t *instruction);

/* Copies between the guest's virtual memory and the hypervisor. False and *fault on a fault;
 * bytes before the fault may have been copied. */
bool guest_read(struct vcpu *vcpu, void *to, uint64_t virtual_address, size_t size,
                struct guest_fault *fault);
bool guest_write(struct vcpu *vcpu, uint64_t virtual_address, const void *from, size_t size,
                 struct guest_fault *fault);
/* Fetches the instruction at the guest's pc as the guest may execute it. A 16-bit one is
 * returned in the low half, with the upper half zero. */
bool guest_fetch(struct vcpu *vcpu, uint32_t *instruction, struct guest_fault *fault);

/* translate.c: walks the guest's own page tables in software, for harts that do not tell the
 * guest-physical address; *read_only: they forbid stores there. False: there is no way there, or,
 * with *again, the guest shall try again, for one of its tables is in memory that had to be filled.
 */
bool guest_translate(struct vcpu *vcpu, uint64_t virtual_address, struct gpa *address,
                     bool *read_only, bool *again);

/* mstatus for an access with the guest's rights. MDT is set in what a trap left there, and a fault
 * with it would be a double trap. */
static inline uint64_t guest_rights(const struct vcpu *vcpu)
{
    return (vcpu->arch.mstatus & ~STATUS_MDT) | STATUS_MPRV;
}

#endif
