/*
 * Each allocation of boot and of a start fails once. What can live without it lives, what cannot
 * says what was missing and gives back all it took, and a later start finds all it needs.
 */
#include "unit.h"
#include "snapshot.h"
#include "simulation.h"
#include "dmfs.h"
#include "memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM         (16 * MEGAPAGE_SIZE)
#define A_WHILE     (SECOND / 10)
#define EXTENTS_MAX 64
#define CAPSULES    3
#define FAILURES    100 /* more than there are allocations */

static struct memory_extent map[EXTENTS_MAX];
static char image_bytes[65536];

static void remember_map(void)
{
    memset(map, 0, sizeof map);
    for (size_t i = 0; i < EXTENTS_MAX && memory_extent_at(i, &map[i]); i++)
        ;
}

static void assert_map_is_as_it_was(void)
{
    struct memory_extent extent = {0};

    for (size_t i = 0; i < EXTENTS_MAX; i++) {
        if (!memory_extent_at(i, &extent))
            extent = (struct memory_extent){0};
        assert_int_equal(extent.base.value, map[i].base.value);
        assert_int_equal(extent.size, map[i].size);
        assert_int_equal(extent.owner, map[i].owner);
    }
}

static void create(const struct capsule_config *config)
{
    struct capsule *capsule;

    capsule_create(config, &capsule);
}

/* As the machine's boot does it; the n-th allocation fails. */
static unsigned boot(uint64_t n)
{
    struct dmfs image;
    unsigned started = 0;
    FILE *file = fopen(UNIT_DATA "/faults.dmfs", "rb");

    snapshot_setup(NULL);
    hosted_reset();
    hosted_add_ram(RAM);
    assert_non_null(file);
    size_t size = fread(image_bytes, 1, sizeof image_bytes, file);
    fclose(file);
    assert_int_equal(dmfs_open(&image, image_bytes, size, NULL), OK);
    memory_fail(n);
    dmfs_each_capsule(&image, (struct dmfs_filter){false, false}, create);
    for (unsigned i = 0; i < capsule_count; i++)
        started += capsule_start(capsules[i]) == OK;
    memory_fail(0);
    return started;
}

static void crash(struct capsule *capsule)
{
    struct crash_record record = {.cause = "illegal instruction"};

    capsule_crash(capsule->vcpus[0], &record);
}

/* Those that were started live and come back from a crash. */
static void assert_alive(void)
{
    for (unsigned i = 0; i < capsule_count; i++) {
        struct capsule *capsule = capsules[i];
        unsigned entries = guests[i][0].entries;

        if (capsule->state != CAPSULE_RUNNING)
            continue;
        assert_true(entries > 0);
        if (!(capsule->config.properties & DIOSIX_PROPERTY_AUTO_CRASH_RESTART))
            continue;
        crash(capsule);
        simulation_run(SECOND); /* it may be the third crash in a row */
        assert_int_equal(capsule->state, CAPSULE_RUNNING);
        assert_true(guests[i][0].entries > entries);
    }
}

static jmp_buf off;

static void power_off(void)
{
    longjmp(off, 1);
}

/* Their structures and what they printed. */
static uint64_t bytes_that_stay(void)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < capsule_count; i++)
        bytes += align_up(sizeof(struct capsule), PAGE_SIZE) + capsules[i]->console.output.size;
    return bytes;
}

/* Ends them all. */
static void assert_nothing_is_left(void)
{
    hosted_power_off = power_off;
    if (setjmp(off) == 0)
        for (unsigned i = 0; i < capsule_count; i++) {
            capsule_stop(capsules[i]);
            simulation_run(A_WHILE);
        }
    assert_int_equal(hosted_live_capsules, 0);
    assert_int_equal(memory_owned(MEMORY_HYPERVISOR), bytes_that_stay());
    assert_int_equal(memory_owned(MEMORY_FREE), RAM - memory_owned(MEMORY_HYPERVISOR));
}

static bool says(const char *text)
{
    return strstr(hosted_serial_output, text) != NULL;
}

static void test_boot_without_one_allocation(void **state)
{
    unsigned n = 1, started;

    (void)state;
    while ((started = boot(n)) < CAPSULES) {
        assert_int_equal(started, CAPSULES - 1);
        assert_true(says("no memory for") || says("MiB of free memory"));
        for (unsigned i = 0; i < capsule_count; i++) {
            struct capsule *capsule = capsules[i];
            bool runs = capsule->state == CAPSULE_RUNNING;

            assert_true(runs || capsule->state == CAPSULE_STOPPED);
            assert_int_equal(memory_owned(capsule->id), runs ? capsule->config.ram : 0);
            assert_int_equal(capsule->vcpu_count, runs ? capsule->config.cpus : 0);
        }
        simulation_start(2, 0);
        simulation_run(A_WHILE);
        assert_alive();
        for (unsigned i = 0; i < capsule_count; i++)
            if (capsules[i]->state == CAPSULE_STOPPED)
                assert_int_equal(capsule_start(capsules[i]), OK);
        simulation_run(A_WHILE);
        assert_alive();
        simulation_end();
        assert_true(++n < FAILURES);
    }
    /* For each capsule its structure, its RAM, its vCPUs and devices; and rings for what all but
     * the console print. */
    assert_int_equal(n - 1, CAPSULES * 3 + CAPSULES - 1);
}

static void test_nothing_is_left_after_a_boot_without_one_allocation(void **state)
{
    (void)state;
    for (unsigned n = 1; boot(n) < CAPSULES; n++)
        assert_nothing_is_left();
}

/* One is started again while the others run: everything is as before when it fails. */
static void test_start_without_one_allocation(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CAPSULES; i++) {
        unsigned n = 1;

        assert_int_equal(boot(0), CAPSULES);
        simulation_start(2, 0);
        simulation_run(A_WHILE);
        struct capsule *capsule = capsules[i];

        capsule_stop(capsule);
        simulation_run(A_WHILE);
        assert_int_equal(capsule->state, CAPSULE_STOPPED);
        remember_map();
        for (enum error error = ERROR_NO_MEMORY; error != OK; n++) {
            hosted_serial_written = 0;
            memset(hosted_serial_output, 0, sizeof hosted_serial_output);
            memory_fail(n);
            error = capsule_start(capsule);
            memory_fail(0);
            if (error == OK)
                break;
            assert_int_equal(error, ERROR_NO_MEMORY);
            assert_int_equal(capsule->state, CAPSULE_STOPPED);
            assert_true(says(capsule->config.name));
            assert_true(says("no memory for") || says("MiB of free memory"));
            assert_map_is_as_it_was();
            simulation_run(A_WHILE);
        }
        assert_int_equal(n - 1, 2);
        simulation_run(A_WHILE);
        assert_alive();
        capsule_stop(capsule);
        simulation_run(A_WHILE);
        assert_map_is_as_it_was();
        simulation_end();
    }
}

/* A restart takes nothing, so nothing can be missing. */
static void test_a_restart_needs_no_allocation(void **state)
{
    (void)state;
    assert_int_equal(boot(0), CAPSULES);
    simulation_start(2, 0);
    simulation_run(A_WHILE);
    remember_map();
    memory_fail(1);
    assert_alive();
    for (unsigned i = 0; i < CAPSULES; i++)
        assert_int_equal(capsule_restart(capsules[i]), OK);
    simulation_run(SECOND);
    assert_alive();
    simulation_end();
    assert_map_is_as_it_was();
    assert_null(memory_alloc_pages(PAGE_SIZE)); /* the failure was still to come */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boot_without_one_allocation),
        cmocka_unit_test(test_nothing_is_left_after_a_boot_without_one_allocation),
        cmocka_unit_test(test_start_without_one_allocation),
        cmocka_unit_test(test_a_restart_needs_no_allocation),
    };
    /* A test that fails leaves its harts' threads behind, in the way of the next one. */
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
