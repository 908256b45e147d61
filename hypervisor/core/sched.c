/* See sched.h. */
#include "sched.h"
#include "capsule.h"
#include "lock.h"
#include "log.h"
#include "port.h"
#include <stddef.h>

#define SLICES_PER_SECOND 100
#define VIRTUAL_SCALE     16 /* so that dividing by weight does not round short runs away */

static struct lock sched_lock = LOCK_INITIALIZER(LOCK_SCHED);
static struct pqueue ready;
static _Atomic unsigned ready_count; /* of the queue; a hint for those who don't hold the lock */
static uint64_t virtual_now;         /* never goes back; who wakes up is measured by it */

static uint64_t slice(void)
{
    return port_frequency() / SLICES_PER_SECOND;
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

static uint64_t virtual_ticks(const struct vcpu *vcpu, uint64_t ticks)
{
    return ticks * VIRTUAL_SCALE * CAPSULE_WEIGHT / vcpu->capsule->config.weight;
}

/* The virtual time of a running vCPU up to this instant. */
static uint64_t virtual_time_now(const struct hart *hart, uint64_t now)
{
    return hart->current->virtual_time + virtual_ticks(hart->current, now - hart->started);
}

static void charge(struct hart *hart, uint64_t now)
{
    struct vcpu *vcpu = hart->current;
    uint64_t ticks = now - hart->started;
    vcpu->run_time += ticks;
    vcpu->virtual_time += virtual_ticks(vcpu, ticks);
    hart->busy_time += ticks;
}

/* --- the ready queue --- */

/* Moves on to the one that has had least, of all that run or are ready. */
static void advance_virtual_now(uint64_t now)
{
    struct vcpu *first = vcpu_of_ready(pqueue_first(&ready));
    uint64_t least = first == NULL ? UINT64_MAX : first->virtual_time;
    for (unsigned i = 0; i < hart_count; i++)
        if (harts[i]->current != NULL && virtual_time_now(harts[i], now) < least)
            least = virtual_time_now(harts[i], now);
    if (least != UINT64_MAX && least > virtual_now)
        virtual_now = least;
}

/* Sleeping earns a credit of one slice and no more: so one that has had less than its share runs
 * at once, and one that slept for long locks nobody out. */
static void join_ready(struct vcpu *vcpu, uint64_t now)
{
    uint64_t credit = slice() * VIRTUAL_SCALE;
    advance_virtual_now(now);
    if (virtual_now > credit && vcpu->virtual_time < virtual_now - credit)
        vcpu->virtual_time = virtual_now - credit;
    vcpu->run = VCPU_READY;
    vcpu->ready_since = now;
    pqueue_insert(&ready, &vcpu->ready, vcpu->virtual_time);
    atomic_store(&ready_count, ready.count);
}

static void leave_ready(struct vcpu *vcpu)
{
    pqueue_remove(&ready, &vcpu->ready);
    atomic_store(&ready_count, ready.count);
}

/* --- sleeping --- */

static void update_first_deadline(struct hart *hart)
{
    struct pqueue_node *first = pqueue_first(&hart->sleepers);
    atomic_store(&hart->first_deadline, first == NULL ? UINT64_MAX : first->key);
}

static void sleep_until(struct vcpu *vcpu, uint64_t deadline)
{
    vcpu->run = VCPU_WAITING;
    if (deadline == UINT64_MAX)
        return;
    pqueue_insert(&vcpu->hart->sleepers, &vcpu->sleep, deadline);
    update_first_deadline(vcpu->hart);
}

static void leave_sleepers(struct vcpu *vcpu)
{
    if (!vcpu->sleep.queued)
        return;
    pqueue_remove(&vcpu->hart->sleepers, &vcpu->sleep);
    update_first_deadline(vcpu->hart);
}

/* --- finding a hart for a vCPU that has become ready --- */

static bool is_idle(const struct hart *hart)
{
    return hart->runs_guests && atomic_load(&hart->online) && hart->current == NULL;
}

static struct hart *idle_hart(struct hart *preferred)
{
    if (preferred != NULL && is_idle(preferred))
        return preferred;
    for (unsigned i = 0; i < hart_count; i++)
        if (is_idle(harts[i]))
            return harts[i];
    return NULL;
}

/* The hart whose vCPU has had the most of its share. */
static struct hart *most_served_hart(uint64_t now)
{
    struct hart *most = NULL;
    for (unsigned i = 0; i < hart_count; i++) {
        struct hart *hart = harts[i];
        if (hart->current == NULL || atomic_load(&hart->reschedule))
            continue;
        if (most == NULL || virtual_time_now(hart, now) > virtual_time_now(most, now))
            most = hart;
    }
    return most;
}

static void kick(struct hart *hart)
{
    if (hart != port_hart())
        port_kick(hart);
}

/* An idle hart is woken. If there is none, the hart whose vCPU has had most must make room: at
 * once if it is ahead by a slice, else at the end of its slice. */
static void find_hart(struct vcpu *vcpu)
{
    struct hart *hart = idle_hart(vcpu->hart);
    if (hart != NULL) {
        kick(hart);
        return;
    }
    uint64_t now = port_time();
    hart = most_served_hart(now);
    if (hart == NULL)
        return;
    uint64_t ahead = vcpu->virtual_time + virtual_ticks(hart->current, slice());
    if (virtual_time_now(hart, now) >= ahead)
        atomic_store(&hart->reschedule, true);
    else if (atomic_load(&hart->slice_end) == UINT64_MAX)
        atomic_store(&hart->slice_end, now + slice());
    else
        return;
    if (hart == port_hart())
        sched_update_timer(hart);
    else
        port_kick(hart); /* which sets its timer anew */
}

static void wake_locked(struct vcpu *vcpu)
{
    leave_sleepers(vcpu);
    join_ready(vcpu, port_time());
    find_hart(vcpu);
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

static void leave_hart(struct hart *hart)
{
    atomic_store(&hart->reschedule, true);
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
    atomic_store(&vcpu->wake_pending, false);
    leave_hart(vcpu->hart);
}

void sched_yield_current(struct vcpu *vcpu)
{
    if (atomic_load(&ready_count) > 0)
        leave_hart(vcpu->hart);
}

void sched_wake(struct vcpu *vcpu)
{
    lock_acquire(&sched_lock);
    if (vcpu->run == VCPU_WAITING) {
        wake_locked(vcpu);
    } else if (vcpu->run == VCPU_RUNNING) {
        atomic_store(&vcpu->wake_pending, true);
        kick(vcpu->hart);
    }
    lock_release(&sched_lock);
}

/* --- capsules --- */

bool sched_halt(struct capsule *capsule)
{
    lock_acquire(&sched_lock);
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
        vcpu->run = VCPU_OFF;
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

/* --- a hart's life --- */

/* More are ready than this hart can take: an idle one may have missed it. */
static void share_the_rest(void)
{
    struct hart *idle = ready.count > 0 ? idle_hart(NULL) : NULL;
    if (idle != NULL)
        kick(idle);
}

/* Where the vCPU goes that has just left the hart. */
static void place(struct vcpu *vcpu, uint64_t now)
{
    if (vcpu->stop || vcpu->capsule->halted) {
        vcpu->run = VCPU_OFF;
    } else if (vcpu->block && !vcpu->wake_pending && !port_vcpu_has_interrupt(vcpu) &&
               vcpu->block_until > now) {
        sleep_until(vcpu, vcpu->block_until);
    } else {
        join_ready(vcpu, now);
    }
}

/* The vCPU leaves the hart. True: it was the last of a capsule that is halted. */
static bool put(struct hart *hart, struct vcpu *vcpu, uint64_t now)
{
    struct capsule *capsule = vcpu->capsule;
    advance_virtual_now(now); /* while it still counts as running */
    charge(hart, now);
    hart->current = NULL;
    atomic_store(&hart->slice_end, UINT64_MAX);
    bool quiet = --capsule->running == 0 && capsule->halted;
    place(vcpu, now);
    return quiet;
}

/* The vCPU that has had least comes to the hart; NULL: none is ready. */
static struct vcpu *take(struct hart *hart, uint64_t now)
{
    struct vcpu *vcpu = hart->runs_guests ? vcpu_of_ready(pqueue_first(&ready)) : NULL;
    if (vcpu == NULL)
        return NULL;
    leave_ready(vcpu);
    vcpu->steal_time += now - vcpu->ready_since;
    vcpu->run = VCPU_RUNNING;
    vcpu->hart = hart;
    vcpu->stop = vcpu->block = false;
    atomic_store(&vcpu->wake_pending, false);
    vcpu->capsule->running++;
    hart->current = vcpu;
    hart->started = now;
    atomic_store(&hart->slice_end, ready.count > 0 ? now + slice() : UINT64_MAX);
    return vcpu;
}

/* Puts back the vCPU that was on the hart, if any, and chooses the next. */
static struct vcpu *change(struct hart *hart, struct vcpu *previous)
{
    lock_acquire(&sched_lock);
    uint64_t now = port_time();
    bool quiet = previous != NULL && put(hart, previous, now);
    if (quiet) { /* its end comes first: it may make others ready, or itself again */
        lock_release(&sched_lock);
        capsule_quiescent(previous->capsule);
        lock_acquire(&sched_lock);
        now = port_time();
    }
    atomic_store(&hart->reschedule, false);
    wake_expired(hart, now);
    struct vcpu *next = take(hart, now);
    share_the_rest();
    lock_release(&sched_lock);
    return next;
}

void sched_run(struct hart *hart)
{
    struct vcpu *vcpu = NULL;
    atomic_store(&hart->online, true);
    for (;;) {
        vcpu = change(hart, vcpu);
        if (vcpu == NULL) {
            sched_set_guest_timer(hart, UINT64_MAX);
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
    if (atomic_load(&hart->first_deadline) > now && atomic_load(&hart->slice_end) > now)
        return;
    lock_acquire(&sched_lock);
    wake_expired(hart, now);
    if (atomic_load(&hart->slice_end) <= now) {
        atomic_store(&hart->slice_end, UINT64_MAX);
        leave_hart(hart);
    }
    lock_release(&sched_lock);
}

void sched_update_timer(struct hart *hart)
{
    uint64_t first = hart->guest_deadline;
    uint64_t slice_end = atomic_load(&hart->slice_end);
    uint64_t sleeper = atomic_load(&hart->first_deadline);
    if (slice_end < first)
        first = slice_end;
    if (sleeper < first)
        first = sleeper;
    port_set_timer(first);
}

void sched_set_guest_timer(struct hart *hart, uint64_t deadline)
{
    hart->guest_deadline = deadline;
    sched_update_timer(hart);
}
