/* Caps: capsules that may use so much of a hart and no more, however many vCPUs they have. */
#include "unit.h"
#include "snapshot.h"
#include "simulation.h"
#include "cap.h"
#include "memory.h"
#include <stdlib.h>

#define PERIOD (SECOND / 10)

static int setup(void **state)
{
    snapshot_setup(state);
    hosted_reset();
    hosted_add_ram(64 * MEGAPAGE_SIZE);
    return 0;
}

static struct capsule *add(unsigned cpus, unsigned cap)
{
    struct capsule_config config = simulation_config(cpus, 100);

    config.cap = cap;
    return simulation_add(&config);
}

/* In ten seconds it gets its part, within one period's; in each single second no more than one
 * period's more. */
static void check_cap(unsigned harts_there, unsigned cpus, unsigned cap)
{
    struct capsule *capsule = add(cpus, cap);
    uint64_t quota = PERIOD * cap / 100, before = 0;

    simulation_start(harts_there, 0);
    for (unsigned second = 0; second < 10; second++) {
        simulation_run(SECOND);
        assert_in_range(simulation_run_time(capsule) - before, 0,
                        SECOND * cap / 100 + quota + cpus * SIMULATION_STEP);
        before = simulation_run_time(capsule);
    }
    simulation_end();
    assert_in_range(before, 10 * SECOND * cap / 100 - quota - SECOND * cap / 1000,
                    10 * SECOND * cap / 100 + quota);
}

static void test_one_vcpu_alone_on_its_hart(void **state)
{
    (void)state;
    check_cap(1, 1, 25);
}

static void test_the_smallest_cap(void **state)
{
    (void)state;
    check_cap(1, 1, 1);
}

static void test_many_vcpus_on_many_harts(void **state)
{
    (void)state;
    check_cap(4, 8, 150);
}

static void test_a_cap_above_what_it_can_use(void **state)
{
    struct capsule *capsule = add(2, 500);

    (void)state;
    simulation_start(2, 0);
    simulation_run(SECOND);
    simulation_end();
    assert_true(simulation_run_time(capsule) > 19 * SECOND / 10);
}

/* What it may not use, others have; a hart that nobody may use is idle. */
static void test_others_have_the_rest(void **state)
{
    struct capsule *capped = add(3, 30), *hog;

    (void)state;
    simulation_start(1, 0);
    simulation_run(5 * SECOND);
    assert_true(simulation_hart(0)->busy_time < 16 * SECOND / 10);
    uint64_t before = simulation_run_time(capped);

    hog = add(1, 0);
    simulation_run(5 * SECOND);
    simulation_end();
    assert_in_range(simulation_run_time(capped) - before, 14 * SECOND / 10, 16 * SECOND / 10);
    assert_in_range(simulation_run_time(hog), 34 * SECOND / 10, 36 * SECOND / 10);
}

/* Its time is used up: interrupts don't get it a hart, the next period does. */
static void test_used_up_until_the_next_period(void **state)
{
    struct capsule *capsule = add(1, 20);
    struct vcpu *vcpu = capsule->vcpus[0];

    (void)state;
    simulation_start(1, 0);
    simulation_run(SECOND);
    while (vcpu->run != VCPU_CAPPED)
        simulation_run(SIMULATION_STEP);
    uint64_t end = capsule->period_end;

    assert_in_range(end, hosted_time + 1, hosted_time + PERIOD);
    while (hosted_time < end - SIMULATION_STEP) {
        simulation_interrupt(vcpu);
        simulation_run(SIMULATION_STEP);
        assert_int_equal(vcpu->run, VCPU_CAPPED);
        assert_null(simulation_hart(0)->current);
    }
    simulation_run(2 * SIMULATION_STEP);
    assert_int_equal(vcpu->run, VCPU_RUNNING);
    simulation_end();
}

/* One that mostly sleeps is not delayed by a cap that it does not use up. */
static void test_a_sleeper_below_its_cap(void **state)
{
    struct capsule *capsule = add(1, 20);
    struct guest *guest = &guests[capsule->id][0];

    (void)state;
    *guest = (struct guest){.burst = MILLISECOND, .pause = 9 * MILLISECOND};
    simulation_start(1, 0);
    simulation_run(SECOND);
    guest->worst_delay = 0;
    simulation_run(5 * SECOND);
    simulation_end();
    assert_true(guest->bursts > 550);
    assert_in_range(guest->worst_delay, 0, 2 * SIMULATION_STEP);
}

/* It may be paused, stopped and started while its time is used up, and has none the sooner. */
static void test_its_end_does_not_lift_it(void **state)
{
    struct capsule *capsule = add(2, 20);

    (void)state;
    add(1, 1); /* without any, the machine would turn itself off */
    simulation_start(2, 0);
    for (unsigned round = 0; round < 50; round++) {
        simulation_run((37 + round) * MILLISECOND);
        assert_int_equal(capsule_pause(capsule), OK);
        simulation_run(MILLISECOND);
        assert_int_equal(capsule->running, 0);
        assert_int_equal(capsule_resume(capsule), OK);
        simulation_run(SIMULATION_STEP);
        assert_int_equal(round % 2 ? capsule_restart(capsule) : capsule_stop(capsule), OK);
        simulation_run(2 * SIMULATION_STEP);
        if (round % 2 == 0)
            assert_int_equal(capsule_start(capsule), OK);
    }
    simulation_run(SECOND);
    uint64_t ticks = capsule->past_run_time + simulation_run_time(capsule);

    assert_in_range(ticks, 1, (hosted_time + PERIOD) / 5 + 2 * SIMULATION_STEP);
    assert_true(ticks > SECOND / 6); /* and it lives */
    simulation_end();
}

/* A long exit in its last tick is owed, and paid before it runs again. */
static void test_what_was_used_too_much_is_owed(void **state)
{
    struct capsule *capsule = add(1, 10);

    (void)state;
    hosted_time = 7 * PERIOD / 2;
    assert_true(cap_allows(capsule, hosted_time));
    uint64_t taken = cap_take(capsule, SECOND);

    assert_int_equal(taken, PERIOD / 10);
    assert_false(cap_allows(capsule, hosted_time));
    cap_settle(capsule, taken, taken + PERIOD / 4); /* two and a half periods' */
    hosted_time = capsule->period_end;
    assert_false(cap_allows(capsule, hosted_time));
    hosted_time = capsule->period_end;
    assert_false(cap_allows(capsule, hosted_time));
    hosted_time = capsule->period_end;
    assert_true(cap_allows(capsule, hosted_time));
    assert_int_equal(cap_take(capsule, SECOND), PERIOD / 20);
    /* After long, all is paid, and nothing is saved up. */
    cap_settle(capsule, 0, PERIOD);
    hosted_time += 100 * SECOND;
    assert_true(cap_allows(capsule, hosted_time));
    assert_int_equal(cap_take(capsule, SECOND), PERIOD / 10);
}

/* A clock so slow that a part of a period is less than a tick: what can be given is a tick. */
static void test_a_slow_clock(void **state)
{
    (void)state;
    for (hosted_frequency = 1; hosted_frequency <= 20000; hosted_frequency += 7) {
        struct capsule capsule = {.config.cap = 1};

        hosted_time = 5;
        assert_true(cap_allows(&capsule, hosted_time));
        assert_true(capsule.period_end > hosted_time);
        uint64_t taken = cap_take(&capsule, SECOND);

        assert_in_range(taken, 1, hosted_frequency / 1000 + 1);
        cap_settle(&capsule, taken, taken + 3); /* an exit takes its time, which is owed */
        for (unsigned periods = 0; !cap_allows(&capsule, hosted_time); periods++) {
            assert_true(periods < 10);
            hosted_time = capsule.period_end;
        }
        assert_true(cap_take(&capsule, SECOND) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_vcpu_alone_on_its_hart, setup),
        cmocka_unit_test_setup(test_the_smallest_cap, setup),
        cmocka_unit_test_setup(test_many_vcpus_on_many_harts, setup),
        cmocka_unit_test_setup(test_a_cap_above_what_it_can_use, setup),
        cmocka_unit_test_setup(test_others_have_the_rest, setup),
        cmocka_unit_test_setup(test_used_up_until_the_next_period, setup),
        cmocka_unit_test_setup(test_a_sleeper_below_its_cap, setup),
        cmocka_unit_test_setup(test_its_end_does_not_lift_it, setup),
        cmocka_unit_test_setup(test_what_was_used_too_much_is_owed, setup),
        cmocka_unit_test_setup(test_a_slow_clock, setup),
    };
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
