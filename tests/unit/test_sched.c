/* The scheduler on simulated harts: shares, delays, idleness, wake-ups. */
#include "unit.h"
#include "snapshot.h"
#include "simulation.h"
#include "memory.h"
#include <stdlib.h>

static int setup(void **state)
{
    snapshot_setup(state);
    hosted_reset();
    simulation_never_rests = simulation_clocks_differ = false;
    hosted_add_ram(256 * MEGAPAGE_SIZE);
    return 0;
}

static struct capsule *add(unsigned cpus, unsigned weight)
{
    struct capsule_config config = simulation_config(cpus, weight);

    return simulation_add(&config);
}

/* Per ten thousand: how far a capsule's part of all time is from what it should be. */
static unsigned share_error(uint64_t ticks, uint64_t all, unsigned weight, unsigned weights)
{
    double wanted = (double)all * weight / weights;

    return (unsigned)(1e4 * (ticks > wanted ? ticks - wanted : wanted - ticks) / wanted);
}

static void check_shares(unsigned count, unsigned cpus)
{
    static const unsigned weights[] = {100, 200, 400};
    struct capsule *capsules_of[3];
    uint64_t all = 0;

    for (unsigned i = 0; i < 3; i++)
        capsules_of[i] = add(cpus, weights[i]);
    simulation_start(count, 0);
    simulation_run(10 * SECOND);
    simulation_end();
    for (unsigned i = 0; i < 3; i++)
        all += simulation_run_time(capsules_of[i]);
    /* What the harts were given, all of it but for the slices that still run. */
    assert_in_range(all, count * (10 * SECOND - 2 * SIMULATION_SLICE), count * 10 * SECOND);
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(share_error(simulation_run_time(capsules_of[i]), all, weights[i], 700), 0,
                        200);
}

static void test_shares_on_one_hart(void **state)
{
    (void)state;
    check_shares(1, 1);
}

static void test_shares_with_more_vcpus_than_harts(void **state)
{
    (void)state;
    check_shares(2, 4);
}

static void test_shares_on_many_harts(void **state)
{
    (void)state;
    check_shares(5, 8);
}

static void test_a_late_comer_gets_its_share_and_no_more(void **state)
{
    struct capsule *first = add(1, 100), *late;

    (void)state;
    simulation_start(1, 0);
    simulation_run(5 * SECOND);
    late = add(1, 100);
    uint64_t before = first->vcpus[0]->times[VCPU_RUNNING];

    simulation_run(2 * SECOND);
    simulation_end();
    assert_in_range(late->vcpus[0]->times[VCPU_RUNNING], 95 * SECOND / 100, 105 * SECOND / 100);
    assert_true(first->vcpus[0]->times[VCPU_RUNNING] - before > 0);
}

/* Two that each have a hart to themselves must both make room when a third comes. */
static void test_a_late_comer_beside_two(void **state)
{
    struct capsule *first = add(2, 100), *late;

    (void)state;
    simulation_start(2, 0);
    simulation_run(SECOND);
    uint64_t before[] = {first->vcpus[0]->times[VCPU_RUNNING],
                         first->vcpus[1]->times[VCPU_RUNNING]};

    late = add(1, 100);
    simulation_run(3 * SECOND);
    simulation_end();
    assert_in_range(late->vcpus[0]->times[VCPU_RUNNING], 19 * SECOND / 10, 21 * SECOND / 10);
    for (unsigned i = 0; i < 2; i++) /* with the second before, which is charged now */
        assert_in_range(first->vcpus[i]->times[VCPU_RUNNING] - before[i], 28 * SECOND / 10,
                        31 * SECOND / 10);
}

/* Sleeping earns no credit: after a long sleep it does not lock others out. */
static void test_a_sleeper_does_not_save_up(void **state)
{
    struct capsule *hog = add(1, 100), *sleeper = add(1, 100);
    struct guest *guest = &guests[sleeper->id][0];

    (void)state;
    *guest = (struct guest){.burst = MILLISECOND, .pause = 5 * SECOND};
    simulation_start(1, 0);
    simulation_run(4 * SECOND);
    guest->burst = 0; /* from its next burst on, it never waits again */
    simulation_run(2 * SECOND);
    uint64_t before = hog->vcpus[0]->times[VCPU_RUNNING];

    simulation_run(SECOND);
    simulation_end();
    assert_in_range(hog->vcpus[0]->times[VCPU_RUNNING] - before, 45 * SECOND / 100,
                    55 * SECOND / 100);
}

/* One that ran while nobody else wanted to owes nothing to those that come later. */
static void test_time_that_nobody_wanted_is_not_held_against_it(void **state)
{
    struct capsule *early = add(1, 100), *late;

    (void)state;
    guests[early->id][0] = (struct guest){.burst = 3 * SECOND, .pause = SECOND};
    simulation_start(1, 0);
    simulation_run(3 * SECOND + SECOND / 2);
    late = add(1, 100);
    simulation_run(SECOND / 2 + MILLISECOND);
    uint64_t before = late->vcpus[0]->times[VCPU_RUNNING];

    simulation_run(SECOND);
    simulation_end();
    assert_in_range(late->vcpus[0]->times[VCPU_RUNNING] - before, 40 * SECOND / 100,
                    60 * SECOND / 100);
}

static void test_an_interactive_guest_beside_hogs(void **state)
{
    struct capsule *interactive;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        add(1, 100);
    interactive = add(1, 100);
    guests[interactive->id][0] =
        (struct guest){.burst = MILLISECOND / 5, .pause = 20 * MILLISECOND};
    simulation_start(1, 0);
    simulation_run(SECOND); /* its start is not what is measured */
    guests[interactive->id][0].worst_delay = 0;
    simulation_run(10 * SECOND);
    simulation_end();
    assert_true(guests[interactive->id][0].bursts > 300);
    /* A guest that has had less than its share waits for the least slice at most. */
    assert_in_range(guests[interactive->id][0].worst_delay, 0,
                    SIMULATION_LEAST + 2 * SIMULATION_STEP);
}

/* As many as there are harts may wake at once, beside hogs of several weights. */
static void test_interactive_guests_on_many_harts(void **state)
{
    struct capsule *interactive;

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        add(2, i % 2 ? 300 : 10);
    interactive = add(3, 100);
    for (unsigned i = 0; i < 3; i++)
        guests[interactive->id][i] =
            (struct guest){.burst = 2 * SIMULATION_STEP, .pause = (10 + i) * MILLISECOND};
    simulation_start(3, 0);
    simulation_run(2 * SECOND);
    for (unsigned i = 0; i < 3; i++)
        guests[interactive->id][i].worst_delay = 0;
    simulation_run(10 * SECOND);
    simulation_end();
    for (unsigned i = 0; i < 3; i++) {
        assert_true(guests[interactive->id][i].bursts > 500);
        assert_in_range(guests[interactive->id][i].worst_delay, 0,
                        SIMULATION_LEAST + 2 * SIMULATION_STEP);
    }
}

/* Weights that cannot be, since nobody runs on two harts at once: who is to have more than one
 * hart has one, and when it can have its share again, it has no more than that. */
static void test_a_share_of_more_than_one_hart(void **state)
{
    struct capsule *heavy = add(1, 400), *middle = add(1, 200), *light = add(1, 100), *late;

    (void)state;
    simulation_start(2, 0);
    simulation_run(9 * SECOND);
    assert_in_range(share_error(simulation_run_time(heavy), 18 * SECOND, 1, 2), 0, 200);
    assert_in_range(share_error(simulation_run_time(middle), 18 * SECOND, 2, 6), 0, 200);
    assert_in_range(share_error(simulation_run_time(light), 18 * SECOND, 1, 6), 0, 200);
    late = add(2, 400); /* from now on 7 + 8 weights are on two harts */
    uint64_t before = simulation_run_time(heavy), all = 2 * 5 * SECOND;

    simulation_run(5 * SECOND);
    simulation_end();
    assert_in_range(share_error(simulation_run_time(heavy) - before, all, 4, 15), 0, 1000);
    assert_in_range(share_error(simulation_run_time(late), all, 8, 15), 0, 1000);
}

static void test_nobody_starves(void **state)
{
    struct capsule *small = add(1, 10);

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        add(1, 1000);
    simulation_start(1, 0);
    simulation_run(30 * SECOND);
    simulation_end();
    assert_true(small->vcpus[0]->times[VCPU_RUNNING] > 0);
    assert_true(guests[small->id][0].entries > 2);
}

/* Each of the light ones has its millisecond within its share's time: 60 of weight 1 beside one of
 * 10000 have one of 10060 parts each. */
static void test_the_lightest_do_not_starve_beside_the_heaviest(void **state)
{
    struct capsule *light[60], *heavy;
    uint64_t before[60], longest = 10060 * SIMULATION_LEAST;

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        light[i] = add(1, 1);
    simulation_start(1, 0);
    simulation_run(SECOND);
    heavy = add(1, 10000);
    simulation_run(2 * SECOND); /* it begins with a credit */
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 60; i++)
            before[i] = simulation_run_time(light[i]);
        simulation_run(longest + longest / 20);
        for (unsigned i = 0; i < 60; i++)
            assert_in_range(simulation_run_time(light[i]) - before[i], SIMULATION_LEAST,
                            3 * SIMULATION_LEAST);
    }
    simulation_end();
    assert_true(simulation_run_time(heavy) > 98 * 3 * longest / 100);
}

static void test_yield_gives_the_hart_away(void **state)
{
    struct capsule *polite = add(1, 100), *hog = add(1, 100);

    (void)state;
    guests[polite->id][0].yields = true;
    simulation_start(1, 0);
    simulation_run(SECOND);
    simulation_end();
    assert_true(guests[polite->id][0].entries > 20);
    assert_true(hog->vcpus[0]->times[VCPU_RUNNING] > 8 * polite->vcpus[0]->times[VCPU_RUNNING]);
}

/* Each goes behind the next, so all have their turn. */
static void test_yields_go_round(void **state)
{
    struct capsule *polite = add(10, 100);

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        guests[polite->id][i].yields = true;
    simulation_start(1, 0);
    simulation_run(SECOND);
    simulation_end();
    for (unsigned i = 0; i < 10; i++)
        assert_in_range(guests[polite->id][i].entries, 900, 1100);
}

/* Two that spin for it, with a credit, must not change places with each other meanwhile. */
static void test_a_spinner_lets_one_run_that_has_had_more(void **state)
{
    struct capsule *holder = add(1, 100), *spinners;

    (void)state;
    simulation_start(1, 0);
    simulation_run(SECOND);
    spinners = add(2, 100);
    guests[spinners->id][0].spins = guests[spinners->id][1].spins = true;
    uint64_t before = simulation_run_time(holder);
    simulation_run(10 * MILLISECOND);
    assert_true(simulation_run_time(holder) - before > 5 * MILLISECOND);
    simulation_end();
}

/* Of 40, one that the others wait for has its turn again after 80 ms. */
static void test_slices_are_shorter_where_many_wait(void **state)
{
    struct capsule *hogs = add(40, 100);

    (void)state;
    simulation_start(1, 0);
    simulation_run(SECOND);
    simulation_end();
    for (unsigned i = 0; i < 40; i++)
        assert_in_range(guests[hogs->id][i].entries, 10, 20);
}

static void test_a_vcpu_alone_is_not_disturbed(void **state)
{
    struct capsule *capsule = add(1, 100);

    (void)state;
    simulation_start(2, 0);
    simulation_run(5 * SECOND);
    /* No timer on its hart, none on the idle one, and it never left. */
    assert_int_equal(simulation_hart(0)->arch.timer, UINT64_MAX);
    assert_int_equal(simulation_hart(1)->arch.timer, UINT64_MAX);
    assert_in_range(guests[capsule->id][0].entries, 1, 2);
    unsigned kicks = simulation_hart(0)->arch.kicks + simulation_hart(1)->arch.kicks;

    simulation_run(5 * SECOND);
    assert_int_equal(simulation_hart(0)->arch.kicks + simulation_hart(1)->arch.kicks, kicks);
    simulation_end();
}

static void test_idle_harts_take_what_is_ready(void **state)
{
    struct capsule *capsule;

    (void)state;
    simulation_start(4, 0);
    simulation_run(10 * MILLISECOND);
    capsule = add(4, 100);
    simulation_run(20 * MILLISECOND);
    for (unsigned i = 0; i < 4; i++) {
        assert_non_null(simulation_hart(i)->current);
        assert_int_equal(capsule->vcpus[i]->run, VCPU_RUNNING);
    }
    simulation_end();
}

static void test_maintenance_harts_run_no_guests(void **state)
{
    struct capsule *capsule;

    (void)state;
    simulation_start(2, 1);
    capsule = add(3, 100);
    simulation_run(SECOND);
    assert_null(simulation_hart(0)->current);
    simulation_end();
    assert_int_equal(simulation_hart(0)->busy_time, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_true(capsule->vcpus[i]->times[VCPU_RUNNING] > SECOND / 5);
}

/* Interrupts at random instants: each is followed by a burst of the guest that waits for it. */
static void test_no_wake_up_is_lost(void **state)
{
    struct capsule *waiters = add(6, 100);
    uint64_t seed = 7;

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        guests[waiters->id][i] =
            (struct guest){.burst = (1 + i) * SIMULATION_STEP, .pause = UINT64_MAX};
    simulation_start(3, 0);
    simulation_run(50 * MILLISECOND);
    for (unsigned round = 0; round < 3000; round++) {
        struct vcpu *vcpu = waiters->vcpus[unit_random(&seed) % 6];
        struct guest *guest = &guests[waiters->id][vcpu->id];
        uint64_t bursts = guest->bursts;

        simulation_interrupt(vcpu);
        simulation_run(unit_random(&seed) % 3 * SIMULATION_STEP);
        if (unit_random(&seed) % 4)
            continue;
        simulation_run(10 * MILLISECOND);
        assert_true(guest->bursts > bursts);
        assert_false(vcpu->arch.interrupt);
    }
    simulation_end();
}

static void test_a_wake_between_asking_and_waiting(void **state)
{
    struct capsule *capsule = add(1, 100);
    struct vcpu *vcpu = capsule->vcpus[0];

    (void)state;
    guests[capsule->id][0] = (struct guest){.burst = MILLISECOND, .pause = UINT64_MAX};
    simulation_start(1, 0);
    simulation_run(MILLISECOND / 2);
    assert_int_equal(vcpu->run, VCPU_RUNNING);
    /* It asks to wait while it is still on the hart; then it is woken, without an interrupt. */
    sched_block_current(vcpu, UINT64_MAX);
    sched_wake(vcpu);
    simulation_run(SIMULATION_STEP);
    assert_int_equal(vcpu->run, VCPU_RUNNING);
    /* The same with an interrupt alone. */
    sched_block_current(vcpu, UINT64_MAX);
    vcpu->arch.interrupt = true;
    simulation_run(SIMULATION_STEP);
    assert_int_equal(vcpu->run, VCPU_RUNNING);
    /* And with neither, it does wait; for ever. */
    sched_block_current(vcpu, UINT64_MAX);
    simulation_run(10 * SECOND);
    assert_int_equal(vcpu->run, VCPU_WAITING);
    simulation_end();
}

/* Whatever a vCPU waits for, and until when: its own timer's interrupt is not late. */
static void test_its_own_timer_ends_a_wait(void **state)
{
    struct capsule *capsule = add(1, 100);
    struct vcpu *vcpu = capsule->vcpus[0];

    (void)state;
    guests[capsule->id][0] = (struct guest){.burst = SECOND, .pause = UINT64_MAX};
    simulation_start(1, 0);
    simulation_run(MILLISECOND / 2);
    vcpu->arch.timer = hosted_time + 20 * MILLISECOND;
    sched_block_current(vcpu, hosted_time + SECOND);
    simulation_run(10 * MILLISECOND);
    assert_int_equal(vcpu->run, VCPU_WAITING);
    simulation_run(10 * MILLISECOND + 5 * SIMULATION_STEP);
    assert_int_equal(vcpu->run, VCPU_RUNNING);
    /* A later one does not lengthen it. */
    vcpu->arch.timer = hosted_time + SECOND;
    sched_block_current(vcpu, hosted_time + 20 * MILLISECOND);
    simulation_run(20 * MILLISECOND + 5 * SIMULATION_STEP);
    assert_int_equal(vcpu->run, VCPU_RUNNING);
    simulation_end();
}

static void test_deadlines_are_met(void **state)
{
    struct capsule *capsule = add(8, 100);

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        guests[capsule->id][i] =
            (struct guest){.burst = SIMULATION_STEP, .pause = (3 + i) * MILLISECOND + i * 300};
    simulation_start(4, 0);
    simulation_run(5 * SECOND);
    simulation_end();
    for (unsigned i = 0; i < 8; i++) {
        assert_in_range(guests[capsule->id][i].worst_delay, 0, 10 * SIMULATION_STEP);
        assert_in_range(guests[capsule->id][i].bursts, SECOND * 5 / ((4 + i) * MILLISECOND + 3000),
                        SECOND * 5 / ((3 + i) * MILLISECOND));
    }
}

static void test_stop_and_start_of_a_vcpu(void **state)
{
    struct capsule *capsule = add(2, 100);
    struct vcpu *vcpu = capsule->vcpus[1];

    (void)state;
    guests[capsule->id][1] = (struct guest){.burst = MILLISECOND, .stops = true};
    simulation_start(1, 0);
    simulation_run(SECOND);
    assert_int_equal(vcpu->run, VCPU_OFF);
    assert_int_equal(atomic_load(&vcpu->hsm), HSM_STOPPED);
    assert_int_equal(guests[capsule->id][1].bursts, 1);
    sched_wake(vcpu); /* does not start it */
    simulation_run(SECOND);
    assert_int_equal(guests[capsule->id][1].bursts, 1);
    atomic_store(&vcpu->hsm, HSM_STARTED);
    sched_start(vcpu);
    simulation_run(SECOND);
    assert_int_equal(guests[capsule->id][1].bursts, 2);
    simulation_end();
}

static void test_halted_vcpus_leave_and_come_back(void **state)
{
    struct capsule *capsule = add(6, 100), *other = add(1, 100);

    (void)state;
    guests[capsule->id][4] = (struct guest){.burst = MILLISECOND, .pause = UINT64_MAX};
    guests[capsule->id][5] = (struct guest){.burst = MILLISECOND, .pause = MILLISECOND};
    simulation_start(3, 0);
    simulation_run(SECOND);
    assert_int_equal(capsule_pause(capsule), OK);
    simulation_run(2 * SIMULATION_STEP);
    assert_int_equal(capsule->state, CAPSULE_PAUSED);
    assert_int_equal(capsule->running, 0);
    uint64_t before = simulation_run_time(capsule);

    for (unsigned i = 0; i < 6; i++)
        sched_wake(capsule->vcpus[i]); /* interrupts still come */
    simulation_run(SECOND);
    assert_int_equal(simulation_run_time(capsule), before);
    assert_int_equal(capsule_resume(capsule), OK);
    simulation_run(SECOND);
    simulation_end();
    assert_true(simulation_run_time(capsule) > before + SECOND);
    assert_true(other->vcpus[0]->times[VCPU_RUNNING] > 0);
}

/* --- what the time went for --- */

/* A vCPU's time by state, in steps of the simulation; the sum is its age, to the tick. */
static void check_times(const struct vcpu *vcpu, uint64_t age, const uint64_t wanted[])
{
    uint64_t times[DIOSIX_VCPU_STATES], sum = 0;

    assert_int_equal(sched_times(vcpu, times), hosted_time);
    for (unsigned state = 0; state < DIOSIX_VCPU_STATES; state++) {
        uint64_t tolerance = 20 * MILLISECOND;

        assert_in_range(times[state], wanted[state] > tolerance ? wanted[state] - tolerance : 0,
                        wanted[state] + tolerance);
        sum += times[state];
    }
    assert_int_equal(sum, age);
}

static void test_times_of_one_that_never_stops(void **state)
{
    struct capsule *capsule = add(1, 100);

    (void)state;
    simulation_start(1, 0);
    simulation_run(7 * SECOND); /* one stay on the hart, which is not over */
    check_times(capsule->vcpus[0], 7 * SECOND, (uint64_t[5]){[VCPU_RUNNING] = 7 * SECOND});
    assert_int_equal(capsule->vcpus[0]->counts.switches, 2); /* one before it may run */
    simulation_end();
}

static void test_times_of_two_that_share(void **state)
{
    struct capsule *pair[] = {add(1, 100), add(1, 300)};

    (void)state;
    simulation_start(1, 0);
    simulation_run(8 * SECOND);
    check_times(pair[0]->vcpus[0], 8 * SECOND,
                (uint64_t[5]){[VCPU_RUNNING] = 2 * SECOND, [VCPU_READY] = 6 * SECOND});
    check_times(pair[1]->vcpus[0], 8 * SECOND,
                (uint64_t[5]){[VCPU_RUNNING] = 6 * SECOND, [VCPU_READY] = 2 * SECOND});
    for (unsigned i = 0; i < 2; i++) {
        const struct vcpu_counts *counts = &pair[i]->vcpus[0]->counts;

        assert_in_range(counts->preemptions, 100, counts->switches);
        assert_int_equal(counts->migrations, 0);
    }
    simulation_end();
}

static void test_times_of_a_sleeper(void **state)
{
    struct capsule *capsule = add(1, 100);

    (void)state;
    guests[capsule->id][0] = (struct guest){.burst = 10 * MILLISECOND, .pause = 30 * MILLISECOND};
    simulation_start(1, 0);
    simulation_run(4 * SECOND);
    check_times(capsule->vcpus[0], 4 * SECOND,
                (uint64_t[5]){[VCPU_RUNNING] = SECOND, [VCPU_WAITING] = 3 * SECOND});
    assert_int_equal(capsule->vcpus[0]->counts.preemptions, 0);
    guests[capsule->id][0].pause = UINT64_MAX;
    simulation_run(SECOND); /* one wait, which is not over */
    check_times(capsule->vcpus[0], 5 * SECOND,
                (uint64_t[5]){[VCPU_RUNNING] = SECOND, [VCPU_WAITING] = 4 * SECOND});
    simulation_end();
}

static void test_times_of_one_that_is_paused(void **state)
{
    struct capsule *capsule = add(1, 100);

    (void)state;
    simulation_start(1, 0);
    simulation_run(SECOND);
    assert_int_equal(capsule_pause(capsule), OK);
    simulation_run(2 * SECOND);
    check_times(capsule->vcpus[0], 3 * SECOND,
                (uint64_t[5]){[VCPU_RUNNING] = SECOND, [VCPU_OFF] = 2 * SECOND});
    assert_int_equal(capsule_resume(capsule), OK);
    simulation_run(SECOND);
    check_times(capsule->vcpus[0], 4 * SECOND,
                (uint64_t[5]){[VCPU_RUNNING] = 2 * SECOND, [VCPU_OFF] = 2 * SECOND});
    simulation_end();
}

/* What waits for its capsule's next period was not robbed. */
static void test_times_of_one_with_a_cap(void **state)
{
    struct capsule_config config = simulation_config(1, 100);

    (void)state;
    config.cap = 25;
    struct capsule *capsule = simulation_add(&config);

    simulation_start(1, 0);
    simulation_run(8 * SECOND);
    check_times(capsule->vcpus[0], 8 * SECOND,
                (uint64_t[5]){[VCPU_RUNNING] = 2 * SECOND, [VCPU_CAPPED] = 6 * SECOND});
    simulation_end();
}

static void test_hart_stats(void **state)
{
    struct capsule *capsule = add(1, 100);
    struct diosix_hart_stats stats[2];

    (void)state;
    guests[capsule->id][0] = (struct guest){.burst = 10 * MILLISECOND, .pause = 30 * MILLISECOND};
    simulation_start(2, 1);
    simulation_run(4 * SECOND);
    guests[capsule->id][0].burst = 0; /* from its next burst on, it stays */
    simulation_run(2 * SECOND);
    for (unsigned i = 0; i < 2; i++)
        sched_hart_stats(simulation_hart(i), &stats[i]);
    simulation_end();
    assert_int_equal(stats[0].busy_time, 0);
    assert_int_equal(stats[0].capsule, DIOSIX_NOTHING);
    assert_int_equal(stats[1].now, hosted_time);
    assert_in_range(stats[1].busy_time, 29 * SECOND / 10, 31 * SECOND / 10);
    assert_int_equal(stats[1].capsule, capsule->id);
    assert_int_equal(stats[1].vcpu, 0);
    assert_int_equal(stats[1].switches, 2); /* one before it may run */
}

/* --- waiting without leaving the hart --- */

/* Whether it does or not, its time is accounted for alike. */
static void check_a_sleeper_alone(bool rests)
{
    struct capsule *capsule = add(1, 100);
    struct guest *guest = &guests[capsule->id][0];
    const struct vcpu *vcpu = capsule->vcpus[0];
    struct diosix_hart_stats stats;

    simulation_never_rests = !rests;
    *guest = (struct guest){.burst = 10 * MILLISECOND, .pause = 30 * MILLISECOND};
    simulation_start(1, 0);
    simulation_run(4 * SECOND);
    check_times(vcpu, 4 * SECOND,
                (uint64_t[5]){[VCPU_RUNNING] = SECOND, [VCPU_WAITING] = 3 * SECOND});
    sched_hart_stats(simulation_hart(0), &stats);
    assert_in_range(stats.busy_time, 95 * SECOND / 100, 105 * SECOND / 100);
    simulation_end();
    assert_in_range(guest->bursts, 95, 105);
    assert_in_range(guest->rests, rests ? 95 : 0, rests ? 105 : 0);
    assert_in_range(guest->entries, rests ? 1 : 95, rests ? 1 : 105);
}

static void test_alone_it_rests_on_its_hart(void **state)
{
    (void)state;
    check_a_sleeper_alone(true);
}

static void test_a_wait_off_the_hart(void **state)
{
    (void)state;
    check_a_sleeper_alone(false);
}

/* And while it rests the hart is free for others, at once. */
static void test_one_that_rests_makes_room(void **state)
{
    struct capsule *sleeper = add(1, 100), *other;
    const struct vcpu *vcpu = sleeper->vcpus[0];

    (void)state;
    guests[sleeper->id][0] = (struct guest){.burst = MILLISECOND, .pause = UINT64_MAX};
    simulation_start(1, 0);
    simulation_run(SECOND);
    assert_true(vcpu->resting && vcpu->run == VCPU_RUNNING);
    other = add(1, 100);
    simulation_run(5 * SIMULATION_STEP);
    assert_false(vcpu->resting);
    assert_int_equal(vcpu->run, VCPU_WAITING);
    assert_int_equal(other->vcpus[0]->run, VCPU_RUNNING);
    simulation_run(50 * MILLISECOND);
    guests[sleeper->id][0].worst_delay = 0;
    simulation_interrupt(sleeper->vcpus[0]);
    simulation_run(10 * MILLISECOND);
    assert_in_range(guests[sleeper->id][0].worst_delay, 1, SIMULATION_LEAST + 2 * SIMULATION_STEP);
    simulation_end();
}

/* One that is woken on an idle hart does not drive another from the hart where it rests. */
static void test_an_idle_hart_comes_when_called(void **state)
{
    struct capsule *first = add(1, 100), *second = add(1, 100);

    (void)state;
    guests[first->id][0] = (struct guest){.burst = MILLISECOND, .pause = 3 * MILLISECOND};
    guests[second->id][0] = (struct guest){.burst = MILLISECOND, .pause = 7 * MILLISECOND};
    simulation_start(2, 0);
    simulation_run(SECOND);
    for (unsigned i = 0; i < 10; i++) {
        struct capsule *visitor = add(1, 100); /* mixes them up, and ends */

        simulation_run(20 * MILLISECOND);
        capsule_stop(visitor);
        simulation_run(10 * MILLISECOND);
        unsigned before = guests[first->id][0].entries + guests[second->id][0].entries;

        simulation_run(70 * MILLISECOND);
        assert_int_equal(guests[first->id][0].entries + guests[second->id][0].entries, before);
    }
    simulation_end();
}

/* Resting earns no more credit than sleeping does. */
static void test_one_that_rests_does_not_save_up(void **state)
{
    struct capsule *sleeper = add(1, 100);
    struct guest *guest = &guests[sleeper->id][0];
    const struct vcpu *vcpu = sleeper->vcpus[0];

    (void)state;
    add(1, 100);
    *guest = (struct guest){.burst = MILLISECOND, .pause = 30 * MILLISECOND};
    simulation_start(2, 0);
    simulation_run(4 * SECOND);
    assert_true(guest->rests > 100);
    guest->burst = 0; /* from its next burst on, it never waits again */
    add(1, 100);
    simulation_run(SECOND / 2);
    uint64_t before = vcpu->times[VCPU_RUNNING];

    simulation_run(SECOND);
    simulation_end();
    assert_in_range(vcpu->times[VCPU_RUNNING] - before, 60 * SECOND / 100, 72 * SECOND / 100);
}

static void test_one_that_rests_is_halted(void **state)
{
    struct capsule *capsule = add(1, 100);
    const struct vcpu *vcpu = capsule->vcpus[0];

    (void)state;
    guests[capsule->id][0] = (struct guest){.burst = MILLISECOND, .pause = UINT64_MAX};
    simulation_start(1, 0);
    simulation_run(SECOND);
    assert_true(vcpu->resting);
    assert_false(sched_halt(capsule));
    simulation_run(5 * SIMULATION_STEP);
    assert_true(sched_is_quiet(capsule));
    assert_true(vcpu->run == VCPU_OFF && !vcpu->resting);
    sched_release(capsule);
    simulation_run(5 * SIMULATION_STEP);
    assert_int_equal(vcpu->run, VCPU_RUNNING);
    simulation_end();
}

static void test_migrations_are_counted(void **state)
{
    struct capsule *capsule = add(3, 100);
    uint64_t migrations = 0, switches = 0, entries = 0;

    (void)state;
    simulation_start(2, 0);
    simulation_run(SECOND);
    simulation_end();
    for (unsigned i = 0; i < 3; i++) {
        migrations += capsule->vcpus[i]->counts.migrations;
        switches += capsule->vcpus[i]->counts.switches;
        entries += guests[capsule->id][i].entries;
    }
    assert_int_equal(switches, entries + 1); /* with that before it may run */
    assert_true(migrations > 10);            /* three that share two harts evenly have to move */
}

/* One hart sees another begin with a vCPU a tick from now, for clocks agree to within a tick alone
 * (Unprivileged, "Zicntr"). That tells nothing of what anybody has had. */
static void test_clocks_that_differ_by_a_tick(void **state)
{
    struct capsule *capsules_of[3];
    uint64_t before[3] = {0};

    (void)state;
    simulation_clocks_differ = true;
    hosted_time = SECOND;
    for (unsigned i = 0; i < 2; i++) { /* they wake up at once, between two steps */
        capsules_of[i] = add(1, 100);
        guests[capsules_of[i]->id][0] =
            (struct guest){.burst = MILLISECOND, .pause = 9 * MILLISECOND + 500};
    }
    simulation_start(2, 0);
    simulation_run(SECOND);
    for (unsigned i = 0; i < 2; i++)
        guests[capsules_of[i]->id][0].burst = 0; /* from its next one on, it never waits again */
    simulation_run(SECOND);
    for (unsigned i = 0; i < 2; i++)
        before[i] = simulation_run_time(capsules_of[i]);
    capsules_of[2] = add(1, 100);
    simulation_run(SECOND / 5);
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(simulation_run_time(capsules_of[i]) - before[i], 11 * SECOND / 100,
                        16 * SECOND / 100);
    simulation_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_shares_on_one_hart, setup),
        cmocka_unit_test_setup(test_shares_with_more_vcpus_than_harts, setup),
        cmocka_unit_test_setup(test_shares_on_many_harts, setup),
        cmocka_unit_test_setup(test_a_late_comer_gets_its_share_and_no_more, setup),
        cmocka_unit_test_setup(test_a_late_comer_beside_two, setup),
        cmocka_unit_test_setup(test_a_sleeper_does_not_save_up, setup),
        cmocka_unit_test_setup(test_time_that_nobody_wanted_is_not_held_against_it, setup),
        cmocka_unit_test_setup(test_an_interactive_guest_beside_hogs, setup),
        cmocka_unit_test_setup(test_interactive_guests_on_many_harts, setup),
        cmocka_unit_test_setup(test_a_share_of_more_than_one_hart, setup),
        cmocka_unit_test_setup(test_nobody_starves, setup),
        cmocka_unit_test_setup(test_the_lightest_do_not_starve_beside_the_heaviest, setup),
        cmocka_unit_test_setup(test_yield_gives_the_hart_away, setup),
        cmocka_unit_test_setup(test_yields_go_round, setup),
        cmocka_unit_test_setup(test_a_spinner_lets_one_run_that_has_had_more, setup),
        cmocka_unit_test_setup(test_slices_are_shorter_where_many_wait, setup),
        cmocka_unit_test_setup(test_a_vcpu_alone_is_not_disturbed, setup),
        cmocka_unit_test_setup(test_idle_harts_take_what_is_ready, setup),
        cmocka_unit_test_setup(test_maintenance_harts_run_no_guests, setup),
        cmocka_unit_test_setup(test_no_wake_up_is_lost, setup),
        cmocka_unit_test_setup(test_a_wake_between_asking_and_waiting, setup),
        cmocka_unit_test_setup(test_its_own_timer_ends_a_wait, setup),
        cmocka_unit_test_setup(test_deadlines_are_met, setup),
        cmocka_unit_test_setup(test_stop_and_start_of_a_vcpu, setup),
        cmocka_unit_test_setup(test_halted_vcpus_leave_and_come_back, setup),
        cmocka_unit_test_setup(test_times_of_one_that_never_stops, setup),
        cmocka_unit_test_setup(test_times_of_two_that_share, setup),
        cmocka_unit_test_setup(test_times_of_a_sleeper, setup),
        cmocka_unit_test_setup(test_times_of_one_that_is_paused, setup),
        cmocka_unit_test_setup(test_times_of_one_with_a_cap, setup),
        cmocka_unit_test_setup(test_hart_stats, setup),
        cmocka_unit_test_setup(test_alone_it_rests_on_its_hart, setup),
        cmocka_unit_test_setup(test_a_wait_off_the_hart, setup),
        cmocka_unit_test_setup(test_one_that_rests_makes_room, setup),
        cmocka_unit_test_setup(test_an_idle_hart_comes_when_called, setup),
        cmocka_unit_test_setup(test_one_that_rests_does_not_save_up, setup),
        cmocka_unit_test_setup(test_one_that_rests_is_halted, setup),
        cmocka_unit_test_setup(test_migrations_are_counted, setup),
        cmocka_unit_test_setup(test_clocks_that_differ_by_a_tick, setup),
    };
    /* A test that fails leaves its harts' threads behind, in the way of the next one. */
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
