/* Capsules on harts of their own: who may run where, and what they get there. */
#include "unit.h"
#include "snapshot.h"
#include "simulation.h"
#include "log.h"
#include "memory.h"
#include "placement.h"
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    snapshot_setup(state);
    hosted_reset();
    hosted_add_ram(64 * MEGAPAGE_SIZE);
    return 0;
}

/* The harts in the mask; none: not pinned. */
static struct capsule_config pinned(unsigned cpus, unsigned weight, uint64_t mask, bool exclusive)
{
    struct capsule_config config = simulation_config(cpus, weight);

    for (uint32_t i = 0; i < 64; i++)
        if (mask >> i & 1)
            config.pinned[config.pinned_count++] = i;
    config.exclusive = exclusive;
    return config;
}

static struct capsule *add(unsigned cpus, unsigned weight, uint64_t mask)
{
    struct capsule_config config = pinned(cpus, weight, mask, false);

    return simulation_add(&config);
}

static struct capsule *add_alone(unsigned cpus, uint64_t mask)
{
    struct capsule_config config = pinned(cpus, 100, mask, true);

    return simulation_add(&config);
}

static void assert_refused(uint64_t mask, bool exclusive, const char *why)
{
    struct capsule_config config = pinned(1, 100, mask, exclusive);
    unsigned before = capsule_count;
    struct capsule *capsule;

    hosted_serial_written = 0;
    assert_int_not_equal(capsule_create(&config, &capsule), OK);
    assert_int_equal(capsule_count, before);
    log_flush();
    if (!strstr(hosted_serial_output, why))
        fail_msg("'%s' is not in: %s", why, hosted_serial_output);
}

/* --- who is admitted --- */

static void test_harts_that_are_not_there(void **state)
{
    (void)state;
    simulation_start(3, 1);
    assert_refused(1 << 3, false, "capsule0: there is no hart 3 that runs guests");
    assert_refused(1 << 1 | 1UL << 63, false, "there is no hart 63");
    assert_refused(1 << 0, true, "there is no hart 0"); /* for maintenance */
    add(1, 100, 1 << 1);
    simulation_end();
}

static void test_harts_that_are_anothers(void **state)
{
    (void)state;
    simulation_start(4, 0);
    add(1, 100, 0);
    add_alone(1, 1 << 1);
    add(1, 100, 1 << 2);
    assert_refused(1 << 1, false, "some are capsule capsule1's, and one of the two wants them");
    assert_refused(1 << 1 | 1 << 0, true, "capsule1's");
    assert_refused(1 << 2 | 1 << 3, true, "capsule2's");
    add(1, 100, 1 << 2 | 1 << 3);
    add_alone(1, 1 << 0);
    simulation_end();
}

static void test_a_hart_stays_for_the_others(void **state)
{
    (void)state;
    simulation_start(3, 1);
    add(1, 100, 0);
    assert_refused(1 << 1 | 1 << 2, true, "would leave no hart to capsules that are not pinned");
    add_alone(1, 1 << 2);
    assert_refused(1 << 1, true, "would leave no hart");
    simulation_end();
}

static void test_all_harts_may_be_taken_if_nobody_needs_one(void **state)
{
    (void)state;
    simulation_start(2, 0);
    add_alone(1, 1 << 0);
    add_alone(1, 1 << 1);
    assert_refused(0, false, "no hart is left for it: all are other capsules' alone");
    simulation_end();
}

/* --- where they run, and what they get --- */

static void test_pinned_ones_stay_and_others_keep_away(void **state)
{
    struct capsule *shared, *here, *alone;

    (void)state;
    simulation_start(4, 0);
    shared = add(6, 100, 0);
    here = add(4, 100, 1 << 1 | 1 << 2);
    alone = add_alone(2, 1 << 3);
    for (unsigned i = 0; i < 6; i += 2) /* some move about */
        guests[shared->id][i] = (struct guest){.burst = MILLISECOND, .pause = 3 * MILLISECOND};
    guests[alone->id][1] = (struct guest){.burst = MILLISECOND, .pause = 2 * MILLISECOND};
    simulation_run(5 * SECOND);
    simulation_end();
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(guests[shared->id][i].harts & ~7UL, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(guests[here->id][i].harts & ~6UL, 0);
    assert_int_equal(guests[alone->id][0].harts, 8);
    assert_int_equal(guests[alone->id][1].harts, 8);
    /* No hart was idle. */
    for (unsigned i = 0; i < 4; i++)
        assert_true(simulation_hart(i)->busy_time > 49 * SECOND / 10);
}

static void test_alone_on_a_hart_nothing_disturbs(void **state)
{
    struct capsule *shared, *alone;

    (void)state;
    simulation_start(2, 0);
    shared = add(5, 100, 0);
    alone = add_alone(1, 1 << 1);
    guests[shared->id][0] = (struct guest){.burst = MILLISECOND, .pause = 2 * MILLISECOND};
    guests[shared->id][1] = (struct guest){.burst = MILLISECOND, .pause = UINT64_MAX};
    simulation_run(SECOND);
    const struct hart *hart = simulation_hart(1);
    uint64_t switches = hart->switches, kicks = hart->kicks, timers = hart->timers;

    assert_int_equal(hart->arch.timer, UINT64_MAX);
    for (unsigned i = 0; i < 1000; i++) {
        simulation_interrupt(shared->vcpus[1]);
        simulation_run(5 * MILLISECOND);
    }
    assert_int_equal(hart->switches, switches);
    assert_int_equal(hart->kicks, kicks);
    assert_int_equal(hart->timers, timers);
    assert_true(simulation_hart(0)->timers > 500); /* while there is something to count */
    simulation_end();
    assert_in_range(guests[alone->id][0].entries, 1, 2);
}

/* Within a set, shares are as by weight, whatever goes on elsewhere. */
static void test_shares_on_pinned_harts(void **state)
{
    struct capsule *one, *two, *four, *shared;

    (void)state;
    simulation_start(2, 0);
    shared = add(2, 10000, 1 << 0);
    one = add(1, 100, 1 << 1);
    two = add(1, 200, 1 << 1);
    four = add(1, 400, 1 << 1);
    simulation_run(10 * SECOND);
    simulation_end();
    assert_in_range(simulation_run_time(one), 98 * 10 * SECOND / 700, 102 * 10 * SECOND / 700);
    assert_in_range(simulation_run_time(two), 98 * 20 * SECOND / 700, 102 * 20 * SECOND / 700);
    assert_in_range(simulation_run_time(four), 98 * 40 * SECOND / 700, 102 * 40 * SECOND / 700);
    assert_true(simulation_run_time(shared) > 99 * 10 * SECOND / 100);
}

/* One that is pinned and one that is not share its hart; the third has the other hart. All have
 * equal weights, so each should have two thirds of a hart. */
static void test_pinned_and_others_share_fairly(void **state)
{
    struct capsule *here, *others;

    (void)state;
    simulation_start(2, 0);
    others = add(2, 100, 0);
    here = add(1, 100, 1 << 1);
    simulation_run(10 * SECOND);
    simulation_end();
    assert_in_range(simulation_run_time(here), 19 * SECOND / 3, 21 * SECOND / 3);
    assert_in_range(simulation_run_time(others), 38 * SECOND / 3, 42 * SECOND / 3);
}

/* One that is not pinned leaves a hart that a pinned one needs when another hart becomes idle, even
 * if it may claim much more of that hart. */
static void test_no_hart_idles_while_one_waits(void **state)
{
    struct capsule *here, *keeper, *heavy;

    (void)state;
    simulation_start(2, 0);
    keeper = add(1, 100, 1 << 0);
    here = add(1, 100, 1 << 1);
    guests[keeper->id][0] = (struct guest){.burst = 1100 * MILLISECOND, .pause = UINT64_MAX};
    simulation_run(SECOND);
    heavy = add(1, 10000, 0);
    simulation_run(10 * MILLISECOND);
    assert_ptr_equal(simulation_hart(1)->current, heavy->vcpus[0]);
    simulation_run(120 * MILLISECOND);
    assert_int_equal(keeper->vcpus[0]->run, VCPU_WAITING);
    assert_ptr_equal(simulation_hart(0)->current, heavy->vcpus[0]);
    assert_ptr_equal(simulation_hart(1)->current, here->vcpus[0]);
    simulation_end();
}

/* The clocks of two sets go very different ways: one crowd is on hart 1, while hart 0 has only one.
 * Then both meet. */
static void test_sets_that_meet_late(void **state)
{
    struct capsule *crowd, *single;

    (void)state;
    simulation_start(2, 0);
    crowd = add(9, 100, 1 << 1);
    single = add(1, 100, 1 << 0 | 1 << 1);
    simulation_run(100 * SECOND);
    struct capsule *hog = add(1, 10000, 1 << 0); /* the single one now needs a part of hart 1 */
    uint64_t before = simulation_run_time(single), crowd_before = simulation_run_time(crowd);

    simulation_run(20 * SECOND);
    simulation_end();
    assert_true(simulation_run_time(hog) > 17 * SECOND);
    assert_in_range(simulation_run_time(single) - before, SECOND, 4 * SECOND);
    assert_true(simulation_run_time(crowd) - crowd_before > 15 * SECOND);
}

static bool has_own(uint64_t harts_of_it, bool exclusive, unsigned cpus, unsigned cap)
{
    struct capsule_config config = simulation_config(cpus, 100);
    struct capsule *capsule = NULL;

    config.exclusive = exclusive;
    config.cap = cap;
    for (unsigned i = 0; i < 6; i++)
        if (harts_of_it >> i & 1)
            config.pinned[config.pinned_count++] = i;
    assert_int_equal(capsule_create(&config, &capsule), OK);
    return placement_has_own_harts(capsule);
}

static void test_who_has_harts_for_itself(void **state)
{
    (void)state;
    simulation_start(6, 0);
    assert_false(has_own(0, false, 1, 0));
    assert_false(has_own(1 << 0, false, 1, 0));
    assert_true(has_own(1 << 1, true, 1, 0));
    assert_false(has_own(1 << 2, true, 2, 0)); /* its vCPUs share */
    assert_true(has_own(3 << 3, true, 2, 0));
    assert_false(has_own(1 << 5, true, 1, 50)); /* it would use up its time by waiting */
    simulation_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_harts_that_are_not_there, setup),
        cmocka_unit_test_setup(test_harts_that_are_anothers, setup),
        cmocka_unit_test_setup(test_a_hart_stays_for_the_others, setup),
        cmocka_unit_test_setup(test_all_harts_may_be_taken_if_nobody_needs_one, setup),
        cmocka_unit_test_setup(test_pinned_ones_stay_and_others_keep_away, setup),
        cmocka_unit_test_setup(test_alone_on_a_hart_nothing_disturbs, setup),
        cmocka_unit_test_setup(test_shares_on_pinned_harts, setup),
        cmocka_unit_test_setup(test_pinned_and_others_share_fairly, setup),
        cmocka_unit_test_setup(test_no_hart_idles_while_one_waits, setup),
        cmocka_unit_test_setup(test_sets_that_meet_late, setup),
        cmocka_unit_test_setup(test_who_has_harts_for_itself, setup),
    };
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
