#include "unit.h"
#include "error.h"
#include <string.h>

static void test_each_error_has_its_own_name(void **state)
{
    (void)state;
    for (int a = OK; a <= ERROR_NO_SUPPORT; a++) {
        assert_string_not_equal(error_name(a), "unknown error");
        for (int b = OK; b < a; b++)
            assert_string_not_equal(error_name(a), error_name(b));
    }
}

static void test_other_values_have_a_name_too(void **state)
{
    (void)state;
    assert_string_equal(error_name(ERROR_NO_SUPPORT + 1), "unknown error");
    assert_string_equal(error_name((enum error) - 1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_error_has_its_own_name),
        cmocka_unit_test(test_other_values_have_a_name_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
