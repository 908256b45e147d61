/* The hypervisor's command line. */
#include "unit.h"
#include "bootargs.h"
#include "log.h"
#include <stdio.h>
#include <string.h>

static char logged[1024];

void log_write(const char *format, ...)
{
    va_list arguments;
    size_t used = strlen(logged);

    va_start(arguments, format);
    vsnprintf(logged + used, sizeof(logged) - used, format, arguments);
    va_end(arguments);
}

static int reset(void **state)
{
    (void)state;
    bootargs = (struct bootargs){0};
    logged[0] = '\0';
    return 0;
}

static void nothing_is_chosen_without_words(void **state)
{
    (void)state;
    bootargs_parse("");
    bootargs_parse(" \t\n ");
    assert_false(bootargs.force_pmp || bootargs.no_services || bootargs.no_guests);
    assert_string_equal(logged, "");
}

static void each_word_makes_its_choice(void **state)
{
    (void)state;
    bootargs_parse("isolation=pmp");
    assert_true(bootargs.force_pmp && !bootargs.no_services && !bootargs.no_guests);
    bootargs_parse(" services=no\t");
    assert_true(bootargs.no_services && !bootargs.no_guests);
    bootargs_parse("guests=no");
    assert_true(bootargs.no_guests);
    assert_string_equal(logged, "");
}

static void the_last_word_counts(void **state)
{
    (void)state;
    bootargs_parse("isolation=pmp services=no guests=no isolation=auto services=yes guests=yes");
    assert_false(bootargs.force_pmp || bootargs.no_services || bootargs.no_guests);
    bootargs_parse("isolation=auto isolation=pmp");
    assert_true(bootargs.force_pmp);
}

static void debug_builds_take_a_violation(void **state)
{
    (void)state;
    bootargs_parse("violate=write-text services=no");
    assert_string_equal(bootargs.violate, "write-text");
    assert_true(bootargs.no_services);
    bootargs_parse("violate=one-that-is-too-long-to-be-any");
    assert_string_equal(bootargs.violate, "write-text");
    assert_non_null(strstr(logged, "is unknown and ignored"));
}

static void unknown_words_are_named_and_change_nothing(void **state)
{
    (void)state;
    bootargs_parse("isolation=pm guests isolation=pmpx =no services=no");
    assert_false(bootargs.force_pmp || bootargs.no_guests);
    assert_true(bootargs.no_services);
    assert_non_null(strstr(logged, "'isolation=pm'"));
    assert_non_null(strstr(logged, "'guests'"));
    assert_non_null(strstr(logged, "'isolation=pmpx'"));
    assert_non_null(strstr(logged, "'=no'"));
    assert_null(strstr(logged, "services"));
}

/* Those that a debug build alone knows. */
static void faults_are_chosen_by_words(void **state)
{
    (void)state;
    bootargs_parse("fail=hart fail=allocation:17 fail=serial fail=pmp6:1 fail=gstage:300 "
                   "fail=start");
    assert_true(bootargs.fail.hart_away && bootargs.fail.serial && bootargs.fail.start);
    assert_false(bootargs.fail.hart_late || bootargs.fail.pmp1 || bootargs.fail.pmp3);
    assert_int_equal(bootargs.fail.pmp6, 1);
    assert_int_equal(bootargs.fail.gstage, 300);
    assert_int_equal(bootargs.fail.allocation, 17);
    assert_string_equal(logged, "");
    bootargs_parse("fail=allocation: fail=allocation:1x fail=allocation:1234567890 fail= "
                   "fail=pmp6");
    assert_int_equal(bootargs.fail.allocation, 17);
    assert_non_null(strstr(logged, "'fail=allocation:'"));
    assert_non_null(strstr(logged, "'fail=allocation:1x'"));
    assert_non_null(strstr(logged, "'fail=allocation:1234567890'"));
    assert_non_null(strstr(logged, "'fail='"));
    assert_non_null(strstr(logged, "'fail=pmp6'"));
}

static void a_long_word_is_cut_in_the_log(void **state)
{
    char word[400];

    (void)state;
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    bootargs_parse(word);
    assert_in_range(strlen(logged), 64, 140);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_chosen_without_words, reset),
        cmocka_unit_test_setup(each_word_makes_its_choice, reset),
        cmocka_unit_test_setup(the_last_word_counts, reset),
        cmocka_unit_test_setup(debug_builds_take_a_violation, reset),
        cmocka_unit_test_setup(unknown_words_are_named_and_change_nothing, reset),
        cmocka_unit_test_setup(faults_are_chosen_by_words, reset),
        cmocka_unit_test_setup(a_long_word_is_cut_in_the_log, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
