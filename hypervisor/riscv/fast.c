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
#include "interrupt.h"
#include "machine/sbi.h"
#include "offsets.h"
#include "port.h"
#include "sched.h"

#define A0 10
#define A1 11
#define A2 12
#define A3 13
#define A6 16
#define A7 17

/* SBI 3.0, chapters 7, 8, 9 */
#define SBI_EXTENSION_IPI    0x735049
#define SBI_EXTENSION_RFENCE 0x52464E43
#define SBI_EXTENSION_HSM    0x48534D
#define HSM_GET_STATUS       2

static void set_line(struct hart *hart, uint64_t line)
{
    if (hart->arch.features.h)
        csr_set(CSR_HVIP, line << 1);
    else
        csr_set(CSR_MIP, line);
}

static void clear_line(struct hart *hart, uint64_t line)
{
    if (hart->arch.features.h)
        csr_clear(CSR_HVIP, line << 1);
    else
        csr_clear(CSR_MIP, line);
}

/* Does the hart mask (a0) with its base (a1) name the caller alone? SBI 3.0, 3.2 */
static bool is_self(const struct vcpu *vcpu)
{
    uint64_t mask = vcpu->arch.x[A0], base = vcpu->arch.x[A1];
    return base <= vcpu->id && mask == 1UL << (vcpu->id - base);
}

/* The one other vCPU that the hart mask with its base names, or NULL. */
static struct vcpu *single_target(const struct vcpu *vcpu)
{
    uint64_t mask = vcpu->arch.x[A0], base = vcpu->arch.x[A1];
    if (mask == 0 || (mask & (mask - 1)) != 0 || base >= CAPSULE_VCPU_MAX)
        return NULL;
    uint64_t id = base + (uint64_t)__builtin_ctzl(mask);
    return id < vcpu->capsule->vcpu_count ? vcpu->capsule->vcpus[id] : NULL;
}

static bool send_ipi(struct hart *hart, struct vcpu *vcpu)
{
    if (vcpu->arch.x[A6] != 0)
        return false;
    if (is_self(vcpu)) {
        set_line(hart, INTERRUPT_SS);
        return true;
    }
    struct vcpu *target = single_target(vcpu);
    if (target == NULL || target == vcpu)
        return false;
    interrupt_raise(target, IRQ_S_SOFT);
    /* The target may be due at once, and on this hart, which no interrupt will then remind of it.
     * Declined, the call is made a second time, which changes nothing, and the hart is left. */
    return !sched_must_leave(hart);
}

static bool remote_fence(struct hart *hart, struct vcpu *vcpu)
{
    uint64_t function = vcpu->arch.x[A6];
    bool everything = vcpu->arch.x[A2] == 0 && vcpu->arch.x[A3] + 1 <= 1;
    if (!is_self(vcpu))
        return false;
    if (function == 0)
        fence_i();
    else if (function > 2 || !everything)
        return false;
    else if (hart->arch.features.h)
        hfence_vvma_all();
    else
        sfence_vma_all();
    return true;
}

static bool hart_status(struct vcpu *vcpu, uint64_t *value)
{
    uint64_t id = vcpu->arch.x[A0];
    if (vcpu->arch.x[A6] != HSM_GET_STATUS || id >= vcpu->capsule->vcpu_count)
        return false;
    *value = (uint64_t)atomic_load(&vcpu->capsule->vcpus[id]->hsm);
    return true;
}

static void raise_timer(struct hart *hart, struct vcpu *vcpu)
{
    atomic_fetch_or(&vcpu->arch.interrupts, INTERRUPT_ST);
    hart->arch.levels |= INTERRUPT_ST;
    set_line(hart, INTERRUPT_ST);
}

/* Where the hart has no Sstc. */
static bool set_timer(struct hart *hart, struct vcpu *vcpu)
{
    uint64_t deadline = vcpu->arch.x[A0];
    if (vcpu->arch.x[A6] != 0 || vcpu->arch.timer_csr != TIMER_CSR_NONE)
        return false;
    if (deadline <= port_time()) {
        vcpu->arch.timer = UINT64_MAX;
        raise_timer(hart, vcpu);
        return true;
    }
    if (hart->arch.levels & INTERRUPT_ST) {
        atomic_fetch_and(&vcpu->arch.interrupts, ~INTERRUPT_ST);
        hart->arch.levels &= ~INTERRUPT_ST;
        clear_line(hart, INTERRUPT_ST);
    }
    vcpu->arch.timer = deadline;
    sched_set_guest_timer(hart, deadline);
    return true;
}

static bool call(struct hart *hart, struct vcpu *vcpu)
{
    uint64_t value = 0;
    bool done = false;
    switch (vcpu->arch.x[A7]) {
    case SBI_EXTENSION_TIME:
        done = set_timer(hart, vcpu);
        break;
    case SBI_EXTENSION_IPI:
        done = send_ipi(hart, vcpu);
        break;
    case SBI_EXTENSION_RFENCE:
        done = remote_fence(hart, vcpu);
        break;
    case SBI_EXTENSION_HSM:
        done = hart_status(vcpu, &value);
        break;
    }
    if (!done)
        return false;
    vcpu->arch.x[A0] = SBI_SUCCESS;
    vcpu->arch.x[A1] = value;
    csr_write(CSR_MEPC, csr_read(CSR_MEPC) + 4);
    return true;
}

/* Nothing but the guest's own timer is due. */
static bool timer(struct hart *hart, struct vcpu *vcpu)
{
    uint64_t now = port_time();
    if (hart->guest_deadline > now || atomic_load(&hart->slice_end) <= now ||
        atomic_load(&hart->first_deadline) <= now || hart->arch.polls_serial)
        return false;
    vcpu->arch.timer = UINT64_MAX;
    raise_timer(hart, vcpu);
    sched_set_guest_timer(hart, UINT64_MAX);
    return true;
}

/* Another hart kicked this one, mostly because it raised a line of the vCPU. If it asks for more,
 * this is declined with the kick taken; what it asks for is noted in the hart and the vCPU. */
static bool kick(struct hart *hart, struct vcpu *vcpu)
{
    clint_clear_ipi(hart->arch.hart_id);
    sched_update_timer(hart);
    if (sched_must_leave(hart) || atomic_load(&vcpu->arch.fences) != 0)
        return false;
    interrupt_enter(hart, vcpu);
    return true;
}

bool exit_fast(struct vcpu *vcpu, uint64_t cause)
{
    struct hart *hart = port_hart();
    switch (cause) {
    case CAUSE_ECALL_S:
    case CAUSE_ECALL_VS:
        return call(hart, vcpu);
    case CAUSE_INTERRUPT | 3: /* machine software interrupt */
        return kick(hart, vcpu);
    case CAUSE_INTERRUPT | 7: /* machine timer */
        return timer(hart, vcpu);
    default:
        return false;
    }
}
