#include "unit.h"
#include "capsule.h"
#include "hosted.h"
#include "log.h"
#include "service.h"
#include <stdio.h>
#include <string.h>

static struct hart hart;
static struct capsule reader_capsule;
static struct capsule *registered; /* as the console service */
static unsigned notified;
static uint64_t notified_ranks; /* of the locks held when the service is told */
static jmp_buf halted;

struct capsule *service_registered(unsigned type)
{
    return type == DIOSIX_SERVICE_CONSOLE ? registered : NULL;
}

void service_notify(uint64_t events)
{
    assert_int_equal(events, DIOSIX_EVENT_LOG);
    notified++;
    notified_ranks |= hart.lock_ranks;
}

static void read_everything(void)
{
    char bytes[512];
    bool shown;

    while (log_read(bytes, sizeof(bytes), &shown))
        ;
}

static int setup(void **state)
{
    (void)state;
    registered = NULL;
    log_flush();
    read_everything();
    hosted_reset();
    memset(&hart, 0, sizeof(hart));
    hosted_hart = &hart;
    reader_capsule.config.properties = DIOSIX_PROPERTY_HV_LOG_READ;
    notified = 0;
    notified_ranks = 0;
    return 0;
}

/* Reads one chunk as text. */
static const char *read_chunk(bool *shown)
{
    static char bytes[32768];

    bytes[log_read(bytes, sizeof(bytes) - 1, shown)] = '\0';
    return bytes;
}

static void test_line_has_its_time(void **state)
{
    bool shown;

    (void)state;
    hosted_time = 12 * HOSTED_FREQUENCY + HOSTED_FREQUENCY / 4;
    log_write("capsule %s: %d", "linux", 7);
    assert_string_equal(read_chunk(&shown), "[   12.250000] capsule linux: 7\n");
}

static void test_serial_port_shows_it_without_a_reader(void **state)
{
    bool shown;

    (void)state;
    log_write("early");
    assert_string_equal(hosted_serial_output, "\033[31m[    0.000000] early\033[0m\r\n");
    assert_true(log_pending());
    assert_string_equal(read_chunk(&shown), "[    0.000000] early\n");
    assert_true(shown);
    assert_false(log_pending());
}

static void test_reader_gets_it_unshown(void **state)
{
    bool shown;

    (void)state;
    registered = &reader_capsule;
    log_write("late");
    assert_string_equal(hosted_serial_output, "");
    assert_string_equal(read_chunk(&shown), "[    0.000000] late\n");
    assert_false(shown);
}

static void test_service_that_may_not_read_is_no_reader(void **state)
{
    (void)state;
    reader_capsule.config.properties = 0;
    registered = &reader_capsule;
    log_write("text");
    assert_non_null(strstr(hosted_serial_output, "text"));
}

static void test_chunk_is_all_shown_or_not_at_all(void **state)
{
    bool shown;

    (void)state;
    log_write("one");
    registered = &reader_capsule;
    log_write("two");
    assert_string_equal(read_chunk(&shown), "[    0.000000] one\n");
    assert_true(shown);
    assert_string_equal(read_chunk(&shown), "[    0.000000] two\n");
    assert_false(shown);
}

static void test_serial_port_catches_up_when_the_reader_goes(void **state)
{
    bool shown;

    (void)state;
    registered = &reader_capsule;
    log_write("one");
    log_write("two");
    log_flush();
    assert_string_equal(hosted_serial_output, "");
    registered = NULL;
    log_flush();
    assert_string_equal(hosted_serial_output, "\033[31m[    0.000000] one\033[0m\r\n"
                                              "\033[31m[    0.000000] two\033[0m\r\n");
    log_flush();
    assert_null(strstr(strstr(hosted_serial_output, "two") + 1, "two"));
    read_chunk(&shown);
    assert_true(shown);
}

static void test_what_was_read_is_not_shown_again(void **state)
{
    bool shown;

    (void)state;
    registered = &reader_capsule;
    log_write("one");
    read_chunk(&shown);
    registered = NULL;
    log_write("two");
    assert_null(strstr(hosted_serial_output, "one"));
    assert_non_null(strstr(hosted_serial_output, "two"));
}

static void test_oldest_lines_make_room(void **state)
{
    const char *text;
    bool shown;

    (void)state;
    registered = &reader_capsule;
    for (unsigned i = 0; i < 1000; i++)
        log_write("event %u.", i);
    text = read_chunk(&shown);
    assert_memory_equal(text, "[    0.000000] event ", 21); /* a whole line comes first */
    assert_null(strstr(text, "event 100."));
    assert_non_null(strstr(text, "event 999.\n"));
    assert_true(strlen(text) > 8192 - 64 && strlen(text) <= 8192);
    assert_false(shown);
}

static void test_shown_text_makes_room(void **state)
{
    bool shown;

    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        log_write("event %u.", i);
    assert_non_null(strstr(read_chunk(&shown), "event 1999."));
    assert_true(shown);
    registered = &reader_capsule;
    log_write("next");
    read_chunk(&shown);
    assert_false(shown);
}

/* Also those that go on at the ring's start. */
static void test_every_line_is_shown_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        char expected[64];

        hosted_reset();
        hosted_hart = &hart;
        log_write("event %u.", i);
        snprintf(expected, sizeof(expected), "\033[31m[    0.000000] event %u.\033[0m\r\n", i);
        assert_string_equal(hosted_serial_output, expected);
    }
}

static void test_long_line_is_cut(void **state)
{
    char name[1000];
    const char *text;
    bool shown;

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    log_write("%s", name);
    text = read_chunk(&shown);
    assert_int_equal(strlen(text), 256);
    assert_true(text[255] == '\n');
}

static void test_control_characters_are_defused(void **state)
{
    bool shown;

    (void)state;
    log_write("name %s", "\033[2J\r\n\x7f\xc3\xa9");
    assert_string_equal(read_chunk(&shown), "[    0.000000] name ?[2J???\xc3\xa9\n");
}

static void test_reader_is_told_without_locks_below(void **state)
{
    (void)state;
    registered = &reader_capsule;
    log_write("text");
    assert_int_equal(notified, 1);
    assert_int_equal(notified_ranks, 0);
}

static void halt(void)
{
    longjmp(halted, 1);
}

/* Whatever the hart holds. */
static void test_panic_takes_no_lock(void **state)
{
    static struct lock lock = LOCK_INITIALIZER(LOCK_SERIAL);

    (void)state;
    hosted_halt = halt;
    lock_acquire(&lock);
    if (!setjmp(halted))
        panic("page 0x%x has %s", 0x1000, "two owners");
    assert_string_equal(hosted_serial_output,
                        "\r\n\033[31mpanic: page 0x1000 has two owners\033[0m\r\n");
    lock_release(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_line_has_its_time, setup),
        cmocka_unit_test_setup(test_serial_port_shows_it_without_a_reader, setup),
        cmocka_unit_test_setup(test_reader_gets_it_unshown, setup),
        cmocka_unit_test_setup(test_service_that_may_not_read_is_no_reader, setup),
        cmocka_unit_test_setup(test_chunk_is_all_shown_or_not_at_all, setup),
        cmocka_unit_test_setup(test_serial_port_catches_up_when_the_reader_goes, setup),
        cmocka_unit_test_setup(test_what_was_read_is_not_shown_again, setup),
        cmocka_unit_test_setup(test_oldest_lines_make_room, setup),
        cmocka_unit_test_setup(test_shown_text_makes_room, setup),
        cmocka_unit_test_setup(test_every_line_is_shown_whole, setup),
        cmocka_unit_test_setup(test_long_line_is_cut, setup),
        cmocka_unit_test_setup(test_control_characters_are_defused, setup),
        cmocka_unit_test_setup(test_reader_is_told_without_locks_below, setup),
        cmocka_unit_test_setup(test_panic_takes_no_lock, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
