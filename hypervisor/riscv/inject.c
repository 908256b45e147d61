/* See inject.h. On a hart with H the guest's trap registers are the vs* ones. */
#include "inject.h"
#include "csr.h"
#include "hart.h"
#include "port.h"

/* sstatus as a trap to supervisor mode leaves it: SPP and SPIE hold where it came from. */
static uint64_t status_after_trap(uint64_t status, bool from_supervisor)
{
    uint64_t after = status & ~(STATUS_SPP | STATUS_SPIE | STATUS_SIE);
    if (status & STATUS_SIE)
        after |= STATUS_SPIE;
    if (from_supervisor)
        after |= STATUS_SPP;
    return after;
}

void inject_exception(struct vcpu *vcpu, uint64_t cause, uint64_t tval)
{
    struct vcpu_arch *arch = &vcpu->arch;
    bool from_supervisor = (arch->mstatus & STATUS_MPP) == STATUS_MPP_S;
    uint64_t vector;
    if (port_hart()->arch.features.h) {
        csr_write(CSR_VSEPC, arch->x[0]);
        csr_write(CSR_VSCAUSE, cause);
        csr_write(CSR_VSTVAL, tval);
        csr_write(CSR_VSSTATUS, status_after_trap(csr_read(CSR_VSSTATUS), from_supervisor));
        vector = csr_read(CSR_VSTVEC);
    } else {
        csr_write(CSR_SEPC, arch->x[0]);
        csr_write(CSR_SCAUSE, cause);
        csr_write(CSR_STVAL, tval);
        arch->mstatus = status_after_trap(arch->mstatus, from_supervisor);
        vector = csr_read(CSR_STVEC);
    }
    arch->x[0] = vector & ~3UL; /* exceptions go to the base in both modes (12.1.2) */
    arch->mstatus = (arch->mstatus & ~STATUS_MPP) | STATUS_MPP_S;
}

void inject_illegal_instruction(struct vcpu *vcpu, uint32_t instruction)
{
    inject_exception(vcpu, CAUSE_ILLEGAL_INSTRUCTION, instruction);
}
