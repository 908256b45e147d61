/*
 * The scheduler: vCPUs of all capsules share all harts, fairly by weight, preemptively.
 *
 * One queue orders the ready vCPUs by virtual run time (time run, divided by weight), one orders
 * the waiting ones by deadline. A hart takes the vCPU that has run least. There is no periodic
 * tick: a hart's timer is set to the earliest of the end of its slice (only when somebody waits
 * for a hart), its guest's own timer, and the first sleeper's deadline.
 * Everything here is guarded by one lock, LOCK_SCHED; docs/architecture.md has the policy.
 */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include "hart.h"
#include "vcpu.h"

/* A hart's life: chooses, runs, puts back; sleeps when there is nothing to do. */
__attribute__((noreturn)) void sched_run(struct hart *hart);

/* Makes an off vCPU ready. Any hart, holding at most LOCK_CAPSULE. */
void sched_start(struct vcpu *vcpu);
/* The running vCPU, on its own hart, is to take no further part once it leaves the hart. */
void sched_stop_current(struct vcpu *vcpu);
/* The running vCPU, on its own hart, is to wait until woken or `deadline` (ticks) once it has
 * left the hart. If a wake comes first, or an interrupt is pending for it, it does not wait. */
void sched_block_current(struct vcpu *vcpu, uint64_t deadline);
/* The running vCPU gives its hart to others that are ready, if there are any. */
void sched_yield_current(struct vcpu *vcpu);
/* Something that the vCPU may be waiting for has happened: it becomes ready if it waits; if it
 * runs on another hart, that hart is kicked so that it sees it. Any hart; takes LOCK_SCHED. */
void sched_wake(struct vcpu *vcpu);

/* Is it time for the running vCPU to leave this hart? Cheap; asked after each exit. */
static inline bool sched_must_leave(const struct hart *hart)
{
    return atomic_load_explicit(&hart->reschedule, memory_order_relaxed);
}
/* The hart's timer has fired: wakes sleepers whose deadline has passed, ends a slice that is over. */
void sched_timer(struct hart *hart);
/* Sets this hart's timer to the earliest thing it must not miss. `guest_deadline` is the running
 * vCPU's own timer where the hardware has none for guests; UINT64_MAX else. */
void sched_set_timer(struct hart *hart, uint64_t guest_deadline);

/* Takes all of a capsule's vCPUs out of the scheduler. True: none runs any more. False: some hart
 * still has to leave it; the last one to do so calls capsule_quiescent(). */
bool sched_halt(struct capsule *capsule);
/* Lets a capsule halted before take part again: every vCPU whose HSM state is not stopped
 * becomes ready. */
void sched_release(struct capsule *capsule);

#endif
