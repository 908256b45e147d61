/* Choosing: what a hart does next. See sched.h and sched_parts.h. */
#include "sched_parts.h"

struct lock sched_lock = LOCK_INITIALIZER(LOCK_SCHED);
volatile unsigned sched_ready_total, sched_called_total;

__attribute__((noinline)) uint64_t sched_shorter_slice(uint64_t weight)
{
    uint64_t whole = slice();
    unsigned waiting = ready_count() / hart_count; /* for each hart */
    if (weight < CAPSULE_WEIGHT)
        whole = whole * weight / CAPSULE_WEIGHT;
    if (waiting > SHORTER_BEHIND)
        whole = whole * SHORTER_BEHIND / waiting;
    return whole < least_slice() ? least_slice() : whole;
}

static void leave_ready(struct vcpu *vcpu)
{
    sched_ready_total--;
    pqueue_remove(&set_of(vcpu)->ready, &vcpu->ready);
}

/* --- capsules: asked seldom, so small rather than fast --- */

__attribute__((cold)) bool sched_halt(struct capsule *capsule)
{
    lock_acquire(&sched_lock);
    uint64_t now = port_time();
    capsule->halted = true;
    for (unsigned i = 0; i < capsule->vcpu_count; i++) {
        struct vcpu *vcpu = capsule->vcpus[i];
        if (vcpu->run == VCPU_RUNNING) {
            leave_hart(vcpu->hart);
            sched_kick(vcpu->hart);
            continue;
        }
        sched_leave_sleepers(vcpu);
        if (vcpu->run == VCPU_READY)
            leave_ready(vcpu);
        set_state(vcpu, vcpu->run, VCPU_OFF, now);
    }
    bool quiet = capsule->running == 0;
    lock_release(&sched_lock);
    return quiet;
}

bool sched_is_quiet(struct capsule *capsule)
{
    lock_acquire(&sched_lock);
    bool quiet = capsule->halted && capsule->running == 0;
    lock_release(&sched_lock);
    return quiet;
}

__attribute__((cold)) void sched_release(struct capsule *capsule)
{
    lock_acquire(&sched_lock);
    capsule->halted = false;
    for (unsigned i = 0; i < capsule->vcpu_count; i++)
        if (atomic_load(&capsule->vcpus[i]->hsm) != HSM_STOPPED)
            sched_wake_locked(capsule->vcpus[i]);
    lock_release(&sched_lock);
}

__attribute__((cold)) uint64_t sched_times(const struct vcpu *vcpu,
                                           uint64_t times[DIOSIX_VCPU_STATES])
{
    lock_acquire(&sched_lock);
    uint64_t now = port_time();
    for (unsigned state = 0; state < DIOSIX_VCPU_STATES; state++)
        times[state] = vcpu->times[state];
    if (now > vcpu->since)
        times[vcpu_state(vcpu)] += now - vcpu->since;
    lock_release(&sched_lock);
    return now;
}

__attribute__((cold)) void sched_hart_stats(const struct hart *hart,
                                            struct diosix_hart_stats *stats)
{
    lock_acquire(&sched_lock);
    const struct vcpu *current = hart->current;
    stats->now = port_time();
    stats->busy_time = hart->busy_time;
    stats->capsule = stats->vcpu = DIOSIX_NOTHING;
    if (!is_free(hart)) {
        if (stats->now > hart->started)
            stats->busy_time += stats->now - hart->started;
        stats->capsule = (unsigned)current->capsule->id;
        stats->vcpu = current->id;
    }
    stats->switches = hart->switches;
    stats->kicks = hart->kicks;
    stats->timers = __atomic_load_n(&hart->timers, __ATOMIC_RELAXED);
    lock_release(&sched_lock);
}

/* --- a hart's life --- */

static int places(const struct vcpu *vcpu)
{
    return __builtin_popcountl(set_of(vcpu)->harts);
}

static bool can_go_elsewhere(const struct vcpu *vcpu, const struct hart *hart)
{
    for (unsigned i = 0; i < hart_count; i++)
        if (harts[i] != hart && placement_has(set_of(vcpu), i) && is_idle(harts[i]))
            return true;
    return false;
}

/* Of two sets' firsts, does this one come to the hart before that one? If the one with more places
 * to go to finds an idle one among them, the other does. */
static bool comes_before(const struct vcpu *this, const struct vcpu *that, const struct hart *hart)
{
    const struct vcpu *wider = places(this) > places(that) ? this : that;
    if (can_go_elsewhere(wider, hart))
        return this != wider;
    return comparable(this) < comparable(that);
}

/* The clocks of sets that seldom met may have gone different ways: the slower one is moved on, so
 * that who is ahead has to wait for a bounded time only. */
static void bring_together(struct vcpu *a, struct vcpu *b)
{
    struct vcpu *behind = comparable(a) < comparable(b) ? a : b;
    uint64_t distance = comparable(behind == a ? b : a) - comparable(behind);
    if (distance > longest_stride())
        set_of(behind)->offset += distance - longest_stride();
}

/* The one of a set that has had least, if the set's may run on the hart. */
static struct vcpu *first_for(const struct hart *hart, const struct hart_set *set)
{
    return placement_has(set, hart->index) ? vcpu_of_ready(pqueue_first(&set->ready)) : NULL;
}

/* Of this one and those of more sets. */
__attribute__((noinline)) static struct vcpu *
choose_among(struct vcpu *chosen, const struct hart_set *set, const struct hart *hart)
{
    for (; set != NULL; set = set->next) {
        struct vcpu *first = first_for(hart, set);
        if (first == NULL)
            continue;
        bring_together(chosen, first);
        if (comes_before(first, chosen, hart))
            chosen = first;
    }
    return chosen;
}

/* The vCPU that has had least, of those that may run on the hart; NULL: none is ready. */
static struct vcpu *choose(const struct hart *hart)
{
    const struct hart_set *set = &placement_shared;
    struct vcpu *first;
    if (ready_count() == 0)
        return NULL;
    while ((first = first_for(hart, set)) == NULL)
        if ((set = set->next) == NULL)
            return NULL;
    return set->next == NULL ? first : choose_among(first, set->next, hart);
}

/* An idle hart takes what waits; if there is none, no hart's slice may be endless. */
static void share_set(const struct hart_set *set, uint64_t now)
{
    for (unsigned i = 0; i < hart_count; i++) {
        if (!placement_has(set, i))
            continue;
        if (is_idle(harts[i])) {
            sched_call(harts[i]);
            return;
        }
        if (!is_free(harts[i]) && slice_end(harts[i]) == UINT64_MAX)
            sched_make_room(harts[i], now + slice_of(harts[i]->current), now);
    }
}

/* More are ready than this hart can take: others may have missed it. */
static void share_the_rest(uint64_t now)
{
    for (const struct hart_set *set = &placement_shared; set != NULL; set = set->next)
        if (set->ready.count > 0)
            share_set(set, now);
}

/* One that can't use its share, because it runs all the time and that is less, keeps a bounded
 * claim; one that yields goes behind the next. */
static void resched_join_ready(struct hart *hart, struct vcpu *vcpu, uint64_t now)
{
    struct vcpu *first = vcpu_of_ready(pqueue_first(&set_of(vcpu)->ready));
    struct vcpu *next = vcpu->yield ? choose(hart) : NULL;
    if (first != NULL && vcpu->virtual_time + longest_stride() < first->virtual_time)
        vcpu->virtual_time = first->virtual_time - longest_stride();
    if (next != NULL && comparable(vcpu) <= comparable(next))
        vcpu->virtual_time += comparable(next) - comparable(vcpu) + 1;
    sched_join_ready(vcpu, now);
}

/* Where the vCPU goes that has just left the hart. */
static void place(struct hart *hart, struct vcpu *vcpu, uint64_t now)
{
    uint64_t own = port_vcpu_wakes_at(vcpu);
    uint64_t until = own < vcpu->block_until ? own : vcpu->block_until;
    if (vcpu->stop || vcpu->capsule->halted) {
        set_state(vcpu, VCPU_RUNNING, VCPU_OFF, now);
    } else if (vcpu->block && until > now &&
               !atomic_load_explicit(&vcpu->wake_pending, memory_order_relaxed)) {
        set_state(vcpu, VCPU_RUNNING, VCPU_WAITING, now);
        sched_sleep_until(vcpu, until);
    } else {
        if (sched_must_leave(hart) && !vcpu->block && !vcpu->yield)
            vcpu_count(&vcpu->counts.preemptions);
        resched_join_ready(hart, vcpu, now);
    }
}

/* The vCPU leaves the hart. True: it was the last of a capsule that is halted. */
static bool put(struct hart *hart, struct vcpu *vcpu, uint64_t now)
{
    struct capsule *capsule = vcpu->capsule;
    if (capsule->set->ready.count == 0) /* else somebody else knows what time it is */
        sched_advance_virtual_now(capsule->set, sched_least_of_running(capsule->set, now));
    charge(hart, now);
    hart->current = NULL;
    end_slice_at(hart, UINT64_MAX);
    bool quiet = --capsule->running == 0 && capsule->halted;
    place(hart, vcpu, now);
    trace_note(DIOSIX_TRACE_LEAVE, vcpu, 0, vcpu->run);
    return quiet;
}

/* As choose(), but of those whose capsule has time left. */
static struct vcpu *choose_allowed(const struct hart *hart, uint64_t now)
{
    struct vcpu *vcpu;
    while ((vcpu = choose(hart)) != NULL && !cap_allows(vcpu->capsule, now)) {
        leave_ready(vcpu);
        sched_sleep_capped(vcpu, now);
    }
    return vcpu;
}

static bool somebody_waits(const struct hart *hart)
{
    const struct hart_set *set = &placement_shared;
    while (set != NULL && (set->ready.count == 0 || !placement_has(set, hart->index)))
        set = set->next;
    return set != NULL;
}

/* Without a cap and with nobody waiting, it may stay for ever. */
static void begin_slice(struct hart *hart, struct vcpu *vcpu, bool some_ready, uint64_t now)
{
    hart->started = now;
    if (vcpu->capsule->config.cap == 0 && !(some_ready && somebody_waits(hart)))
        return;
    hart->granted = cap_take(vcpu->capsule, slice_of(vcpu));
    end_slice_at(hart, now + hart->granted);
}

/* The vCPU that has had least comes to the hart; NULL: none is ready. */
static struct vcpu *take(struct hart *hart, uint64_t now)
{
    struct vcpu *vcpu = hart->runs_guests ? choose_allowed(hart, now) : NULL;
    if (vcpu == NULL)
        return NULL;
    leave_ready(vcpu);
    set_state(vcpu, VCPU_READY, VCPU_RUNNING, now);
    vcpu_count(&vcpu->counts.switches);
    if (vcpu->hart != hart) {
        if (vcpu->hart != NULL)
            vcpu_count(&vcpu->counts.migrations);
        vcpu->hart = hart;
    }
    vcpu->stop = vcpu->block = vcpu->yield = false;
    atomic_store_explicit(&vcpu->wake_pending, false, memory_order_relaxed);
    vcpu->capsule->running++;
    hart->current = vcpu;
    hart->switches++;
    trace_note(DIOSIX_TRACE_ENTER, vcpu, 0, 0);
    return vcpu;
}

/* Puts back the vCPU that was on the hart, if any, and chooses the next. */
static struct vcpu *change(struct hart *hart, struct vcpu *previous)
{
    struct capsule *left = previous == NULL ? NULL : previous->capsule;
    lock_acquire(&sched_lock);
    uint64_t now = port_time();
    bool quiet = previous != NULL && put(hart, previous, now);
    if (quiet) { /* its end comes first: it may make others ready, or itself again */
        lock_release(&sched_lock);
        capsule_quiescent(left); /* somebody else may have done so by now, and freed `previous` */
        lock_acquire(&sched_lock);
        now = port_time();
    }
    sched_wake_expired(hart, now);
    sched_come(hart);
    /* It may just have called itself. */
    atomic_store_explicit(&hart->reschedule, false, memory_order_relaxed);
    struct vcpu *next = take(hart, now);
    bool some_ready = ready_count() > 0;
    if (next != NULL)
        begin_slice(hart, next, some_ready, now);
    if (some_ready)
        share_the_rest(now);
    lock_release(&sched_lock);
    return next;
}

void sched_run(struct hart *hart)
{
    struct vcpu *vcpu = NULL;
    sched_update_timer(hart); /* from here on it is known what the timer is set to */
    atomic_store(&hart->online, true);
    for (;;) {
        vcpu = change(hart, vcpu);
        if (vcpu == NULL) {
            hart->guest_deadline = UINT64_MAX;
            sched_update_timer(hart);
            port_idle();
        } else if (capsule_is_prepared(vcpu->capsule)) {
            port_vcpu_run(vcpu);
        } else {
            capsule_prepare_step(vcpu);
        }
    }
}

void sched_timer(struct hart *hart)
{
    uint64_t now = port_time();
    hart->timers++;
    if (atomic_load(&hart->first_deadline) > now && slice_end(hart) > now)
        return;
    lock_acquire(&sched_lock);
    sched_wake_expired(hart, now);
    if (slice_end(hart) <= now) {
        end_slice_at(hart, UINT64_MAX);
        leave_hart(hart);
    }
    lock_release(&sched_lock);
}

static uint64_t first_deadline(struct hart *hart)
{
    uint64_t first = hart->guest_deadline;
    uint64_t sleeper = atomic_load_explicit(&hart->first_deadline, memory_order_relaxed);
    if (slice_end(hart) < first)
        first = slice_end(hart);
    return sleeper < first ? sleeper : first;
}

void sched_update_timer(struct hart *hart)
{
    port_set_timer(first_deadline(hart));
}

void sched_advance_timer(struct hart *hart)
{
    port_advance_timer(first_deadline(hart));
}

void sched_set_guest_timer(struct hart *hart, uint64_t deadline)
{
    hart->guest_deadline = deadline;
    sched_advance_timer(hart);
}
