/*
 * The common exits, answered without a full world switch: of the guest's registers only those that
 * C may change were saved, and the vCPU still counts as being in the guest. Whoever wants it out
 * meanwhile kicks the hart, and the interrupt is taken as soon as the guest is entered again.
 *
 * Everything here is also done, in general, by the file of its extension; this is the short cut for
 * the arguments that nearly all calls have, and it declines all others.
 */
#include "capsule.h"
#include "csr.h"
#include "driver.h"
#include "entry.h"
#include "hart_lines.h"
#include "illegal.h"
#include "interrupt.h"
#include "machine/sbi.h"
#include "offsets.h"
#include "port.h"
#include "sched.h"

/* SBI 3.0, chapters 7, 8, 9 */
#define SBI_EXTENSION_IPI    0x735049
#define SBI_EXTENSION_RFENCE 0x52464E43
#define SBI_EXTENSION_HSM    0x48534D
#define HSM_GET_STATUS       2

/* Each answer is a function of its own, entered by a jump: so a call pays for the registers that
 * its own answer needs. */
#define ANSWER __attribute__((noinline)) static bool

static bool answer(struct vcpu *vcpu, enum diosix_exit reason, uint64_t value)
{
    vcpu_count_exit(vcpu, reason);
    vcpu->arch.x[A0] = SBI_SUCCESS;
    vcpu->arch.x[A1] = value;
    csr_write(CSR_MEPC, csr_read(CSR_MEPC) + 4);
    return true;
}

/* Does the hart mask (a0) with its base (a1) name the caller alone? SBI 3.0, 3.2. */
static bool is_self(const struct vcpu *vcpu)
{
    uint64_t mask = vcpu->arch.x[A0], base = vcpu->arch.x[A1];
    return base <= vcpu->id && mask == 1UL << (vcpu->id - base);
}

/* The one vCPU that the hart mask with its base names, or NULL. */
static struct vcpu *single_target(const struct vcpu *vcpu)
{
    uint64_t mask = vcpu->arch.x[A0], base = vcpu->arch.x[A1];
    if (mask == 0 || (mask & (mask - 1)) != 0 || base >= CAPSULE_VCPU_MAX)
        return NULL;
    uint64_t id = base;
    while ((mask >>= 1) != 0) /* libgcc's count of zeros is longer for the first 16 vCPUs */
        id++;
    return id < vcpu->capsule->vcpu_count ? vcpu->capsule->vcpus[id] : NULL;
}

ANSWER send_ipi_to_other(struct vcpu *vcpu, struct vcpu *target)
{
    interrupt_raise(target, IRQ_S_SOFT);
    answer(vcpu, DIOSIX_EXIT_SBI_IPI, 0);
    return exit_done(port_hart()); /* the target may be due at once, and on this hart */
}

ANSWER send_ipi(struct vcpu *vcpu)
{
    if (vcpu->arch.x[A6] != 0)
        return false;
    struct vcpu *target = single_target(vcpu);
    if (target == NULL)
        return false;
    if (target != vcpu)
        return send_ipi_to_other(vcpu, target);
    interrupt_put_into_hart(port_hart(), INTERRUPT_SS, 0);
    return answer(vcpu, DIOSIX_EXIT_SBI_IPI, 0);
}

ANSWER remote_fence(struct vcpu *vcpu)
{
    uint64_t function = vcpu->arch.x[A6];
    bool everything = vcpu->arch.x[A2] == 0 && vcpu->arch.x[A3] + 1 <= 1;
    if (!is_self(vcpu))
        return false;
    if (function == 0)
        fence_carry_out(FENCE_I);
    else if (function <= 2 && everything)
        fence_carry_out(FENCE_VMA);
    else
        return false;
    return answer(vcpu, DIOSIX_EXIT_SBI_RFENCE, 0);
}

ANSWER hart_status(struct vcpu *vcpu)
{
    uint64_t id = vcpu->arch.x[A0];
    if (vcpu->arch.x[A6] != HSM_GET_STATUS || id >= vcpu->capsule->vcpu_count)
        return false;
    return answer(
        vcpu, DIOSIX_EXIT_SBI_HSM,
        (uint64_t)atomic_load_explicit(&vcpu->capsule->vcpus[id]->hsm, memory_order_acquire));
}

static void raise_timer(struct hart *hart, struct vcpu *vcpu)
{
    atomic_fetch_or(&vcpu->arch.interrupts, INTERRUPT_ST);
    hart->arch.levels |= INTERRUPT_ST;
    interrupt_put_into_hart(hart, INTERRUPT_ST, 0);
}

ANSWER update_timer(struct hart *hart)
{
    sched_update_timer(hart);
    return true;
}

/* What entry.S leaves: the hart has no Sstc, and an interrupt is due or pending. */
ANSWER set_timer(struct vcpu *vcpu)
{
    struct hart *hart = port_hart();
    uint64_t deadline = vcpu->arch.x[A0];
    if (vcpu->arch.x[A6] != 0)
        return false;
    if (deadline <= port_time()) {
        vcpu->arch.timer = UINT64_MAX;
        raise_timer(hart, vcpu);
        return answer(vcpu, DIOSIX_EXIT_SBI_TIME, 0);
    }
    if (hart->arch.levels & INTERRUPT_ST) {
        atomic_fetch_and(&vcpu->arch.interrupts, ~INTERRUPT_ST);
        hart->arch.levels &= ~INTERRUPT_ST;
        interrupt_put_into_hart(hart, 0, INTERRUPT_ST);
    }
    vcpu->arch.timer = deadline;
    hart->guest_deadline = deadline;
    answer(vcpu, DIOSIX_EXIT_SBI_TIME, 0);
    return deadline < hart->arch.timer ? update_timer(hart) : true; /* else when that fires */
}

static bool call(struct vcpu *vcpu)
{
    switch (vcpu->arch.x[A7]) {
    case SBI_EXTENSION_TIME:
        return set_timer(vcpu);
    case SBI_EXTENSION_IPI:
        return send_ipi(vcpu);
    case SBI_EXTENSION_RFENCE:
        return remote_fence(vcpu);
    case SBI_EXTENSION_HSM:
        return hart_status(vcpu);
    default:
        return false;
    }
}

static bool is_due(const _Atomic uint64_t *deadline, uint64_t now)
{
    /* Whoever on another hart brings it forward kicks this one afterwards. */
    return atomic_load_explicit(deadline, memory_order_relaxed) <= now;
}

/* Nothing but the guest's own timer is due, or nothing at all any more. */
ANSWER timer(struct vcpu *vcpu)
{
    struct hart *hart = port_hart();
    uint64_t now = port_time();
    if (hart->arch.burst_end <= now)
        illegal_burst_over(hart);
    if (is_due(&hart->slice_end, now) || is_due(&hart->first_deadline, now) ||
        hart->arch.alarm <= now || hart->arch.polls_serial)
        return false;
    vcpu_count_exit(vcpu, DIOSIX_EXIT_TIMER);
    if (hart->guest_deadline <= now) {
        hart->guest_deadline = vcpu->arch.timer = UINT64_MAX;
        raise_timer(hart, vcpu);
    }
    sched_update_timer(hart);
    return true;
}

/* Another hart kicked this one, mostly because it raised a line of the vCPU. If it asks for more,
 * this is declined with the kick taken; what it asks for is noted in the hart and the vCPU. */
ANSWER kick(struct vcpu *vcpu)
{
    struct hart *hart = port_hart();
    exit_take_kick(hart);
    if (sched_must_leave(hart) || atomic_load(&vcpu->arch.fences) != 0)
        return false;
    vcpu_count_exit(vcpu, DIOSIX_EXIT_KICK);
    interrupt_enter(hart, vcpu);
    return true;
}

bool exit_fast(struct vcpu *vcpu, uint64_t cause)
{
#ifdef DEBUG
    vcpu->trap_pc = csr_read(CSR_MEPC);
    vcpu->trap_value = csr_read(CSR_MTVAL);
#endif
    if (cause == CAUSE_ECALL_S || cause == CAUSE_ECALL_VS)
        return call(vcpu);
    switch (cause) {
    case CAUSE_LOAD_ACCESS:
    case CAUSE_STORE_ACCESS:
    case CAUSE_LOAD_GUEST_PAGE:
    case CAUSE_STORE_GUEST_PAGE:
        return exit_fast_access(vcpu, cause);
    case CAUSE_ILLEGAL_INSTRUCTION:
    case CAUSE_VIRTUAL_INSTRUCTION:
        return exit_fast_instruction(vcpu, cause);
    case CAUSE_INTERRUPT | 3: /* machine software interrupt */
        return kick(vcpu);
    case CAUSE_INTERRUPT | 7: /* machine timer */
        return timer(vcpu);
    default:
        return false;
    }
}
