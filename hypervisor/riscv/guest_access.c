/* See guest_access.h; the accesses themselves are in entry.S. */
#include "guest_access.h"
#include "csr.h"
#include "isolation.h"

/* Was it in memory that only had to be filled? mtval2 tells, as of a G-stage fault
 * (Privileged 1.13, 21.4.4); it is 0 for others. QEMU 7.2 calls the fault that of a page, and tells
 * mtval2 all the same. */
static bool memory_comes(struct vcpu *vcpu, uint64_t tval)
{
    uint64_t tval2 = vcpu->arch.virtual ? csr_read(CSR_MTVAL2) : 0;
    return tval2 != 0 && isolation_memory_comes_to(vcpu, gpa(tval2 << 2 | (tval & 3)));
}

/* What the guest is to see of the fault that the hart has just reported. */
static bool failed(struct vcpu *vcpu, struct guest_fault *fault)
{
    uint64_t cause = csr_read(CSR_MCAUSE);
    *fault = (struct guest_fault){.cause = cause, .tval = csr_read(CSR_MTVAL)};
    switch (cause) {
    case CAUSE_INSTRUCTION_GUEST_PAGE:
        fault->cause = CAUSE_INSTRUCTION_ACCESS;
        break;
    case CAUSE_LOAD_GUEST_PAGE:
        fault->cause = CAUSE_LOAD_ACCESS;
        break;
    case CAUSE_STORE_GUEST_PAGE:
        fault->cause = CAUSE_STORE_ACCESS;
        break;
    default:
        break;
    }
    fault->again = memory_comes(vcpu, fault->tval);
    return false;
}

bool guest_read(struct vcpu *vcpu, void *to, uint64_t virtual_address, size_t size,
                struct guest_fault *fault)
{
    uint64_t mstatus = guest_rights(vcpu);
    for (size_t i = 0; i < size; i++) {
        uint64_t value;
        if (guest_load(virtual_address + i, 1, mstatus, &value) != 0)
            return failed(vcpu, fault);
        ((uint8_t *)to)[i] = (uint8_t)value;
    }
    return true;
}

bool guest_write(struct vcpu *vcpu, uint64_t virtual_address, const void *from, size_t size,
                 struct guest_fault *fault)
{
    uint64_t mstatus = guest_rights(vcpu);
    for (size_t i = 0; i < size; i++)
        if (guest_store(virtual_address + i, 1, mstatus, ((const uint8_t *)from)[i]) != 0)
            return failed(vcpu, fault);
    return true;
}

/* A fetch is a load that may also read what is only executable (mstatus.MXR).
 *
 * A second one, after one that faulted, must not reach past the guest: QEMU 10.0.13 lets only traps
 * set MPV, and the fault has cleared it. The guest has changed its page tables between the two. */
bool guest_fetch(struct vcpu *vcpu, uint32_t *instruction, struct guest_fault *fault)
{
    if (vcpu->arch.virtual && !(vcpu->arch.mstatus & STATUS_MPV)) {
        *fault = (struct guest_fault){.cause = CAUSE_INSTRUCTION_PAGE, .tval = vcpu->arch.x[0]};
        return false;
    }
    if (guest_load_instruction(vcpu->arch.x[0], guest_rights(vcpu) | STATUS_MXR, instruction) == 0)
        return true;
    failed(vcpu, fault);
    if (fault->cause == CAUSE_LOAD_ACCESS)
        fault->cause = CAUSE_INSTRUCTION_ACCESS;
    if (fault->cause == CAUSE_LOAD_PAGE)
        fault->cause = CAUSE_INSTRUCTION_PAGE;
    return false;
}
