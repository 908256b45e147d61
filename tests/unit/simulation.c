#include "simulation.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIMULATOR (-1)

struct hart *harts[HART_MAX];
unsigned hart_count;
struct guest guests[CAPSULE_MAX][CAPSULE_VCPU_MAX];

static struct hart structures[HART_MAX];
static pthread_t threads[HART_MAX];
static unsigned kicks_seen[HART_MAX];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn = SIMULATOR;
static bool ending;

bool simulation_never_rests, simulation_clocks_differ;

struct capsule_config simulation_config(unsigned cpus, unsigned weight)
{
    static const char kernel[] = "a kernel without any header, so it is a flat binary";
    struct capsule_config config = {.ram = 2 * MEGAPAGE_SIZE,
                                    .cpus = cpus,
                                    .weight = weight,
                                    .bootargs = "",
                                    .kernel = {kernel, sizeof kernel, "kernel"}};

    snprintf(config.name, sizeof config.name, "capsule%u", capsule_count);
    return config;
}

struct capsule *simulation_add(const struct capsule_config *config)
{
    struct capsule *capsule;

    if (capsule_create(config, &capsule) != OK || capsule_start(capsule) != OK)
        abort();
    for (unsigned i = 1; i < config->cpus; i++) {
        atomic_store(&capsule->vcpus[i]->hsm, HSM_STARTED);
        sched_start(capsule->vcpus[i]);
    }
    return capsule;
}

uint64_t simulation_run_time(const struct capsule *capsule)
{
    uint64_t ticks = 0;

    for (unsigned i = 0; i < capsule->vcpu_count; i++) {
        const struct vcpu *vcpu = capsule->vcpus[i];

        ticks += vcpu->times[VCPU_RUNNING];
        if (vcpu_state(vcpu) == VCPU_RUNNING)
            ticks += hosted_time - vcpu->hart->started;
    }
    return ticks;
}

static void hand_over(int to, int self)
{
    pthread_mutex_lock(&mutex);
    turn = to;
    pthread_cond_broadcast(&changed);
    while (turn != self)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    if (ending && self != SIMULATOR) {
        pthread_mutex_lock(&mutex);
        turn = SIMULATOR;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
        pthread_exit(NULL);
    }
}

/* As the RISC-V port does after an interrupt. */
static void take_interrupts(struct hart *hart)
{
    if (kicks_seen[hart->index] != hart->arch.kicks) {
        kicks_seen[hart->index] = hart->arch.kicks;
        sched_update_timer(hart);
    }
    if (hart->arch.timer <= hosted_time) {
        sched_timer(hart);
        sched_update_timer(hart);
    }
}

static struct guest *guest_of(const struct vcpu *vcpu)
{
    return &guests[vcpu->capsule->id][vcpu->id];
}

static void note_delay(struct guest *guest)
{
    uint64_t delay = hosted_time - guest->runnable_at;

    if (guest->runnable_at && delay > guest->worst_delay)
        guest->worst_delay = delay;
    guest->runnable_at = 0;
}

/* As the RISC-V port does for `wfi`: true when the wait is over, false when it must go on off the
 * hart, or did not begin. */
static bool rest(struct vcpu *vcpu, uint64_t deadline)
{
    struct hart *hart = hosted_hart;
    bool over;

    if (simulation_never_rests || !sched_rest_begin(hart))
        return false;
    guest_of(vcpu)->rests++;
    sched_set_guest_timer(hart, deadline);
    while (!(over = vcpu->arch.interrupt || hosted_time >= deadline) && sched_may_rest(hart)) {
        hand_over(SIMULATOR, hart->index);
        take_interrupts(hart);
    }
    sched_set_guest_timer(hart, UINT64_MAX);
    sched_rest_end(hart);
    return over;
}

/* The guest has done its burst. */
static void finish_burst(struct vcpu *vcpu, struct guest *guest)
{
    guest->bursts++;
    guest->left = guest->burst;
    if (guest->stops) {
        sched_stop_current(vcpu); /* as SBI's hart_stop does */
        atomic_store(&vcpu->hsm, HSM_STOPPED);
        return;
    }
    if (guest->pause == UINT64_MAX && vcpu->arch.interrupt) {
        vcpu->arch.interrupt = false; /* handled */
        return;
    }
    uint64_t deadline = guest->pause == UINT64_MAX ? UINT64_MAX : hosted_time + guest->pause;

    guest->runnable_at = deadline == UINT64_MAX ? 0 : deadline;
    if (!rest(vcpu, deadline)) {
        sched_block_current(vcpu, deadline);
        return;
    }
    if (!sched_must_leave(hosted_hart)) /* else when it next runs */
        note_delay(guest);
    if (guest->pause == UINT64_MAX)
        vcpu->arch.interrupt = false;
}

/* A guest first reaches for all of its memory. */
static void run(struct vcpu *vcpu)
{
    struct hart *hart = hosted_hart;
    struct guest *guest = guest_of(vcpu);
    struct capsule *capsule = vcpu->capsule;

    while (capsule_memory_fill(capsule, capsule->ram_base, capsule->ram_size))
        ;
    if (sched_must_leave(hart)) /* stopped meanwhile */
        return;
    guest->entries++;
    guest->harts |= UINT64_C(1) << hart->index;
    note_delay(guest);
    if (guest->pause == UINT64_MAX)
        vcpu->arch.interrupt = false;
    if (guest->left == 0)
        guest->left = guest->burst;
    sched_set_guest_timer(hart, UINT64_MAX);
    while (!sched_must_leave(hart)) {
        uint64_t before = hosted_time;

        if (guest->yields)
            sched_yield_current(vcpu);
        if (guest->spins)
            sched_pause_current(vcpu);
        hand_over(SIMULATOR, hart->index);
        take_interrupts(hart);
        uint64_t worked = hosted_time - before;

        if (guest->burst && worked >= guest->left)
            finish_burst(vcpu, guest);
        else if (guest->burst)
            guest->left -= worked;
    }
}

static void idle(void)
{
    hand_over(SIMULATOR, hosted_hart->index);
    take_interrupts(hosted_hart);
}

static void *live(void *argument)
{
    struct hart *hart = argument;

    hosted_hart = hart;
    hosted_lag = simulation_clocks_differ && hart->index != 0;
    pthread_mutex_lock(&mutex);
    while (turn != (int)hart->index)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    sched_run(hart);
}

void simulation_start(unsigned count, unsigned maintenance)
{
    hosted_run = run;
    hosted_idle = idle;
    for (unsigned i = 0; i < count; i++) {
        struct hart *hart = harts[i] = &structures[i];

        hart->index = hart->id = i;
        hart->runs_guests = i >= maintenance;
        hart->slice_end = hart->first_deadline = hart->guest_deadline = UINT64_MAX;
        hart->arch.timer = UINT64_MAX;
        if (pthread_create(&threads[i], NULL, live, hart))
            abort();
    }
    hart_count = count;
    for (unsigned i = 0; i < count; i++)
        hand_over(i, SIMULATOR);
}

static bool is_wanted(const struct hart *hart)
{
    const struct vcpu *vcpu = hart->current;
    const struct guest *guest = vcpu ? guest_of(vcpu) : NULL;

    return kicks_seen[hart->index] != hart->arch.kicks || hart->arch.timer <= hosted_time ||
           sched_must_leave(hart) || (guest && (guest->burst || guest->yields || guest->spins));
}

void simulation_run(uint64_t ticks)
{
    for (uint64_t end = hosted_time + ticks; hosted_time < end;) {
        hosted_time += SIMULATION_STEP;
        for (unsigned i = 0; i < hart_count; i++) {
            if (is_wanted(harts[i]))
                hand_over(i, SIMULATOR);
        }
    }
}

void simulation_end(void)
{
    ending = true;
    for (unsigned i = 0; i < hart_count; i++) {
        hand_over(i, SIMULATOR);
        pthread_join(threads[i], NULL);
    }
}

struct hart *simulation_hart(unsigned index)
{
    return harts[index];
}

void simulation_interrupt(struct vcpu *vcpu)
{
    struct guest *guest = guest_of(vcpu);

    vcpu->arch.interrupt = true;
    if (!guest->runnable_at && vcpu_state(vcpu) == VCPU_WAITING)
        guest->runnable_at = hosted_time;
    sched_wake(vcpu);
}
