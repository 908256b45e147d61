#include "unit.h"
#include "capsule.h"
#include "console.h"
#include "hosted.h"
#include "service.h"
#include <string.h>

/* 0 is the console service, 1 and 2 are guests. */
static struct capsule made[3];
struct capsule *capsules[CAPSULE_MAX] = {&made[0], &made[1], &made[2]};
unsigned capsule_count;

static struct hart hart;
static uint64_t notified;
static uint32_t notified_ranks;

void service_notify(uint64_t events)
{
    notified |= events;
    notified_ranks |= hart.lock_ranks;
}

static int setup(void **state)
{
    static uint8_t rings[3][CONSOLE_OUTPUT_SIZE];

    (void)state;
    hosted_reset();
    memset(&hart, 0, sizeof(hart));
    hosted_hart = &hart;
    capsule_count = 3;
    for (unsigned i = 0; i < 3; i++) {
        memset(&made[i].config, 0, sizeof(made[i].config));
        memset(&made[i].arch, 0, sizeof(made[i].arch));
        made[i].id = (int)i;
        made[i].lock = (struct lock)LOCK_INITIALIZER(LOCK_CAPSULE);
        made[i].state = CAPSULE_RUNNING;
        console_init_capsule(&made[i]);
        console_set_output(&made[i], rings[i]);
    }
    made[0].config.is_service = true;
    made[0].config.properties = DIOSIX_PROPERTY_SERVICE_CONSOLE;
    uint8_t rest[64];

    while (console_take_serial(rest, sizeof(rest)))
        ;
    notified = 0;
    notified_ranks = 0;
    return 0;
}

static size_t print(unsigned capsule, const char *text)
{
    return console_write(&made[capsule], (const uint8_t *)text, strlen(text));
}

/* As the service does when its next call comes. */
static size_t take_output(struct capsule *capsule, uint8_t *bytes, size_t count)
{
    count = console_show_output(capsule, bytes, count);
    console_acknowledge();
    return count;
}

static const char *take(size_t (*from)(struct capsule *, uint8_t *, size_t), unsigned capsule)
{
    static uint8_t bytes[CONSOLE_OUTPUT_SIZE + 1];

    bytes[from(&made[capsule], bytes, sizeof(bytes) - 1)] = '\0';
    return (const char *)bytes;
}

static void send_keys(const char *keys)
{
    hosted_serial_send(keys, strlen(keys));
    console_serial_input();
}

static void test_who_counts_as_service(void **state)
{
    static const struct {
        enum capsule_state state;
        bool restarts, counts;
    } cases[] = {
        {CAPSULE_CREATED, false, true},  {CAPSULE_RUNNING, false, true},
        {CAPSULE_PAUSED, false, true},   {CAPSULE_STOPPED, true, false},
        {CAPSULE_CRASHED, false, false}, {CAPSULE_CRASHED, true, true},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        made[0].state = cases[i].state;
        made[0].config.properties = DIOSIX_PROPERTY_SERVICE_CONSOLE |
                                    (cases[i].restarts ? DIOSIX_PROPERTY_AUTO_CRASH_RESTART : 0);
        assert_int_equal(console_has_service(), cases[i].counts);
    }
    made[0].state = CAPSULE_RUNNING;
    made[0].config.properties = ~DIOSIX_PROPERTY_SERVICE_CONSOLE;
    assert_false(console_has_service());
}

static void test_output_waits_for_the_service(void **state)
{
    (void)state;
    assert_int_equal(print(1, "boot"), 4);
    assert_string_equal(hosted_serial_output, "");
    assert_int_equal(notified, DIOSIX_EVENT_OUTPUT);
    assert_true(console_has_output());
    assert_ptr_equal(console_next_output(), &made[1]);
    assert_string_equal(take(take_output, 1), "boot");
    assert_int_equal(made[1].arch.console_events, 1); /* there is room again */
    assert_false(console_has_output());
    assert_null(console_next_output());
}

static void test_full_ring_pushes_back(void **state)
{
    uint8_t much[CONSOLE_OUTPUT_SIZE + 100] = {0};

    (void)state;
    assert_int_equal(console_write(&made[1], much, sizeof(much)), CONSOLE_OUTPUT_SIZE);
    assert_int_equal(console_space(&made[1]), 0);
    assert_int_equal(print(1, "more"), 0);
    assert_int_equal(print(2, "other"), 5); /* each has its own */
    take_output(&made[1], much, 10);
    assert_int_equal(console_space(&made[1]), 10);
}

static void test_output_goes_round(void **state)
{
    uint8_t byte;
    struct capsule *first, *second;

    (void)state;
    print(1, "aaaa");
    print(2, "bbbb");
    first = console_next_output();
    take_output(first, &byte, 1);
    second = console_next_output();
    assert_ptr_not_equal(first, second);
    take_output(second, &byte, 1);
    assert_ptr_equal(console_next_output(), first);
}

static void test_without_service_output_goes_to_the_port(void **state)
{
    (void)state;
    print(1, "kept ");
    made[0].state = CAPSULE_STOPPED;
    print(2, "second");
    assert_string_equal(hosted_serial_output, "kept second"); /* in its order */
    assert_int_equal(console_space(&made[1]), CONSOLE_OUTPUT_SIZE);
    assert_false(console_has_output());
}

/* A slow port must not keep a hart, and those that wait for the lock, for long. */
static void test_one_write_to_the_port_is_short(void **state)
{
    static const uint8_t much[CONSOLE_OUTPUT_SIZE] = {0};

    (void)state;
    made[0].state = CAPSULE_STOPPED;
    assert_in_range(console_write(&made[1], much, sizeof(much)), 1, 256);
    hosted_serial_room = 0;
    assert_int_equal(console_write(&made[1], much, sizeof(much)), 1);
}

/* What it was shown and has not acknowledged is there for its next life, once. */
static void test_output_outlives_the_service(void **state)
{
    (void)state;
    print(1, "first");
    assert_string_equal(take(console_show_output, 1), "first");
    assert_int_equal(made[1].arch.console_events, 0); /* no room yet */
    print(1, " second");
    console_forget_shown();
    console_acknowledge();
    assert_string_equal(take(console_show_output, 1), "first second");
    print(1, " third");
    console_acknowledge();
    assert_int_equal(made[1].arch.console_events, 1);
    console_acknowledge();
    assert_string_equal(take(take_output, 1), " third");
    assert_false(console_has_output());
}

/* Nothing is acknowledged that was never shown. */
static void test_flushed_output_is_acknowledged(void **state)
{
    (void)state;
    print(1, "shown");
    assert_string_equal(take(console_show_output, 1), "shown");
    made[0].state = CAPSULE_STOPPED;
    console_flush();
    assert_string_equal(hosted_serial_output, "shown");
    made[0].state = CAPSULE_RUNNING;
    print(1, "later");
    console_acknowledge();
    assert_string_equal(take(take_output, 1), "later");
}

static void test_flush_when_the_service_has_gone(void **state)
{
    (void)state;
    print(1, "login: ");
    console_flush();
    assert_string_equal(hosted_serial_output, "");
    made[0].state = CAPSULE_CRASHED;
    console_flush();
    assert_string_equal(hosted_serial_output, "login: ");
}

static void test_services_own_words_go_to_the_port(void **state)
{
    (void)state;
    print(1, "guest");
    assert_int_equal(print(0, "trap"), 4);
    assert_string_equal(hosted_serial_output, "trap");
    assert_string_equal(take(take_output, 1), "guest");
}

static void test_input_from_the_service(void **state)
{
    (void)state;
    assert_false(console_has_input(&made[1]));
    assert_int_equal(console_send_input(&made[1], (const uint8_t *)"root\r", 5), 5);
    assert_int_equal(made[1].arch.console_events, 1);
    assert_true(console_has_input(&made[1]));
    assert_false(console_has_input(&made[2]));
    assert_string_equal(take(console_read, 1), "root\r");
    assert_false(console_has_input(&made[1]));
}

static void test_keys_go_to_the_service(void **state)
{
    uint8_t keys[8];

    (void)state;
    send_keys("abc");
    assert_int_equal(notified, DIOSIX_EVENT_CONSOLE);
    assert_int_equal(port_serial_read((char *)keys, 1), 0); /* its interrupt may fall */
    assert_true(console_has_serial());
    assert_int_equal(console_take_serial(keys, 2), 2);
    send_keys("d");
    assert_int_equal(console_take_serial(keys + 2, 6), 2);
    assert_memory_equal(keys, "abcd", 4);
    assert_false(console_has_serial());
}

static void test_without_service_keys_go_to_the_first_running_guest(void **state)
{
    (void)state;
    made[0].state = CAPSULE_STOPPED;
    made[1].state = CAPSULE_PAUSED;
    send_keys("ls\r");
    assert_int_equal(made[2].arch.console_events, 1);
    assert_false(console_has_input(&made[0]));
    assert_false(console_has_input(&made[1]));
    assert_string_equal(take(console_read, 2), "ls\r");
    made[1].state = CAPSULE_RUNNING;
    send_keys("id\r");
    assert_string_equal(take(console_read, 1), "id\r");
}

static void test_without_service_a_paste_is_whole(void **state)
{
    char keys[4000];
    uint8_t bytes[100];
    size_t done = 0, count;

    (void)state;
    made[0].state = CAPSULE_STOPPED;
    for (size_t i = 0; i < sizeof(keys); i++)
        keys[i] = (char)('a' + i % 26);
    hosted_serial_send(keys, sizeof(keys));
    console_serial_input();
    while ((count = console_read(&made[1], bytes, sizeof(bytes)))) {
        assert_memory_equal(bytes, keys + done, count);
        done += count;
    }
    assert_int_equal(done, sizeof(keys));
}

static void test_port_is_emptied_though_nobody_reads(void **state)
{
    char keys[6000] = {0};

    (void)state;
    hosted_serial_send(keys, 4096);
    console_serial_input();
    hosted_serial_send(keys, 4096);
    console_serial_input();
    assert_int_equal(port_serial_read(keys, sizeof(keys)), 0);
}

static void test_port_that_never_runs_dry_does_not_hold_its_hart(void **state)
{
    char keys[6000] = {0};

    (void)state;
    hosted_serial_send(keys, sizeof(keys));
    console_serial_input();
    assert_in_range(port_serial_read(keys, sizeof(keys)), 1, sizeof(keys) - 4096);
}

/* A guest's device prints with its capsule's lock held; waking takes LOCK_SCHED. */
static void test_lock_order(void **state)
{
    uint8_t byte;

    (void)state;
    lock_acquire(&made[1].lock);
    print(1, "x");
    console_read(&made[1], &byte, 1);
    console_space(&made[1]);
    assert_int_equal(notified_ranks, 1 << LOCK_CAPSULE);
    made[0].state = CAPSULE_STOPPED;
    print(1, "x");
    lock_release(&made[1].lock);
    assert_int_equal(hart.lock_ranks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_who_counts_as_service, setup),
        cmocka_unit_test_setup(test_output_waits_for_the_service, setup),
        cmocka_unit_test_setup(test_full_ring_pushes_back, setup),
        cmocka_unit_test_setup(test_output_goes_round, setup),
        cmocka_unit_test_setup(test_without_service_output_goes_to_the_port, setup),
        cmocka_unit_test_setup(test_one_write_to_the_port_is_short, setup),
        cmocka_unit_test_setup(test_output_outlives_the_service, setup),
        cmocka_unit_test_setup(test_flushed_output_is_acknowledged, setup),
        cmocka_unit_test_setup(test_flush_when_the_service_has_gone, setup),
        cmocka_unit_test_setup(test_services_own_words_go_to_the_port, setup),
        cmocka_unit_test_setup(test_input_from_the_service, setup),
        cmocka_unit_test_setup(test_keys_go_to_the_service, setup),
        cmocka_unit_test_setup(test_without_service_keys_go_to_the_first_running_guest, setup),
        cmocka_unit_test_setup(test_without_service_a_paste_is_whole, setup),
        cmocka_unit_test_setup(test_port_is_emptied_though_nobody_reads, setup),
        cmocka_unit_test_setup(test_port_that_never_runs_dry_does_not_hold_its_hart, setup),
        cmocka_unit_test_setup(test_lock_order, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
