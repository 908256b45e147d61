#include "unit.h"
#include "isa.h"
#include "machine.h"
#include <stdio.h>
#include <string.h>

static const struct hart_features everything = {
    .s = true, .h = true, .f = true, .d = true, .v = true, .sstc = true, .zawrs = true};

/* The string for guests that a hart's string leads to. */
static const char *guest(const char *string, const struct hart_features *features)
{
    static struct machine_isa text;
    struct isa isa = isa_of_string(string);

    isa_limit(&isa, features);
    memset(&text, 0xa5, sizeof text);
    isa_format(&isa, &text);
    return text.base;
}

static void test_old_and_new_strings(void **state)
{
    static const struct {
        const char *host, *guest;
    } cases[] = {
        {"rv64imac", "rv64imac_zicntr_zicsr_zifencei"},
        {"rv64gc", "rv64imafdc_zicntr_zicsr_zifencei"},
        {"RV64GC", "rv64imafdc_zicntr_zicsr_zifencei"},
        {"rv64imafdcsu", "rv64imafdc_zicntr_zicsr_zifencei"},
        {"rv64imafdcsuh", "rv64imafdc_zicntr_zicsr_zifencei"},
        {"rv64i2p0m2p0a2p0c", "rv64imac_zicntr_zicsr_zifencei"},
        {"rv64i2_m2_zicsr2p0_zba1p0", "rv64im_zicntr_zicsr_zifencei_zba"},
        {"rv64imaczba", "rv64imac_zicntr_zicsr_zifencei_zba"},
        {"rv64imacsstc_zbb", "rv64imac_zicntr_zicsr_zifencei_zbb_sstc"},
        {"rv64imacb", "rv64imac_zicntr_zicsr_zifencei_zba_zbb_zbs"},
        {"rv64imafdch_zicsr_zifencei_zihintpause_zba_zbb_zbc_zbs_sstc",
         "rv64imafdc_zicntr_zicsr_zifencei_zihintpause_zba_zbb_zbc_zbs_sstc"},
        {"rv64imac__zba___", "rv64imac_zicntr_zicsr_zifencei_zba"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(guest(cases[i].host, &everything), cases[i].guest);
}

static void test_what_guests_must_not_use_is_left_out(void **state)
{
    (void)state;
    assert_string_equal(
        guest("rv64imafdcqh_zicbom_zicfilp_zicfiss_zihpm_zkr_zk_zcmt_zfinx_smaia_"
              "smstateen_ssaia_sscofpmf_ssnpm_svadu_svpbmt_shcounterenw_xtheadba_zfuture",
              &everything),
        "rv64imafdc_zicntr_zicsr_zifencei");
}

static void test_what_is_not_really_there_is_left_out(void **state)
{
    const char *host = "rv64imafdcv_zfh_zcd_zvbb_sstc";
    struct hart_features less = everything;

    (void)state;
    assert_non_null(strstr(guest("rv64imac_zawrs", &everything), "_zawrs"));
    less.zawrs = false;
    assert_null(strstr(guest("rv64imac_zawrs", &less), "zawrs"));
    less.sstc = false;
    assert_null(strstr(guest(host, &less), "sstc"));
    assert_null(strstr(guest("rv64i_svadu", &less), "svadu"));
    less.svadu = true;
    assert_non_null(strstr(guest("rv64i_svadu", &less), "svadu"));
    assert_null(strstr(guest("rv64i_zicboz", &less), "zicboz"));
    less.zero_block = 64;
    assert_null(strstr(guest("rv64i_zicboz", &less), "zicboz"));
    less.menvcfg = true;
    assert_non_null(strstr(guest("rv64i_zicboz", &less), "zicboz"));
    less.v = false;
    assert_string_equal(guest(host, &less), "rv64imafdc_zicntr_zicsr_zifencei_zfh_zcd");
    less.d = false;
    assert_string_equal(guest(host, &less), "rv64imafc_zicntr_zicsr_zifencei_zfh");
    less.f = false;
    assert_string_equal(guest(host, &less), "rv64imac_zicntr_zicsr_zifencei");
}

static void test_nonsense(void **state)
{
    static const char *const strings[] = {"", "r", "rv32imac", "rv", "rv64", "_rv64i", "rv128i"};

    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        assert_string_equal(guest(strings[i], &everything), "rv64");
    guest("rv64z", &everything);
    guest("rv64_p1p", &everything);
    guest("rv64i9p", &everything);
    guest("rv64s", &everything);
    guest("rv64\xff\xfe", &everything);
}

static void test_list_form(void **state)
{
    static const char list[] = "i\0m\0zicsr\0zvfuture\0sstc\0h";
    struct isa isa = isa_of_list(list, sizeof list);
    struct machine_isa text;

    (void)state;
    isa_format(&isa, &text);
    assert_string_equal(text.base, "rv64im_zicsr_sstc");
    assert_memory_equal(text.extensions, "i\0m\0zicsr\0sstc\0", 15);
    /* Without its last NUL, the last name does not count. */
    isa = isa_of_list(list, 3);
    isa_format(&isa, &text);
    assert_string_equal(text.base, "rv64i");
}

static void test_common_part(void **state)
{
    struct isa isa = isa_intersection(isa_of_string("rv64imafdc_zba_svinval"),
                                      isa_of_string("rv64imac_zbb_svinval"));
    struct machine_isa text;

    (void)state;
    isa_format(&isa, &text);
    assert_string_equal(text.base, "rv64imac_zicntr_zicsr_zifencei_svinval");
}

/* What is left of a hart's string, or what was wrong with the removals. */
static const char *without(const char *host, const char *removals)
{
    static struct machine_isa text;
    struct isa isa = isa_of_string(host);
    const char *wrong = isa_remove(&isa, removals);

    isa_format(&isa, &text);
    return wrong ? wrong : text.base;
}

static void test_removals(void **state)
{
    static const struct {
        const char *host, *removals, *guest;
    } cases[] = {
        {"rv64imac_zba_zbb", "", "rv64imac_zicntr_zicsr_zifencei_zba_zbb"},
        {"rv64imac_zba_zbb", "-zbb", "rv64imac_zicntr_zicsr_zifencei_zba"},
        {"rv64imac_zba_zbb", ",-zbb ,, -ZBA,", "rv64imac_zicntr_zicsr_zifencei"},
        {"rv64imac", "-v", "rv64imac_zicntr_zicsr_zifencei"}, /* not there anyway */
        {"rv64imafdcv_zvbb_zba_sstc", "-v", "rv64imafdc_zicntr_zicsr_zifencei_zba_sstc"},
        {"rv64imafdcv_zve64d_zvbb", "-zve32x", "rv64imafdc_zicntr_zicsr_zifencei"},
        {"rv64imafdcv_zcd_zfh", "-d", "rv64imafc_zicntr_zicsr_zifencei_zfh"},
        {"rv64imafdcv_zcd_zfh_sstc", "-f", "rv64imac_zicntr_zicsr_zifencei_sstc"},
        {"rv64imafdc_zfh_zfhmin", "-zfhmin", "rv64imafdc_zicntr_zicsr_zifencei"},
        {"rv64imac_sstc_zba", "-sstc", "rv64imac_zicntr_zicsr_zifencei_zba"},
        {"rv64imac_zkn_zbkb_zbkc", "-zbkb", "rv64imac_zicntr_zicsr_zifencei_zbkc"},
        {"rv64imac_zkn", "-zba", "rv64imac_zicntr_zicsr_zifencei_zkn"},
        {"rv64imafdcv_zvksg_zvks_zvkt_zvkg", "-zvksh",
         "rv64imafdcv_zicntr_zicsr_zifencei_zvkg_zvkt"},
        /* what is wrong */
        {"rv64imac", "-i", "-i"},
        {"rv64imac_zba", "-zba,-m,-a", "-m,-a"},
        {"rv64imac", "-zicsr", "-zicsr"},
        {"rv64imac", "-zcd", "-zcd"},
        {"rv64imac", "v", "v"},
        {"rv64imac", "+v", "+v"},
        {"rv64imac", "-", "-"},
        {"rv64imac", "--v", "--v"},
        {"rv64imac", "-zfuture -v", "-zfuture -v"},
        {"rv64imac", "-h", "-h"},
        {"rv64imac", "-v;-f", "-v;-f"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(without(cases[i].host, cases[i].removals), cases[i].guest);
}

/* Whatever it takes to have an extension: nothing goes that nobody asked to go. */
static void test_nothing_removed_leaves_everything(void **state)
{
    struct isa all = {{UINT64_MAX, UINT64_MAX}}, left = all;
    struct machine_isa before, after;

    (void)state;
    assert_null(isa_remove(&left, ""));
    isa_format(&all, &before);
    isa_format(&left, &after);
    assert_string_equal(after.base, before.base);
}

static void test_has(void **state)
{
    struct isa isa = isa_of_string("rv64imac_zba"), all = {{UINT64_MAX, UINT64_MAX}};

    (void)state;
    assert_true(isa_has(&isa, "zba"));
    assert_false(isa_has(&isa, "zb"));
    assert_false(isa_has(&isa, "zbb"));
    assert_false(isa_has(&isa, "f"));
    assert_false(isa_has(&all, "zfuture"));
}

/* All that the table has fits both forms with room to end the list. */
static void test_everything_fits(void **state)
{
    struct isa isa = {{UINT64_MAX, UINT64_MAX}};
    struct machine_isa text;
    size_t used = 0;

    (void)state;
    isa_format(&isa, &text);
    assert_true(strlen(text.base) < sizeof text.base);
    assert_non_null(strstr(text.base, "_svvptc"));
    while (text.extensions[used])
        used += strlen(text.extensions + used) + 1;
    assert_true(used < sizeof text.extensions);
    assert_string_equal(text.extensions + used - 7, "svvptc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_and_new_strings),
        cmocka_unit_test(test_what_guests_must_not_use_is_left_out),
        cmocka_unit_test(test_what_is_not_really_there_is_left_out),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_list_form),
        cmocka_unit_test(test_common_part),
        cmocka_unit_test(test_removals),
        cmocka_unit_test(test_nothing_removed_leaves_everything),
        cmocka_unit_test(test_has),
        cmocka_unit_test(test_everything_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
