/*
 * vCPUs that wait: asleep, capped, or resting on a hart that idles with them; how they are woken,
 * and which hart each then goes to. See sched.h and sched_parts.h.
 */
#include "sched_parts.h"

/* --- sleeping --- */

static void update_first_deadline(struct hart *hart)
{
    struct pqueue_node *first = pqueue_first(&hart->sleepers);
    atomic_store_explicit(&hart->first_deadline, first == NULL ? UINT64_MAX : first->key,
                          memory_order_relaxed);
}

void sched_sleep_until(struct vcpu *vcpu, uint64_t deadline)
{
    if (deadline == UINT64_MAX)
        return;
    pqueue_insert(&vcpu->hart->sleepers, &vcpu->sleep, deadline);
    update_first_deadline(vcpu->hart);
}

__attribute__((noinline)) static void end_sleep(struct vcpu *vcpu)
{
    pqueue_remove(&vcpu->hart->sleepers, &vcpu->sleep);
    update_first_deadline(vcpu->hart);
}

void sched_leave_sleepers(struct vcpu *vcpu)
{
    if (vcpu->sleep.queued)
        end_sleep(vcpu);
}

/* --- finding a hart for a vCPU that has become ready --- */

/* What goes on on the harts of a set, for one that wakes up. */
struct survey {
    bool some_free;
    struct hart *most_served; /* whose vCPU has had most of its share; none that leaves anyway */
    uint64_t most, least;     /* virtual times that compare */
};

static bool suits_better(const struct hart *this, const struct hart *that,
                         const struct hart *preferred)
{
    bool is_empty = this->current == NULL;
    if (that == NULL || is_empty != (that->current == NULL))
        return that == NULL || is_empty;
    return this == preferred;
}

/* One with nothing on it before one where a vCPU rests; the preferred first. */
__attribute__((noinline)) static struct hart *find_idle(const struct hart_set *set,
                                                        const struct hart *preferred)
{
    struct hart *found = NULL;
    for (unsigned i = 0; i < hart_count; i++)
        if (placement_has(set, i) && is_idle(harts[i]) && suits_better(harts[i], found, preferred))
            found = harts[i];
    return found;
}

static inline struct survey survey(const struct hart_set *set, uint64_t now)
{
    struct survey found = {.least = UINT64_MAX};
    for (unsigned i = 0; i < hart_count; i++) {
        struct hart *hart = harts[i];
        if (!placement_has(set, i))
            continue;
        if (is_free(hart)) {
            found.some_free = true;
            continue;
        }
        uint64_t had = comparable_now(hart, now);
        if (had < found.least)
            found.least = had;
        if (had >= found.most && !sched_must_leave(hart)) {
            found.most_served = hart;
            found.most = had;
        }
    }
    return found;
}

__attribute__((noinline)) uint64_t sched_least_of_running(const struct hart_set *set, uint64_t now)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < hart_count; i++) {
        const struct hart *hart = harts[i];
        if (!placement_has(set, i) || is_free(hart))
            continue;
        uint64_t had = comparable_now(hart, now);
        if (had < least)
            least = had;
    }
    return least;
}

void sched_advance_virtual_now(struct hart_set *set, uint64_t least)
{
    struct vcpu *first = vcpu_of_ready(pqueue_first(&set->ready));
    if (first != NULL && comparable(first) < least)
        least = comparable(first);
    if (least != UINT64_MAX && least > set->virtual_now + set->offset)
        set->virtual_now = least - set->offset;
}

void sched_kick(struct hart *hart)
{
    if (hart == port_hart())
        return;
    hart->kicks += !is_free(hart);
    port_kick(hart);
}

__attribute__((noinline)) void sched_call(struct hart *hart)
{
    hart->called = true;
    sched_called_total++;
    leave_hart(hart);
    sched_kick(hart);
}

void sched_come(struct hart *hart)
{
    if (!hart->called)
        return;
    hart->called = false;
    sched_called_total--;
}

void sched_sleep_capped(struct vcpu *vcpu, uint64_t now)
{
    for (unsigned i = 0; vcpu->hart == NULL; i++) /* it is new; at least one hart is there */
        vcpu->hart = atomic_load(&harts[i]->online) ? harts[i] : NULL;
    set_state(vcpu, vcpu->run, VCPU_CAPPED, now);
    sched_sleep_until(vcpu, vcpu->capsule->period_end);
    if (vcpu->hart == port_hart())
        sched_advance_timer(vcpu->hart);
    else
        sched_kick(vcpu->hart);
}

void sched_make_room(struct hart *hart, uint64_t end, uint64_t now)
{
    if (end >= slice_end(hart))
        return;
    end_slice_at(hart, end);
    if (end <= now)
        leave_hart(hart);
    if (hart == port_hart())
        port_advance_timer(end);
    else
        sched_kick(hart); /* it sets its timer anew, or leaves */
}

/* Sleeping earns a credit of one slice and no more: so one that has had less than its share runs
 * at once, and one that slept for long locks nobody out. `least` is of those that run. */
static void bound_credit(struct vcpu *vcpu, uint64_t least)
{
    struct hart_set *set = set_of(vcpu);
    uint64_t credit = slice() * VIRTUAL_SCALE;
    sched_advance_virtual_now(set, least);
    if (set->virtual_now > credit && vcpu->virtual_time < set->virtual_now - credit)
        vcpu->virtual_time = set->virtual_now - credit;
}

__attribute__((noinline)) void sched_join_ready(struct vcpu *vcpu, uint64_t now)
{
    set_state(vcpu, vcpu->run, VCPU_READY, now);
    sched_ready_total++;
    pqueue_insert(&set_of(vcpu)->ready, &vcpu->ready, vcpu->virtual_time);
}

/* It goes to an idle hart; if there is none, the hart whose vCPU has had most must make room. If it
 * has had less than that one, it goes first, but not before that one has had a least slice, lest
 * they do nothing but change places. Else it waits for the end of a slice. */
void sched_wake_locked(struct vcpu *vcpu)
{
    uint64_t now = port_time();
    sched_leave_sleepers(vcpu);
    if (!cap_allows(vcpu->capsule, now)) {
        sched_sleep_capped(vcpu, now);
        return;
    }
    trace_note(DIOSIX_TRACE_WAKE, vcpu, 0, vcpu->hart == NULL ? 0 : vcpu->hart->index);
    struct survey there = survey(set_of(vcpu), now);
    bound_credit(vcpu, there.least);
    sched_join_ready(vcpu, now);
    struct hart *idle = there.some_free ? find_idle(set_of(vcpu), vcpu->hart) : NULL;
    if (idle != NULL)
        sched_call(idle);
    else if (there.most_served != NULL)
        sched_make_room(there.most_served,
                        comparable(vcpu) < there.most ? there.most_served->started + least_slice()
                                                      : now + slice_of(there.most_served->current),
                        now);
}

void sched_wake_expired(struct hart *hart, uint64_t now)
{
    struct vcpu *vcpu;
    while ((vcpu = vcpu_of_sleep(pqueue_first(&hart->sleepers))) != NULL && vcpu->sleep.key <= now)
        sched_wake_locked(vcpu);
}

/* --- what a vCPU and others ask --- */

void sched_start(struct vcpu *vcpu)
{
    lock_acquire(&sched_lock);
    if (vcpu->run == VCPU_OFF && !vcpu->capsule->halted)
        sched_wake_locked(vcpu);
    else if (vcpu->run == VCPU_RUNNING)
        vcpu->stop = false; /* started again before it had left its hart */
    lock_release(&sched_lock);
}

/* What a running vCPU asks for itself is its own hart's business until it leaves it. */
void sched_stop_current(struct vcpu *vcpu)
{
    vcpu->stop = true;
    leave_hart(vcpu->hart);
}

void sched_block_current(struct vcpu *vcpu, uint64_t deadline)
{
    vcpu->block = true;
    vcpu->block_until = deadline;
    atomic_store_explicit(&vcpu->wake_pending, false, memory_order_relaxed);
    leave_hart(vcpu->hart);
}

void sched_pause_current(struct vcpu *vcpu)
{
    if (ready_count() > 0)
        sched_block_current(vcpu, port_time() + least_slice());
}

void sched_yield_current(struct vcpu *vcpu)
{
    if (ready_count() == 0)
        return;
    vcpu->yield = true;
    leave_hart(vcpu->hart);
}

void sched_wake(struct vcpu *vcpu)
{
    lock_acquire(&sched_lock);
    if (vcpu->run == VCPU_WAITING) {
        sched_wake_locked(vcpu);
    } else if (vcpu->run == VCPU_RUNNING) {
        atomic_store(&vcpu->wake_pending, true);
        if (vcpu->hart != port_hart())
            port_kick(vcpu->hart);
    }
    lock_release(&sched_lock);
}

/* --- resting: waiting without leaving the hart --- */

/* Nobody wants this hart: for all that are ready, others have been called. */
bool sched_may_rest(const struct hart *hart)
{
    return ready_count() <= called_count() && !sched_must_leave(hart);
}

/* One that rests and wakes up many times in a least slice need not look each time what others have
 * had meanwhile: it is no more than that. */
static bool is_time_to_look(struct hart *hart, bool begins, uint64_t now)
{
    if (now < hart->next_look[begins])
        return false;
    hart->next_look[begins] = now + least_slice();
    return true;
}

/* With a slice that ends, somebody waits for the hart, or its capsule has a cap: what it has taken
 * from its budget must be given back. */
bool sched_rest_begin(struct hart *hart)
{
    struct vcpu *vcpu = hart->current;
    lock_acquire(&sched_lock);
    bool rests = sched_may_rest(hart) && slice_end(hart) == UINT64_MAX;
    if (rests) {
        uint64_t now = port_time();
        if (is_time_to_look(hart, true, now))
            sched_advance_virtual_now(set_of(vcpu), sched_least_of_running(set_of(vcpu), now));
        charge(hart, now);
        account(vcpu, VCPU_RUNNING, now);
        vcpu->resting = true;
        trace_note(DIOSIX_TRACE_LEAVE, vcpu, 0, VCPU_WAITING);
    }
    lock_release(&sched_lock);
    return rests;
}

/* A hart that was called while it looked idle has `reschedule` set, and its vCPU leaves it. */
void sched_rest_end(struct hart *hart)
{
    struct vcpu *vcpu = hart->current;
    lock_acquire(&sched_lock);
    uint64_t now = port_time();
    account(vcpu, VCPU_WAITING, now);
    if (is_time_to_look(hart, false, now))
        bound_credit(vcpu, sched_least_of_running(set_of(vcpu), now));
    hart->started = now;
    vcpu->resting = false;
    trace_note(DIOSIX_TRACE_ENTER, vcpu, 0, 0);
    lock_release(&sched_lock);
}
