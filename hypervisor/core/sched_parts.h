/*
 * What the two halves of the scheduler share: sched.c, which chooses what a hart does next, and
 * wake.c, which finds a hart for who is to run again. Nobody else includes this; sched.h is the
 * contract. All under LOCK_SCHED but where it says otherwise.
 */
#ifndef CORE_SCHED_PARTS_H
#define CORE_SCHED_PARTS_H

#include "cap.h"
#include "capsule.h"
#include "lock.h"
#include "placement.h"
#include "port.h"
#include "sched.h"
#include <stddef.h>

#define SLICES_PER_SECOND 100
#define LEAST_PER_SECOND  1000 /* as long may each run before it must make room */
#define SHORTER_BEHIND    8    /* slices are whole until as many wait for each hart */
#define VIRTUAL_SCALE     16   /* so that dividing by weight does not round short runs away */

extern struct lock sched_lock;
/* Hints for those who don't hold the lock: vCPUs that are ready, of all sets; harts called for
 * some. Not _Atomic, for that makes gcc 12 exchange where a store would do. */
extern volatile unsigned sched_ready_total, sched_called_total;

static inline unsigned ready_count(void)
{
    return sched_ready_total;
}

static inline uint64_t slice(void)
{
    return port_frequency() / SLICES_PER_SECOND;
}

static inline uint64_t least_slice(void)
{
    return port_frequency() / LEAST_PER_SECOND;
}

static inline unsigned called_count(void)
{
    return sched_called_total;
}

/* sched.c: as slice_of(), where it is not a whole one. */
uint64_t sched_shorter_slice(uint64_t weight);

/* Light ones get shorter slices: they have to wait long for the next. So do all when many wait, for
 * one of those may hold what the others spin for. */
static inline uint64_t slice_of(const struct vcpu *vcpu)
{
    uint64_t weight = vcpu->capsule->config.weight;
    bool is_whole = weight >= CAPSULE_WEIGHT && ready_count() <= SHORTER_BEHIND;
    return is_whole ? slice() : sched_shorter_slice(weight);
}

static inline struct vcpu *vcpu_of_ready(struct pqueue_node *node)
{
    return node == NULL ? NULL : (struct vcpu *)((char *)node - offsetof(struct vcpu, ready));
}

static inline struct vcpu *vcpu_of_sleep(struct pqueue_node *node)
{
    return node == NULL ? NULL : (struct vcpu *)((char *)node - offsetof(struct vcpu, sleep));
}

/* --- virtual time --- */

static inline struct hart_set *set_of(const struct vcpu *vcpu)
{
    return vcpu->capsule->set;
}

static inline uint64_t virtual_ticks(const struct vcpu *vcpu, uint64_t ticks)
{
    return ticks * VIRTUAL_SCALE * CAPSULE_WEIGHT / vcpu->capsule->config.weight;
}

/* The most that one slice can be of virtual time: of the least weight, 1. */
static inline uint64_t longest_stride(void)
{
    return least_slice() * VIRTUAL_SCALE * CAPSULE_WEIGHT;
}

/* As it compares with the vCPUs of other sets. */
static inline uint64_t comparable(const struct vcpu *vcpu)
{
    return vcpu->virtual_time + set_of(vcpu)->offset;
}

/* The same of the one that runs there, up to this instant. Harts' clocks may differ by a little: by
 * this one's it may begin only now. */
static inline uint64_t comparable_now(const struct hart *hart, uint64_t now)
{
    if (now < hart->started)
        now = hart->started;
    return comparable(hart->current) + virtual_ticks(hart->current, now - hart->started);
}

/* Since the last change it was in this state. By another hart's clock that may be to come. */
static inline void account(struct vcpu *vcpu, enum vcpu_run state, uint64_t now)
{
    if (now > vcpu->since) {
        vcpu->times[state] += now - vcpu->since;
        vcpu->since = now;
    }
}

/* From what it is, which most callers know without a look. */
static inline void set_state(struct vcpu *vcpu, enum vcpu_run from, enum vcpu_run to, uint64_t now)
{
    account(vcpu, from, now);
    vcpu->run = to;
}

/* What the vCPU on the hart has run since it came, or was charged last. */
static inline void charge(struct hart *hart, uint64_t now)
{
    struct vcpu *vcpu = hart->current;
    uint64_t ticks = now - hart->started;
    vcpu->virtual_time += virtual_ticks(vcpu, ticks);
    hart->busy_time += ticks;
    cap_settle(vcpu->capsule, hart->granted, ticks);
}

/* --- harts --- */

/* Does nothing run there? A vCPU that rests makes room at once. */
static inline bool is_free(const struct hart *hart)
{
    return hart->current == NULL || hart->current->resting;
}

static inline bool is_idle(const struct hart *hart)
{
    return hart_takes_guests(hart) && is_free(hart) && !hart->called;
}

/* `reschedule` and `slice_end` of another hart are followed by a kick, which is ordered behind
 * them. */
static inline void leave_hart(struct hart *hart)
{
    atomic_store_explicit(&hart->reschedule, true, memory_order_relaxed);
}

static inline void end_slice_at(struct hart *hart, uint64_t end)
{
    atomic_store_explicit(&hart->slice_end, end, memory_order_relaxed);
}

static inline uint64_t slice_end(const struct hart *hart)
{
    return atomic_load_explicit(&hart->slice_end, memory_order_relaxed);
}

/* --- wake.c --- */

/* Kicks the hart, if it is another one. */
void sched_kick(struct hart *hart);
/* An idle hart is to take one that is ready. Until it comes, it is not called for another. */
void sched_call(struct hart *hart);
void sched_come(struct hart *hart);
/* Who runs there does so until `end` at most. */
void sched_make_room(struct hart *hart, uint64_t end, uint64_t now);

/* Sleepers are kept at the hart that they ran on; UINT64_MAX: until woken. */
void sched_sleep_until(struct vcpu *vcpu, uint64_t deadline);
void sched_leave_sleepers(struct vcpu *vcpu);
/* Its capsule has used up its time: it sleeps, whatever happens, until there is more. */
void sched_sleep_capped(struct vcpu *vcpu, uint64_t now);

/* It becomes ready; and a hart hears of it. */
void sched_join_ready(struct vcpu *vcpu, uint64_t now);
void sched_wake_locked(struct vcpu *vcpu);
/* The same for those that sleep at this hart, and whose time has come. */
void sched_wake_expired(struct hart *hart, uint64_t now);

/* The least that one of those that run on the harts of a set has had, as it compares. */
uint64_t sched_least_of_running(const struct hart_set *set, uint64_t now);
/* Moves a set's clock on to the one that has had least, of those that a new one competes with:
 * those that run, `least`, and those that are ready. */
void sched_advance_virtual_now(struct hart_set *set, uint64_t least);

#endif
