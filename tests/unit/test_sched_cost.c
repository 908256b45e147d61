/*
 * What choosing costs with many vCPUs. The scheduler and its queue are compiled with the compiler's
 * coverage counters, so the basic blocks that they go through are counted without a hook in them.
 */
#include "unit.h"
#include "snapshot.h"
#include "simulation.h"
#include "memory.h"

static unsigned long blocks;

/* Runs at the start of each block. Harts take turns, so nothing else counts meanwhile. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

static int setup(void **state)
{
    snapshot_setup(state);
    hosted_reset();
    hosted_add_ram(64 * MEGAPAGE_SIZE);
    return 0;
}

/* Capsules with 64 vCPUs each, but for the last. Every third vCPU waits now and then. */
static void fill(unsigned vcpus, bool sleepers)
{
    uint64_t seed = vcpus;

    for (unsigned left = vcpus; left > 0;) {
        struct capsule_config config = simulation_config(left < 64 ? left : 64, 100);
        const struct capsule *capsule = simulation_add(&config);

        for (unsigned i = 0; sleepers && i < config.cpus; i += 3)
            guests[capsule->id][i] = (struct guest){
                .burst = SIMULATION_STEP, .pause = (1 + unit_random(&seed) % 1000) * MILLISECOND};
        left -= config.cpus;
    }
}

struct cost {
    unsigned long worst; /* blocks in one step of time, in which a hart changes its vCPU once */
    unsigned long mean;  /* blocks for each change, with the wake-ups that belong to it */
};

static struct cost cost_of(unsigned vcpus, bool sleepers)
{
    struct cost cost = {0};
    unsigned long sum = 0;
    void *none = NULL;

    setup(&none);
    fill(vcpus, sleepers);
    simulation_start(1, 0);
    simulation_run(20 * SECOND); /* each has run, and none of them begins */
    uint64_t before = simulation_hart(0)->switches;

    for (unsigned step = 0; step < 20000; step++) {
        blocks = 0;
        simulation_run(SIMULATION_STEP);
        sum += blocks;
        cost.worst = blocks > cost.worst ? blocks : cost.worst;
    }
    uint64_t changes = simulation_hart(0)->switches - before;

    simulation_end();
    assert_true(changes > 0 || vcpus == 1);
    cost.mean = changes > 0 ? sum / changes : 0;
    return cost;
}

/* The cost may grow by so many blocks whenever the number of vCPUs doubles. */
static void check_growth(const char *what, unsigned vcpus, unsigned long cost)
{
    unsigned log2 = 0;

    while (1U << log2 < vcpus)
        log2++;
    print_message("%4u vCPUs: %s %lu blocks\n", vcpus, what, cost);
    assert_in_range(cost, vcpus > 1, 300 + 60 * log2);
}

static const unsigned counts[] = {1, 2, 10, 100, 1000};

static void test_changing_costs_log_n(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++)
        check_growth("at most", counts[i], cost_of(counts[i], false).worst);
}

static void test_waking_costs_log_n(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++)
        check_growth("on average", counts[i], cost_of(counts[i], true).mean);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_changing_costs_log_n, setup),
        cmocka_unit_test_setup(test_waking_costs_log_n, setup),
    };
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
