/*
 * The scheduler: vCPUs of all capsules share all harts, fairly by weight, preemptively.
 *
 * A queue for each set of harts orders the vCPUs that are ready for these by virtual run time (time
 * run, divided by weight); a hart takes the vCPU that has run least, of all sets that it is in.
 * Those that wait are kept, by deadline, at the hart they ran on.
 * There is no periodic tick: a hart's timer is set to the earliest of the end of its slice (only
 * when somebody waits for a hart), its guest's own timer, and the first sleeper's deadline.
 * Everything here is guarded by one lock, LOCK_SCHED; docs/scheduling.md has the policy.
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
/* The running vCPU, on its own hart, is to wait until woken, `deadline` (ticks) or its own timer
 * once it has left the hart. If a wake comes first, or an interrupt is pending for it, it does not
 * wait. Who then looks whether it should, makes a full fence before. */
void sched_block_current(struct vcpu *vcpu, uint64_t deadline);
/* The running vCPU gives its hart to others that are ready, if there are any. */
void sched_yield_current(struct vcpu *vcpu);
/* The running vCPU waits for what another one may have to do first: if any are ready, it sleeps for
 * 1 ms at most, as if blocked. (Behind a vCPU that has had more, one that only
 * yields would come back at once, and so would all others that wait like it.) */
void sched_pause_current(struct vcpu *vcpu);
/* Something that the vCPU may be waiting for has happened: it becomes ready if it waits; if it
 * runs on another hart, that hart is kicked so that it sees it. Any hart; takes LOCK_SCHED. */
void sched_wake(struct vcpu *vcpu);

/* The running vCPU waits, on its own hart. If nobody else wants the hart, it may do so without
 * leaving it: then this is true, and until sched_rest_end() the hart counts as idle and the vCPU as
 * waiting. The caller idles, and after each interrupt asks whether the vCPU may still rest. */
bool sched_rest_begin(struct hart *hart);
bool sched_may_rest(const struct hart *hart);
void sched_rest_end(struct hart *hart);

/* Is it time for the running vCPU to leave this hart? Cheap; asked after each exit. */
static inline bool sched_must_leave(const struct hart *hart)
{
    return atomic_load_explicit(&hart->reschedule, memory_order_relaxed);
}
/* The hart's timer has fired: wakes sleepers whose deadline has passed, ends a slice that is over.
 */
void sched_timer(struct hart *hart);
/* Sets this hart's timer to the earliest thing that it must not miss. On the hart itself. */
void sched_update_timer(struct hart *hart);
/* The same, but if it is set to an earlier time, it stays so, for less work: it fires in vain once,
 * and is updated then. */
void sched_advance_timer(struct hart *hart);
/* That, with a new deadline of the running guest's own timer, where the hardware has none for
 * guests; UINT64_MAX none. */
void sched_set_guest_timer(struct hart *hart, uint64_t deadline);

/* How long the vCPU has been in each state (VCPU_*), in ticks, up to now. Returns now. Any hart,
 * holding at most LOCK_CAPSULE, which keeps the vCPU there; takes LOCK_SCHED. */
uint64_t sched_times(const struct vcpu *vcpu, uint64_t times[DIOSIX_VCPU_STATES]);

/* What a hart does, and for how long: all of *stats but `id`, `online` and `runs_guests`. Any hart,
 * as above. */
void sched_hart_stats(const struct hart *hart, struct diosix_hart_stats *stats);

/* Takes all of a capsule's vCPUs out of the scheduler. True: none runs any more. False: some hart
 * still has to leave it; the last one to do so calls capsule_quiescent(). */
bool sched_halt(struct capsule *capsule);
/* Is it halted, with none of its vCPUs on a hart? */
bool sched_is_quiet(struct capsule *capsule);
/* Lets a capsule halted before take part again: every vCPU whose HSM state is not stopped
 * becomes ready (one that was waiting finds out by itself that it still has to). */
void sched_release(struct capsule *capsule);

#endif
