/* See inject.h. On a hart with H the guest's trap registers are the vs* ones. */
#include "inject.h"
#include "capsule.h"
#include "csr.h"
#include "entry.h"
#include "hart.h"
#include "machine/machine.h"
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

static void raise(struct vcpu *vcpu, uint64_t cause, uint64_t tval, uint64_t handler)
{
    struct vcpu_arch *arch = &vcpu->arch;
    vcpu_count(&vcpu->counts.exceptions);
    trace_note(DIOSIX_TRACE_EXCEPTION, vcpu, arch->x[0], cause);
    bool from_supervisor = (arch->mstatus & STATUS_MPP) == STATUS_MPP_S;
    if (port_hart()->arch.features.h) {
        csr_write(CSR_VSEPC, arch->x[0]);
        csr_write(CSR_VSCAUSE, cause);
        csr_write(CSR_VSTVAL, tval);
        csr_write(CSR_VSSTATUS, status_after_trap(csr_read(CSR_VSSTATUS), from_supervisor));
    } else {
        csr_write(CSR_SEPC, arch->x[0]);
        csr_write(CSR_SCAUSE, cause);
        csr_write(CSR_STVAL, tval);
        arch->mstatus = status_after_trap(arch->mstatus, from_supervisor);
    }
    arch->x[0] = handler;
    arch->mstatus = (arch->mstatus & ~STATUS_MPP) | STATUS_MPP_S;
}

/* Firmware runs in flash. */
static bool is_memory(const struct capsule *capsule, uint64_t address)
{
    bool in_flash = capsule_has_flash(&capsule->config) &&
                    address - MACHINE_FLASH_BASE < CAPSULE_FLASH_MAX * MACHINE_FLASH_SIZE;
    return in_flash || capsule_has_memory(capsule, gpa(address), 2);
}

/* A guest whose trap handler cannot be fetched would trap for ever; it is beyond help. With
 * translation on, that shows when the fetch of the handler itself faults: at the address of the
 * instruction. The cause may say otherwise: for a fetch whose table walk fails, QEMU 7.2 reports a
 * load. */
static bool is_beyond_help(const struct vcpu *vcpu, uint64_t cause, uint64_t tval, uint64_t handler)
{
    bool h = port_hart()->arch.features.h;
    uint64_t satp = h ? csr_read(CSR_VSATP) : csr_read(CSR_SATP);
    if (satp >> SATP_MODE_SHIFT == SATP_MODE_BARE)
        return !is_memory(vcpu->capsule, handler);
    return vcpu->arch.x[0] == handler && tval == handler &&
           (cause == CAUSE_INSTRUCTION_ACCESS || cause == CAUSE_LOAD_ACCESS);
}

bool inject_if_possible(struct vcpu *vcpu, uint64_t cause, uint64_t tval)
{
    bool h = port_hart()->arch.features.h;
    /* Exceptions go to the base in both modes of stvec (12.1.2). */
    uint64_t handler = (h ? csr_read(CSR_VSTVEC) : csr_read(CSR_STVEC)) & ~3UL;
    if (is_beyond_help(vcpu, cause, tval, handler))
        return false;
    raise(vcpu, cause, tval, handler);
    return true;
}

void inject_exception(struct vcpu *vcpu, uint64_t cause, uint64_t tval)
{
    if (!inject_if_possible(vcpu, cause, tval))
        exit_crash(vcpu, cause);
}

void inject_illegal_instruction(struct vcpu *vcpu, uint32_t instruction)
{
    inject_exception(vcpu, CAUSE_ILLEGAL_INSTRUCTION, instruction);
}
