/*
 * Instructions that trapped because of what they are, without a full exit: `wfi`, and those that
 * are given back to the guest because it has no business with them. The rest is for emulate.c.
 *
 * A vCPU that waits stays on its hart if nobody else wants that: it counts as waiting, the hart as
 * idle, and neither its registers nor its place in a queue move. Its interrupt enables are in the
 * hart, so the hart's own `wfi` ends with what its guest's would have, be it a timer of its own
 * (stimecmp), a line that another hart raised (interrupt_raise() kicks), or an alarm that we keep.
 */
#include "csr.h"
#include "decode.h"
#include "entry.h"
#include "fast.h"
#include "fpu.h"
#include "illegal.h"
#include "inject.h"
#include "port.h"
#include "sched.h"

/* Is an interrupt pending that it has enabled? After this all its lines are in the hart. Nothing of
 * supervisor level is enabled in a hart with H but what is the guest's. */
static bool has_interrupt(struct hart *hart, struct vcpu *vcpu)
{
    interrupt_enter(hart, vcpu);
    return (csr_read(CSR_MIP) & csr_read(CSR_MIE) & (INTERRUPT_S_ALL | INTERRUPT_VS_ALL)) != 0;
}

/* Until it has an interrupt (true), or must leave its hart (false). No wake-up is lost: who raises
 * a line does so and then looks where the vCPU is; this one says that it rests and then looks at
 * its lines. A kick that comes between that look and the `wfi` is pending, and ends it. Fences that
 * are asked of it meanwhile are only noted, and paid before it counts as in the guest for long. */
__attribute__((noinline)) static bool rest(struct hart *hart, struct vcpu *vcpu)
{
    bool awake;
    if (!sched_rest_begin(hart))
        return has_interrupt(hart, vcpu);
    atomic_store(&vcpu->arch.presence, VCPU_RESTS);
    atomic_thread_fence(memory_order_seq_cst);
    while (!(awake = has_interrupt(hart, vcpu)) && sched_may_rest(hart))
        port_idle();
    atomic_store(&vcpu->arch.presence, VCPU_IN_GUEST);
    if (atomic_load(&vcpu->arch.fences) != 0)
        fence_pay(vcpu);
    sched_rest_end(hart);
    return awake;
}

static bool wait_for_interrupt(struct hart *hart, struct vcpu *vcpu)
{
    vcpu_count_exit(vcpu, DIOSIX_EXIT_WFI);
    if (!(sched_may_rest(hart) ? rest(hart, vcpu) : has_interrupt(hart, vcpu)))
        sched_block_current(vcpu, UINT64_MAX);
    csr_write(CSR_MEPC, vcpu->arch.x[0] + 4);
    return exit_done(hart);
}

/* What a guest that is beyond help gets is not our business: it takes all its registers. */
__attribute__((noinline)) static bool give_back(struct hart *hart, struct vcpu *vcpu,
                                                uint32_t instruction)
{
    if (!inject_if_possible(vcpu, CAUSE_ILLEGAL_INSTRUCTION, instruction))
        return false;
    vcpu_count_exit(vcpu, DIOSIX_EXIT_ILLEGAL);
    csr_write(CSR_MEPC, vcpu->arch.x[0]);
    csr_write(CSR_MSTATUS, vcpu->arch.mstatus);
    illegal_given_back(hart, vcpu);
    return exit_done(hart);
}

__attribute__((noinline)) bool exit_fast_instruction(struct vcpu *vcpu, uint64_t cause)
{
    struct hart *hart = port_hart();
    struct csr_instruction csr;
    uint32_t instruction;
    fast_note(vcpu, cause);
    if (cause == CAUSE_ILLEGAL_INSTRUCTION && fpu_waits(hart))
        return false;
    if (!fast_fetch(vcpu, &instruction))
        return false;
    if (decode_is_wfi(instruction) && (vcpu->arch.mstatus & STATUS_MPP) == STATUS_MPP_S)
        return wait_for_interrupt(hart, vcpu);
    if (decode_is_wrs_nto(instruction))
        return false;
    if (!hart->arch.features.time && decode_csr(instruction, &csr)) /* it may read the time */
        return false;
    return give_back(hart, vcpu, instruction);
}
