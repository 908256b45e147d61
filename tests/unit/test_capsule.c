/* The life cycle of capsules on simulated harts, and that nothing leaks. */
#include "unit.h"
#include "snapshot.h"
#include "simulation.h"
#include "memory.h"
#include <stdio.h>
#include <string.h>

#define SECOND     HOSTED_FREQUENCY
#define RAM        (16 * MEGAPAGE_SIZE)
#define ENTRY      0x80200000UL
#define PREPARE    (SECOND / 100) /* more than filling a capsule's RAM takes here */
#define RESTARTS   10000
#define UNTIL_IDLE (SECOND / 10)

static const char kernel[] = "a kernel without any header, so it is a flat binary";
static uint64_t free_before;
static uint8_t *ram;

static int setup(void **state)
{
    snapshot_setup(state);
    hosted_reset();
    ram = hpa_pointer(hosted_add_ram(RAM));
    memset(ram, 0xa5, RAM);
    return 0;
}

static struct capsule *create(unsigned cpus, uint64_t properties)
{
    struct capsule_config config = {.ram = 2 * MEGAPAGE_SIZE,
                                    .cpus = cpus,
                                    .weight = CAPSULE_WEIGHT,
                                    .bootargs = "",
                                    .properties = properties,
                                    .kernel = {kernel, sizeof kernel, "kernel"}};
    struct capsule *capsule;

    snprintf(config.name, sizeof config.name, "capsule%u", capsule_count);
    assert_int_equal(capsule_create(&config, &capsule), OK);
    free_before = memory_owned(MEMORY_FREE);
    return capsule;
}

/* All is given back. */
static void check_nothing_left(const struct capsule *capsule)
{
    assert_int_equal(memory_owned(capsule->id), 0);
    assert_int_equal(memory_owned(MEMORY_FREE), free_before);
    assert_int_equal(hosted_live_capsules, 0);
    assert_int_equal(capsule->vcpu_count, 0);
}

static jmp_buf powered_off;

static void power_off(void)
{
    longjmp(powered_off, 1);
}

/* One that keeps the machine on. */
static void add_company(void)
{
    struct capsule *company = create(1, 0);

    guests[company->id][0] = (struct guest){.burst = 1, .pause = UINT64_MAX};
    assert_int_equal(capsule_start(company), OK);
    free_before = memory_owned(MEMORY_FREE);
    hosted_live_capsules = 0; /* it does not count */
}

static void test_states(void **state)
{
    (void)state;
    add_company();
    struct capsule *capsule = create(1, 0);

    assert_int_equal(capsule->state, CAPSULE_CREATED);
    assert_int_equal(capsule_stop(capsule), ERROR_BAD_STATE);
    assert_int_equal(capsule_pause(capsule), ERROR_BAD_STATE);
    assert_int_equal(capsule_resume(capsule), ERROR_BAD_STATE);
    assert_int_equal(capsule_start(capsule), OK);
    assert_int_equal(capsule->state, CAPSULE_RUNNING);
    assert_int_equal(capsule_start(capsule), ERROR_BAD_STATE);
    assert_int_equal(capsule_resume(capsule), ERROR_BAD_STATE);
    assert_int_equal(capsule_pause(capsule), OK);
    assert_int_equal(capsule->state, CAPSULE_PAUSED);
    assert_int_equal(capsule_pause(capsule), ERROR_BAD_STATE);
    assert_int_equal(capsule_start(capsule), ERROR_BAD_STATE);
    assert_int_equal(capsule_resume(capsule), OK);
    assert_int_equal(capsule_pause(capsule), OK);
    assert_int_equal(capsule_stop(capsule), OK);
    assert_int_equal(capsule->state, CAPSULE_STOPPED);
    check_nothing_left(capsule);
    assert_int_equal(capsule_restart(capsule), OK);
    assert_int_equal(capsule->state, CAPSULE_RUNNING);
}

static void test_ram_at_reset(void **state)
{
    (void)state;
    struct capsule *capsule = create(2, 0);

    assert_int_equal(capsule_start(capsule), OK);
    assert_int_equal(memory_owned(capsule->id), 2 * MEGAPAGE_SIZE);
    simulation_start(2, 0);
    simulation_run(PREPARE);
    simulation_end();
    assert_true(capsule_is_prepared(capsule));
    const char *at = capsule_memory(capsule, gpa(ENTRY), sizeof kernel);

    assert_memory_equal(at, kernel, sizeof kernel);
    uint64_t fdt = capsule->plan.fdt.value;

    for (uint64_t address = 0x80000000; address < 0x80000000 + 2 * MEGAPAGE_SIZE; address++) {
        const uint8_t *byte = capsule_memory(capsule, gpa(address), 1);

        if (address >= ENTRY && address < ENTRY + sizeof kernel)
            continue;
        if (*byte != (address >= fdt && address < fdt + capsule->plan.fdt_size ? 0xfd : 0))
            fail_msg("0x%lx holds 0x%x", (unsigned long)address, *byte);
    }
    assert_int_equal(capsule->vcpus[0]->arch.entry, ENTRY);
    assert_int_equal(capsule->vcpus[0]->arch.a0, 0);
    assert_int_equal(capsule->vcpus[0]->arch.a1, fdt);
    assert_int_equal(atomic_load(&capsule->vcpus[1]->hsm), HSM_STOPPED);
    assert_int_equal(guests[capsule->id][1].entries, 0);
}

/* --- without translation, a kernel that is linked to an address --- */

#define FIRMWARE 0x80000UL

static struct capsule *create_fixed(uint64_t offset)
{
    hosted_capsule_ram = (struct port_ram){.align = MEGAPAGE_SIZE,
                                           .identity = true,
                                           .base = gpa(hpa_of(ram).value),
                                           .firmware = FIRMWARE};
    struct capsule *capsule = create(1, 0);

    capsule->config.load = hpa_of(ram).value + offset;
    return capsule;
}

static void assert_ram(const struct capsule *capsule, uint64_t offset, uint64_t end)
{
    assert_int_equal(capsule->ram_host.value, hpa_of(ram).value + offset);
    assert_int_equal(capsule->ram_base.value, hpa_of(ram).value + offset);
    assert_int_equal(capsule->ram_size, end - offset);
}

static void test_a_fixed_kernel_gets_the_boards_ram_behind_firmware(void **state)
{
    (void)state;
    struct capsule *capsule = create_fixed(MEGAPAGE_SIZE);

    assert_int_equal(capsule_board_ram_end(capsule), hpa_of(ram).value + 2 * MEGAPAGE_SIZE);
    assert_int_equal(capsule_start(capsule), OK);
    assert_ram(capsule, FIRMWARE, 2 * MEGAPAGE_SIZE);
    /* A second one finds it taken: no room at all, or only from where it is linked. */
    assert_int_equal(capsule_start(create_fixed(MEGAPAGE_SIZE)), ERROR_NO_MEMORY);
    capsule = create_fixed(3 * MEGAPAGE_SIZE);
    assert_int_equal(capsule_board_ram_end(capsule), 0);
    assert_int_equal(capsule_start(capsule), OK);
    assert_ram(capsule, 3 * MEGAPAGE_SIZE, 5 * MEGAPAGE_SIZE);
    capsule = create_fixed(MEGAPAGE_SIZE + FIRMWARE);
    capsule->config.ram = 3 * MEGAPAGE_SIZE;
    assert_int_equal(capsule_board_ram_end(capsule), hpa_of(ram).value + 3 * MEGAPAGE_SIZE);
    assert_int_equal(capsule_start(capsule), ERROR_NO_MEMORY);
}

/* Linux's header says that the kernel can move; it starts where it would on a board all the same.
 */
static struct capsule *create_image(void)
{
    static struct {
        uint32_t code[2];
        uint64_t text_offset, rest[5];
        uint8_t magic[8];
    } image = {.text_offset = MEGAPAGE_SIZE, .magic = "RSC\x05"};
    _Static_assert(sizeof image == 64, "a header, and nothing else");
    struct capsule *capsule = create_fixed(0);

    capsule->config.ram = 3 * MEGAPAGE_SIZE;
    capsule->config.kernel = (struct blob){&image, sizeof image, "image"};
    return capsule;
}

static void test_an_image_gets_the_boards_ram_if_nobody_else_needs_it(void **state)
{
    (void)state;
    struct capsule *first = create_image(), *second = create_image();

    assert_int_equal(capsule_board_ram_end(first), hpa_of(ram).value + 3 * MEGAPAGE_SIZE);
    assert_int_equal(capsule_start(first), OK);
    assert_ram(first, FIRMWARE, 3 * MEGAPAGE_SIZE);
    assert_int_equal(first->plan.entry.value, hpa_of(ram).value + MEGAPAGE_SIZE);
    assert_int_equal(capsule_start(second), OK); /* and the second what there is */
    assert_true(second->ram_host.value >= hpa_of(ram).value + 3 * MEGAPAGE_SIZE);
    assert_int_equal(second->plan.entry.value, second->ram_base.value + MEGAPAGE_SIZE);
}

static void test_an_image_leaves_the_boards_ram_to_a_fixed_kernel(void **state)
{
    (void)state;
    struct capsule *image = create_image(), *fixed = create_fixed(MEGAPAGE_SIZE);

    assert_int_equal(capsule_start(image), OK);
    assert_true(image->ram_host.value >= hpa_of(ram).value + 2 * MEGAPAGE_SIZE);
    assert_int_equal(capsule_start(fixed), OK);
    assert_ram(fixed, FIRMWARE, 2 * MEGAPAGE_SIZE);
}

static void test_a_kernel_linked_into_firmware_does_not_start(void **state)
{
    (void)state;
    assert_true(memory_alloc_at(hpa_of(ram), FIRMWARE, MEMORY_HYPERVISOR) == OK);
    struct capsule *capsule = create_fixed(FIRMWARE / 2);

    assert_int_equal(capsule_board_ram_end(capsule), 0);
    assert_int_equal(capsule_start(capsule), ERROR_NO_MEMORY);
}

static void test_memory_outside_is_out_of_reach(void **state)
{
    (void)state;
    struct capsule *capsule = create(1, 0);

    assert_null(capsule_memory(capsule, gpa(0x80000000), 1)); /* it has none yet */
    assert_int_equal(capsule_start(capsule), OK);
    uint64_t base = capsule->ram_base.value, size = capsule->ram_size;

    while (capsule_memory_fill(capsule, gpa(base), size))
        ;
    assert_non_null(capsule_memory(capsule, gpa(base), size));
    assert_non_null(capsule_memory(capsule, gpa(base + size - 1), 1));
    assert_null(capsule_memory(capsule, gpa(base - 1), 1));
    assert_null(capsule_memory(capsule, gpa(base + size), 1));
    assert_null(capsule_memory(capsule, gpa(base + size - 1), 2));
    assert_null(capsule_memory(capsule, gpa(base), size + 1));
    assert_null(capsule_memory(capsule, gpa(base + 8), UINT64_MAX));
    assert_null(capsule_memory(capsule, gpa(UINT64_MAX), 1));
    assert_null(capsule_memory(capsule, gpa(0), UINT64_MAX));
}

static void test_a_restart_begins_anew(void **state)
{
    (void)state;
    struct capsule *capsule = create(1, 0);

    assert_int_equal(capsule_start(capsule), OK);
    simulation_start(1, 0);
    simulation_run(SECOND / 4);
    uint8_t *byte = capsule_memory(capsule, gpa(0x80100000), 1);
    unsigned resets = capsule->arch.resets;

    *byte = 1;
    *(char *)capsule_memory(capsule, gpa(ENTRY), 1) = '?';
    assert_int_equal(capsule_restart(capsule), OK);
    simulation_run(PREPARE);
    simulation_end();
    assert_int_equal(capsule->state, CAPSULE_RUNNING);
    assert_int_equal(*byte, 0);
    assert_memory_equal(capsule_memory(capsule, gpa(ENTRY), 1), kernel, 1);
    assert_int_equal(capsule->restarts, 1);
    assert_int_equal(capsule->arch.resets, resets + 1);
    assert_int_equal(memory_owned(capsule->id), 2 * MEGAPAGE_SIZE);
}

/* The first reboot is at once, for the capsule has run for a while; the next must wait. */
static void test_reboots_are_not_too_many(void **state)
{
    (void)state;
    struct capsule *capsule = create(1, 0);

    assert_int_equal(capsule_start(capsule), OK);
    simulation_start(1, 0);
    simulation_run(SECOND / 4);
    assert_int_equal(capsule_restart(capsule), OK);
    simulation_run(PREPARE);
    assert_true(capsule_is_prepared(capsule));
    assert_int_equal(capsule_restart(capsule), OK);
    simulation_run(SECOND / 16);
    assert_false(capsule_is_prepared(capsule));
    simulation_run(SECOND / 16 + PREPARE);
    simulation_end();
    assert_true(capsule_is_prepared(capsule));
}

static void test_stop_while_running_on_all_harts(void **state)
{
    (void)state;
    add_company();
    struct capsule *capsule = create(4, 0);

    assert_int_equal(capsule_start(capsule), OK);
    for (unsigned i = 1; i < 4; i++) {
        atomic_store(&capsule->vcpus[i]->hsm, HSM_STARTED);
        sched_start(capsule->vcpus[i]);
    }
    simulation_start(3, 0);
    simulation_run(SECOND);
    assert_true(capsule->running >= 2);
    assert_int_equal(capsule_stop(capsule), OK);
    assert_int_equal(capsule->state, CAPSULE_RUNNING); /* harts still have to leave it */
    simulation_run(2 * SIMULATION_STEP);
    simulation_end();
    assert_int_equal(capsule->state, CAPSULE_STOPPED);
    check_nothing_left(capsule);
}

/* Of two requests before the first is carried out, the one that ends more wins. */
static void test_requests_that_overtake(void **state)
{
    (void)state;
    add_company();
    struct capsule *capsule = create(1, 0);

    assert_int_equal(capsule_start(capsule), OK);
    simulation_start(2, 0);
    simulation_run(PREPARE);
    assert_int_equal(capsule_stop(capsule), OK);
    assert_int_equal(capsule_pause(capsule), OK);
    assert_int_equal(capsule_restart(capsule), OK);
    simulation_run(2 * SIMULATION_STEP);
    simulation_end();
    assert_int_equal(capsule->state, CAPSULE_STOPPED);
    check_nothing_left(capsule);
}

static void crash(struct capsule *capsule)
{
    struct crash_record record = {.vcpu = 0, .cause = "store access fault", .pc = 42, .value = 7};

    capsule_crash(capsule->vcpus[0], &record);
}

static void test_a_crash_stops_it_and_keeps_the_record(void **state)
{
    (void)state;
    add_company();
    struct capsule *capsule = create(1, 0);

    assert_int_equal(capsule_start(capsule), OK);
    simulation_start(2, 0);
    simulation_run(PREPARE);
    crash(capsule);
    simulation_run(2 * SIMULATION_STEP);
    assert_int_equal(capsule->state, CAPSULE_CRASHED);
    assert_string_equal(capsule->crash.cause, "store access fault");
    assert_int_equal(capsule->crash.pc, 42);
    assert_non_null(strstr(hosted_serial_output, "capsule1: vCPU 0 crashed: store access fault"));
    check_nothing_left(capsule);
    assert_int_equal(capsule_start(capsule), OK);
    simulation_run(PREPARE);
    simulation_end();
    assert_true(guests[capsule->id][0].entries > 1);
}

static void test_crashes_in_a_row_are_answered_slower_and_slower(void **state)
{
    static const unsigned eighths[] = {1, 2, 4, 8, 16, 32, 64, 64};

    (void)state;
    struct capsule *capsule = create(1, DIOSIX_PROPERTY_AUTO_CRASH_RESTART);

    assert_int_equal(capsule_start(capsule), OK);
    simulation_start(1, 0);
    simulation_run(PREPARE);
    for (unsigned i = 0; i < sizeof eighths / sizeof eighths[0]; i++) {
        unsigned entries = guests[capsule->id][0].entries;

        crash(capsule);
        simulation_run(eighths[i] * SECOND / 8 - 2 * SIMULATION_STEP);
        assert_int_equal(capsule->state, CAPSULE_RUNNING);
        assert_int_equal(guests[capsule->id][0].entries, entries);
        simulation_run(PREPARE);
        assert_int_equal(guests[capsule->id][0].entries, entries + 1);
    }
    /* One that has been well for long starts at the beginning again. */
    simulation_run(20 * SECOND);
    crash(capsule);
    simulation_run(SECOND / 8 + PREPARE);
    simulation_end();
    assert_int_equal(capsule->crashes_in_a_row, 1);
    assert_true(capsule_is_prepared(capsule));
}

static void test_ten_thousand_restarts_leak_nothing(void **state)
{
    (void)state;
    add_company();
    struct capsule *capsule = create(3, 0);

    for (unsigned i = 0; i < RESTARTS; i++) {
        assert_int_equal(capsule_start(capsule), OK);
        if (i % 3 == 0)
            assert_int_equal(capsule_restart(capsule), OK);
        if (i % 5 == 0)
            assert_int_equal(capsule_pause(capsule), OK);
        if (i % 7 == 0)
            crash(capsule);
        else
            assert_int_equal(capsule_stop(capsule), OK);
    }
    check_nothing_left(capsule);
}

static void test_restarts_under_load_leak_nothing(void **state)
{
    uint64_t seed = 3;

    (void)state;
    add_company();
    struct capsule *capsule = create(3, 0);

    simulation_start(2, 0);
    for (unsigned i = 0; i < 1500; i++) {
        switch (unit_random(&seed) % 5) {
        case 0:
            capsule_stop(capsule);
            break;
        case 1:
            capsule_restart(capsule);
            break;
        case 2:
            capsule_pause(capsule);
            break;
        case 3:
            capsule_resume(capsule);
            break;
        default:
            capsule_start(capsule);
        }
        simulation_run(unit_random(&seed) % 8 * SIMULATION_STEP);
        uint64_t owned = memory_owned(capsule->id);

        assert_true(owned == 0 || owned == 2 * MEGAPAGE_SIZE);
    }
    capsule_stop(capsule);
    simulation_run(UNTIL_IDLE);
    simulation_end();
    assert_true(capsule->state == CAPSULE_STOPPED || capsule->state == CAPSULE_CREATED);
    check_nothing_left(capsule);
}

static void test_a_start_that_fails_takes_nothing(void **state)
{
    (void)state;
    struct capsule *capsule = create(2, 0);

    hosted_create_error = ERROR_NO_MEMORY;
    assert_int_equal(capsule_start(capsule), ERROR_NO_MEMORY);
    check_nothing_left(capsule);
    hosted_create_error = OK;
    /* No room for its RAM. */
    capsule->config.ram = 2 * RAM;
    assert_int_equal(capsule_start(capsule), ERROR_NO_MEMORY);
    check_nothing_left(capsule);
    /* Room for its RAM, but then none for its vCPUs. */
    struct hpa hole;
    capsule->config.ram = 2 * MEGAPAGE_SIZE;
    while (memory_owned(MEMORY_FREE) > 2 * MEGAPAGE_SIZE &&
           memory_alloc(MEGAPAGE_SIZE, MEGAPAGE_SIZE, 40, &hole) == OK)
        ;
    while (memory_owned(MEMORY_FREE) > 2 * MEGAPAGE_SIZE && memory_alloc_pages(PAGE_SIZE))
        ;
    free_before = memory_owned(MEMORY_FREE);
    assert_int_equal(capsule_start(capsule), ERROR_NO_MEMORY);
    check_nothing_left(capsule);
    /* A kernel that does not fit. */
    capsule->config.kernel.size = 4 * MEGAPAGE_SIZE;
    capsule->config.kernel.data = calloc(4, MEGAPAGE_SIZE);
    assert_true(capsule_start(capsule) != OK);
    check_nothing_left(capsule);
    assert_int_equal(capsule->state, CAPSULE_STOPPED);
}

/* Room for what a guest prints, if somebody may read it: from its first start on. */
static void test_a_ring_for_output_where_there_is_a_console(void **state)
{
    (void)state;
    struct capsule *alone = create(1, 0);

    assert_int_equal(capsule_start(alone), OK);
    assert_int_equal(alone->console.output.size, 0);
    struct capsule *console = create(1, DIOSIX_PROPERTY_SERVICE_CONSOLE);
    struct capsule *guest = create(1, 0);

    assert_int_equal(capsule_start(console), OK);
    assert_int_equal(console->console.output.size, 0);
    uint64_t before = memory_owned(MEMORY_HYPERVISOR);

    assert_int_equal(capsule_start(guest), OK);
    assert_int_equal(guest->console.output.size, CONSOLE_OUTPUT_SIZE);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(capsule_stop(guest), OK);
        assert_int_equal(memory_owned(MEMORY_HYPERVISOR), before + CONSOLE_OUTPUT_SIZE);
        assert_int_equal(capsule_start(guest), OK);
    }
    /* There is none for it: it does not start, and takes nothing. */
    struct capsule *late = create(1, 0);

    for (unsigned n = 1;; n++) {
        before = memory_owned(MEMORY_FREE);
        memory_fail(n);
        if (capsule_start(late) == OK)
            break;
        assert_int_equal(memory_owned(MEMORY_FREE), before);
        assert_int_equal(late->console.output.size, 0);
    }
    assert_true(memory_fail(0) > 0);
    assert_int_equal(late->console.output.size, CONSOLE_OUTPUT_SIZE);
}

static void test_without_a_device_tree_it_does_not_run(void **state)
{
    (void)state;
    add_company();
    simulation_start(1, 0);
    simulation_run(PREPARE);
    struct capsule *capsule = create(1, 0);

    hosted_fdt_error = ERROR_NO_MEMORY;
    assert_int_equal(capsule_start(capsule), OK);
    simulation_run(PREPARE);
    simulation_end();
    assert_int_equal(capsule->state, CAPSULE_STOPPED);
    assert_int_equal(guests[capsule->id][0].entries, 0);
    check_nothing_left(capsule);
}

static void test_the_machine_goes_off_with_the_last_capsule(void **state)
{
    (void)state;
    struct capsule *one = create(1, 0), *two = create(1, 0);

    hosted_power_off = power_off;
    assert_int_equal(capsule_start(one), OK);
    assert_int_equal(capsule_start(two), OK);
    if (setjmp(powered_off)) {
        fail_msg("turned off while one runs");
    } else {
        assert_int_equal(capsule_stop(one), OK);
    }
    if (setjmp(powered_off) == 0) {
        capsule_stop(two);
        fail_msg("not turned off");
    }
}

static void test_capsules_without_end(void **state)
{
    struct capsule_config config = {.name = "one too many", .ram = 0, .cpus = 1, .bootargs = ""};
    struct capsule *capsule;

    (void)state;
    for (unsigned i = 0; i < CAPSULE_MAX; i++)
        create(1, 0);
    assert_int_equal(capsule_create(&config, &capsule), ERROR_NO_MEMORY);
    assert_int_equal(capsule_count, CAPSULE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_states, setup),
        cmocka_unit_test_setup(test_ram_at_reset, setup),
        cmocka_unit_test_setup(test_a_fixed_kernel_gets_the_boards_ram_behind_firmware, setup),
        cmocka_unit_test_setup(test_an_image_gets_the_boards_ram_if_nobody_else_needs_it, setup),
        cmocka_unit_test_setup(test_an_image_leaves_the_boards_ram_to_a_fixed_kernel, setup),
        cmocka_unit_test_setup(test_a_kernel_linked_into_firmware_does_not_start, setup),
        cmocka_unit_test_setup(test_memory_outside_is_out_of_reach, setup),
        cmocka_unit_test_setup(test_a_restart_begins_anew, setup),
        cmocka_unit_test_setup(test_reboots_are_not_too_many, setup),
        cmocka_unit_test_setup(test_stop_while_running_on_all_harts, setup),
        cmocka_unit_test_setup(test_requests_that_overtake, setup),
        cmocka_unit_test_setup(test_a_crash_stops_it_and_keeps_the_record, setup),
        cmocka_unit_test_setup(test_crashes_in_a_row_are_answered_slower_and_slower, setup),
        cmocka_unit_test_setup(test_ten_thousand_restarts_leak_nothing, setup),
        cmocka_unit_test_setup(test_restarts_under_load_leak_nothing, setup),
        cmocka_unit_test_setup(test_a_start_that_fails_takes_nothing, setup),
        cmocka_unit_test_setup(test_a_ring_for_output_where_there_is_a_console, setup),
        cmocka_unit_test_setup(test_without_a_device_tree_it_does_not_run, setup),
        cmocka_unit_test_setup(test_the_machine_goes_off_with_the_last_capsule, setup),
        cmocka_unit_test_setup(test_capsules_without_end, setup),
    };
    /* A test that fails leaves its harts' threads behind, in the way of the next one. */
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
