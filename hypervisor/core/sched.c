/* See sched.h. */
#include "sched.h"
#include "cap.h"
#include "capsule.h"
#include "lock.h"
#include "placement.h"
#include "port.h"
#include <stddef.h>

#define SLICES_PER_SECOND 100
#define LEAST_PER_SECOND  1000 /* as long may each run before it must make room */
#define SHORTER_BEHIND    8    /* slices are whole until as many wait for each hart */
#define VIRTUAL_SCALE     16   /* so that dividing by weight does not round short runs away */

static struct lock sched_lock = LOCK_INITIALIZER(LOCK_SCHED);
/* Hints for those who don't hold the lock: vCPUs that are ready, of all sets; harts called for
 * some. Not _Atomic, for that makes gcc 12 exchange where a store would do. */
static volatile unsigned ready_total, called_total;

static unsigned ready_count(void)
{
    return ready_total;
}

static uint64_t slice(void)
{
    return port_frequency() / SLICES_PER_SECOND;
}

static uint64_t least_slice(void)
{
    return port_frequency() / LEAST_PER_SECOND;
}

__attribute__((noinline)) static uint64_t shorter_slice(uint64_t weight)
{
    uint64_t whole = slice();
    unsigned waiting = ready_count() / hart_count; /* for each hart */
    if (weight < CAPSULE_WEIGHT)
        whole = whole * weight / CAPSULE_WEIGHT;
    if (waiting > SHORTER_BEHIND)
        whole = whole * SHORTER_BEHIND / waiting;
    return whole < least_slice() ? least_slice() : whole;
}

/* Light ones get shorter slices: they have to wait long for the next. So do all when many wait, for
 * one of those may hold what the others spin for. */
static uint64_t slice_of(const struct vcpu *vcpu)
{
    uint64_t weight = vcpu->capsule->config.weight;
    bool is_whole = weight >= CAPSULE_WEIGHT && ready_count() <= SHORTER_BEHIND;
    return is_whole ? slice() : shorter_slice(weight);
}

static struct vcpu *vcpu_of_ready(struct pqueue_node *node)
{
    return node == NULL ? NULL : (struct vcpu *)((char *)node - offsetof(struct vcpu, ready));
}

static struct vcpu *vcpu_of_sleep(struct pqueue_node *node)
{
    return node == NULL ? NULL : (struct vcpu *)((char *)node - offsetof(struct vcpu, sleep));
}

/* --- virtual time --- */

static struct hart_set *set_of(const struct vcpu *vcpu)
{
    return vcpu->capsule->set;
}

static uint64_t virtual_ticks(const struct vcpu *vcpu, uint64_t ticks)
{
    return ticks * VIRTUAL_SCALE * CAPSULE_WEIGHT / vcpu->capsule->config.weight;
}

/* The most that one slice can be of virtual time: of the least weight, 1. */
static uint64_t longest_stride(void)
{
    return least_slice() * VIRTUAL_SCALE * CAPSULE_WEIGHT;
}

/* As it compares with the vCPUs of other sets. */
static uint64_t comparable(const struct vcpu *vcpu)
{
    return vcpu->virtual_time + set_of(vcpu)->offset;
}

/* The same of the one that runs there, up to this instant. */
static uint64_t comparable_now(const struct hart *hart, uint64_t now)
{
    return comparable(hart->current) + virtual_ticks(hart->current, now - hart->started);
}

/* Since the last change it was in this state. Harts' clocks may differ by a little. */
static void account(struct vcpu *vcpu, enum vcpu_run state, uint64_t now)
{
    if (now > vcpu->since) {
        vcpu->times[state] += now - vcpu->since;
        vcpu->since = now;
    }
}

/* From what it is, which most callers know without a look. */
static void set_state(struct vcpu *vcpu, enum vcpu_run from, enum vcpu_run to, uint64_t now)
{
    account(vcpu, from, now);
    vcpu->run = to;
}

static void charge(struct hart *hart, uint64_t now)
{
    struct vcpu *vcpu = hart->current;
    uint64_t ticks = now - hart->started;
    vcpu->virtual_time += virtual_ticks(vcpu, ticks);
    hart->busy_time += ticks;
    cap_settle(vcpu->capsule, hart->granted, ticks);
}

/* --- the ready queues --- */

static void join_ready(struct vcpu *vcpu, uint64_t now)
{
    set_state(vcpu, vcpu->run, VCPU_READY, now);
    ready_total++;
    pqueue_insert(&set_of(vcpu)->ready, &vcpu->ready, vcpu->virtual_time);
}

static void leave_ready(struct vcpu *vcpu)
{
    ready_total--;
    pqueue_remove(&set_of(vcpu)->ready, &vcpu->ready);
}

/* --- sleeping --- */

static void update_first_deadline(struct hart *hart)
{
    struct pqueue_node *first = pqueue_first(&hart->sleepers);
    atomic_store_explicit(&hart->first_deadline, first == NULL ? UINT64_MAX : first->key,
                          memory_order_relaxed);
}

static void sleep_until(struct vcpu *vcpu, uint64_t deadline)
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

static void leave_sleepers(struct vcpu *vcpu)
{
    if (vcpu->sleep.queued)
        end_sleep(vcpu);
}

/* --- finding a hart for a vCPU that has become ready --- */

/* Does nothing run there? A vCPU that rests makes room at once. */
static bool is_free(const struct hart *hart)
{
    return hart->current == NULL || hart->current->resting;
}

static bool is_idle(const struct hart *hart)
{
    return hart_takes_guests(hart) && is_free(hart) && !hart->called;
}

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

/* The least that one of those that run on the harts of a set has had. */
static uint64_t least_of_running(const struct hart_set *set, uint64_t now)
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

/* Moves a set's clock on to the one that has had least, of those that a new one competes with:
 * those that run, and those that are ready. */
static void advance_virtual_now(struct hart_set *set, uint64_t least)
{
    struct vcpu *first = vcpu_of_ready(pqueue_first(&set->ready));
    if (first != NULL && comparable(first) < least)
        least = comparable(first);
    if (least != UINT64_MAX && least > set->virtual_now + set->offset)
        set->virtual_now = least - set->offset;
}

static void kick(struct hart *hart)
{
    if (hart == port_hart())
        return;
    hart->kicks += !is_free(hart);
    port_kick(hart);
}

static unsigned called_count(void)
{
    return called_total;
}

/* `reschedule` and `slice_end` of another hart are followed by a kick, which is ordered behind
 * them. */
static void leave_hart(struct hart *hart)
{
    atomic_store_explicit(&hart->reschedule, true, memory_order_relaxed);
}

static void end_slice_at(struct hart *hart, uint64_t end)
{
    atomic_store_explicit(&hart->slice_end, end, memory_order_relaxed);
}

static uint64_t slice_end(const struct hart *hart)
{
    return atomic_load_explicit(&hart->slice_end, memory_order_relaxed);
}

/* An idle hart is to take one that is ready. Until it comes, it is not called for another. */
__attribute__((noinline)) static void call(struct hart *hart)
{
    hart->called = true;
    called_total++;
    leave_hart(hart);
    kick(hart);
}

static void come(struct hart *hart)
{
    if (!hart->called)
        return;
    hart->called = false;
    called_total--;
}

/* Its capsule has used up its time: it sleeps, whatever happens, until there is more. */
static void sleep_capped(struct vcpu *vcpu, uint64_t now)
{
    for (unsigned i = 0; vcpu->hart == NULL; i++) /* it is new; at least one hart is there */
        vcpu->hart = atomic_load(&harts[i]->online) ? harts[i] : NULL;
    set_state(vcpu, vcpu->run, VCPU_CAPPED, now);
    sleep_until(vcpu, vcpu->capsule->period_end);
    if (vcpu->hart == port_hart())
        sched_advance_timer(vcpu->hart);
    else
        kick(vcpu->hart);
}

/* Who runs there does so until then at most. */
static void make_room(struct hart *hart, uint64_t end, uint64_t now)
{
    if (end >= slice_end(hart))
        return;
    end_slice_at(hart, end);
    if (end <= now)
        leave_hart(hart);
    if (hart == port_hart())
        port_advance_timer(end);
    else
        kick(hart); /* it sets its timer anew, or leaves */
}

/* Sleeping earns a credit of one slice and no more: so one that has had less than its share runs
 * at once, and one that slept for long locks nobody out. `least` is of those that run. */
static void bound_credit(struct vcpu *vcpu, uint64_t least)
{
    struct hart_set *set = set_of(vcpu);
    uint64_t credit = slice() * VIRTUAL_SCALE;
    advance_virtual_now(set, least);
    if (set->virtual_now > credit && vcpu->virtual_time < set->virtual_now - credit)
        vcpu->virtual_time = set->virtual_now - credit;
}

/* It goes to an idle hart; if there is none, the hart whose vCPU has had most must make room. If it
 * has had less than that one, it goes first, but not before that one has had a least slice, lest
 * they do nothing but change places. Else it waits for the end of a slice. */
static void wake_locked(struct vcpu *vcpu)
{
    uint64_t now = port_time();
    leave_sleepers(vcpu);
    if (!cap_allows(vcpu->capsule, now)) {
        sleep_capped(vcpu, now);
        return;
    }
    trace_note(DIOSIX_TRACE_WAKE, vcpu, 0, vcpu->hart == NULL ? 0 : vcpu->hart->index);
    struct survey there = survey(set_of(vcpu), now);
    bound_credit(vcpu, there.least);
    join_ready(vcpu, now);
    struct hart *idle = there.some_free ? find_idle(set_of(vcpu), vcpu->hart) : NULL;
    if (idle != NULL)
        call(idle);
    else if (there.most_served != NULL)
        make_room(there.most_served,
                  comparable(vcpu) < there.most ? there.most_served->started + least_slice()
                                                : now + slice_of(there.most_served->current),
                  now);
}

static void wake_expired(struct hart *hart, uint64_t now)
{
    struct vcpu *vcpu;
    while ((vcpu = vcpu_of_sleep(pqueue_first(&hart->sleepers))) != NULL && vcpu->sleep.key <= now)
        wake_locked(vcpu);
}

/* --- what a vCPU and others ask --- */

void sched_start(struct vcpu *vcpu)
{
    lock_acquire(&sched_lock);
    if (vcpu->run == VCPU_OFF && !vcpu->capsule->halted)
        wake_locked(vcpu);
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
        wake_locked(vcpu);
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
            advance_virtual_now(set_of(vcpu), least_of_running(set_of(vcpu), now));
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
        bound_credit(vcpu, least_of_running(set_of(vcpu), now));
    hart->started = now;
    vcpu->resting = false;
    trace_note(DIOSIX_TRACE_ENTER, vcpu, 0, 0);
    lock_release(&sched_lock);
}

/* --- capsules --- */

bool sched_halt(struct capsule *capsule)
{
    lock_acquire(&sched_lock);
    uint64_t now = port_time();
    capsule->halted = true;
    for (unsigned i = 0; i < capsule->vcpu_count; i++) {
        struct vcpu *vcpu = capsule->vcpus[i];
        if (vcpu->run == VCPU_RUNNING) {
            leave_hart(vcpu->hart);
            kick(vcpu->hart);
            continue;
        }
        leave_sleepers(vcpu);
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

void sched_release(struct capsule *capsule)
{
    lock_acquire(&sched_lock);
    capsule->halted = false;
    for (unsigned i = 0; i < capsule->vcpu_count; i++)
        if (atomic_load(&capsule->vcpus[i]->hsm) != HSM_STOPPED)
            wake_locked(capsule->vcpus[i]);
    lock_release(&sched_lock);
}

uint64_t sched_times(const struct vcpu *vcpu, uint64_t times[DIOSIX_VCPU_STATES])
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

void sched_hart_stats(const struct hart *hart, struct diosix_hart_stats *stats)
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
            call(harts[i]);
            return;
        }
        if (!is_free(harts[i]) && slice_end(harts[i]) == UINT64_MAX)
            make_room(harts[i], now + slice_of(harts[i]->current), now);
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
static void rejoin_ready(struct hart *hart, struct vcpu *vcpu, uint64_t now)
{
    struct vcpu *first = vcpu_of_ready(pqueue_first(&set_of(vcpu)->ready));
    struct vcpu *next = vcpu->yield ? choose(hart) : NULL;
    if (first != NULL && vcpu->virtual_time + longest_stride() < first->virtual_time)
        vcpu->virtual_time = first->virtual_time - longest_stride();
    if (next != NULL && comparable(vcpu) <= comparable(next))
        vcpu->virtual_time += comparable(next) - comparable(vcpu) + 1;
    join_ready(vcpu, now);
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
        sleep_until(vcpu, until);
    } else {
        if (sched_must_leave(hart) && !vcpu->block && !vcpu->yield)
            vcpu_count(&vcpu->counts.preemptions);
        rejoin_ready(hart, vcpu, now);
    }
}

/* The vCPU leaves the hart. True: it was the last of a capsule that is halted. */
static bool put(struct hart *hart, struct vcpu *vcpu, uint64_t now)
{
    struct capsule *capsule = vcpu->capsule;
    if (capsule->set->ready.count == 0) /* else somebody else knows what time it is */
        advance_virtual_now(capsule->set, least_of_running(capsule->set, now));
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
        sleep_capped(vcpu, now);
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
    wake_expired(hart, now);
    come(hart);
    atomic_store_explicit(&hart->reschedule, false,
                          memory_order_relaxed); /* it may just have called itself */
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
    wake_expired(hart, now);
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
