/*
 * HSM: the states of harts (SBI 3.0, chapter 9).
 *
 * vcpu->hsm changes only here, by compare-and-exchange, so that of two concurrent calls one wins:
 *
 *   STOPPED -> START_PENDING -> STARTED              hart_start, by any other hart
 *   STARTED -> STOP_PENDING -> STOPPED               hart_stop; the second step when it has left
 *   STARTED -> SUSPENDED -> STARTED                  hart_suspend; the second when it enters again
 *
 * A vCPU that stops is STOPPED only once its registers are off the hart: from then on hart_start
 * may set them anew, from another hart, at any time.
 */
#include "devices.h"
#include "entry.h"
#include "interrupt.h"
#include "port.h"
#include "sbi.h"
#include "sched.h"

enum {
    HART_START = 0,
    HART_STOP = 1,
    HART_GET_STATUS = 2,
    HART_SUSPEND = 3
};

/* 9.4, table of suspend types. */
#define SUSPEND_RETENTIVE     0x00000000U
#define SUSPEND_NON_RETENTIVE 0x80000000U

static bool change_state(struct vcpu *vcpu, int from, int to)
{
    return atomic_compare_exchange_strong(&vcpu->hsm, &from, to);
}

bool sbi_is_entry(const struct capsule *capsule, uint64_t address)
{
    return address % 2 == 0 && (capsule_has_memory(capsule, gpa(address), 2) ||
                                flash_is_at(capsule->arch.machine, address));
}

/* The external interrupt line is the PLIC's, which does not forget about a hart that was off. */
static void reset(struct vcpu *vcpu, struct gpa entry, uint64_t opaque)
{
    atomic_fetch_and(&vcpu->arch.interrupts, UINT64_C(1) << IRQ_S_EXTERNAL);
    vcpu_begin(vcpu, entry, vcpu->id, opaque);
}

static long start(struct sbi_call *call, uint64_t hart_id, uint64_t address, uint64_t opaque)
{
    struct vcpu *target = sbi_target(call, hart_id);
    if (!target)
        return SBI_ERR_INVALID_PARAM;
    if (!sbi_is_entry(target->capsule, address))
        return SBI_ERR_INVALID_ADDRESS;
    if (!change_state(target, HSM_STOPPED, HSM_START_PENDING))
        return atomic_load(&target->hsm) == HSM_STOP_PENDING ? SBI_ERR_FAILED
                                                             : SBI_ERR_ALREADY_AVAILABLE;
    reset(target, gpa(address), opaque);
    atomic_store(&target->hsm, HSM_STARTED);
    sched_start(target);
    return SBI_SUCCESS;
}

static long stop(struct sbi_call *call)
{
    if (!change_state(call->vcpu, HSM_STARTED, HSM_STOP_PENDING))
        return SBI_ERR_FAILED;
    sched_stop_current(call->vcpu);
    call->replaced = true; /* it does not return */
    return SBI_SUCCESS;
}

static long status(struct sbi_call *call, uint64_t hart_id)
{
    const struct vcpu *target = sbi_target(call, hart_id);
    if (!target)
        return SBI_ERR_INVALID_PARAM;
    call->value = (uint64_t)atomic_load(&target->hsm);
    return SBI_SUCCESS;
}

/* The wait is announced first, so that an IPI that comes meanwhile is not forgotten; interrupts
 * that it has enabled are looked at when it leaves its hart. */
static void wait_to_resume(struct vcpu *vcpu)
{
    sched_block_current(vcpu, UINT64_MAX);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&vcpu->arch.resume))
        sched_wake(vcpu);
}

/* A retentive suspend returns as any call does, only later; the registers of the other kind are
 * set when it ends, because until then the enabled interrupts decide when that is. */
long sbi_hsm_suspend(struct vcpu *vcpu, const struct suspend *suspend)
{
    vcpu->arch.suspend = *suspend;
    atomic_store(&vcpu->arch.resume, false);
    if (!change_state(vcpu, HSM_STARTED, HSM_SUSPENDED))
        return SBI_ERR_FAILED;
    wait_to_resume(vcpu);
    return SBI_SUCCESS;
}

static long suspend(struct sbi_call *call, uint32_t type, uint64_t resume, uint64_t opaque)
{
    bool retentive = type == SUSPEND_RETENTIVE;
    if (!retentive && type != SUSPEND_NON_RETENTIVE)
        return SBI_ERR_INVALID_PARAM;
    if (!retentive && !sbi_is_entry(call->vcpu->capsule, resume))
        return SBI_ERR_INVALID_ADDRESS;
    return sbi_hsm_suspend(call->vcpu, &(struct suspend){
                                           .retentive = retentive,
                                           .resume = gpa(resume),
                                           .opaque = opaque,
                                       });
}

/* The registers begin anew, but what is pending, the reason to resume, stays so, and so does what
 * siblings and devices raise just now. */
static void resume_anew(struct vcpu *vcpu)
{
    struct suspend suspend = vcpu->arch.suspend;
    uint64_t timer = vcpu->arch.timer, stimecmp = vcpu->arch.supervisor.stimecmp;
    vcpu_begin(vcpu, suspend.resume, vcpu->id, suspend.opaque);
    vcpu->arch.timer = timer;
    vcpu->arch.supervisor.stimecmp = stimecmp;
}

/* It resumes at an interrupt that it has enabled, and at any IPI: that is how firmware in machine
 * mode does it, and programs that suspend with an empty `sie` count on it. What else may bring it
 * here is no reason: its capsule was paused and resumed, or a line rose that it has masked. Then it
 * waits on. */
bool sbi_hsm_enter(struct vcpu *vcpu)
{
    if (atomic_load_explicit(&vcpu->hsm, memory_order_relaxed) != HSM_SUSPENDED)
        return true;
    if (!interrupt_is_pending(vcpu) && !atomic_load(&vcpu->arch.resume)) {
        wait_to_resume(vcpu);
        return false;
    }
    if (!vcpu->arch.suspend.retentive)
        resume_anew(vcpu);
    atomic_store(&vcpu->hsm, HSM_STARTED);
    return true;
}

void sbi_hsm_leave(struct vcpu *vcpu)
{
    /* Its own doing, so nobody else changes it. */
    if (atomic_load_explicit(&vcpu->hsm, memory_order_relaxed) == HSM_STOP_PENDING)
        change_state(vcpu, HSM_STOP_PENDING, HSM_STOPPED);
}

static void handle(struct sbi_call *call)
{
    const uint64_t *args = call->args;
    switch (call->function) {
    case HART_START:
        call->error = start(call, args[0], args[1], args[2]);
        break;
    case HART_STOP:
        call->error = stop(call);
        break;
    case HART_GET_STATUS:
        call->error = status(call, args[0]);
        break;
    case HART_SUSPEND:
        call->error = suspend(call, (uint32_t)args[0], args[1], args[2]);
        break;
    default:
        call->error = SBI_ERR_NOT_SUPPORTED;
    }
}

const struct sbi_extension sbi_hsm = {
    .first = 0x48534D, .last = 0x48534D, .exit = DIOSIX_EXIT_SBI_HSM, .handle = handle};
