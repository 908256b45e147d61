/* The second map of owners: it follows the first, notices what does not fit, and says so. */
#include "unit.h"
#include "snapshot.h"
#include "capsule.h"
#include "hosted.h"
#include "memory.h"
#include "ownership.h"
#include <stdio.h>
#include <string.h>

#define REGION (8 * MEGAPAGE_SIZE)
#define OWNERS 6

static struct hpa ram, more;
static struct hart hart;
static jmp_buf halted;

static void halt(void)
{
    longjmp(halted, 1);
}

static int setup(void **state)
{
    snapshot_setup(state);
    hosted_reset();
    hosted_hart = &hart;
    hosted_halt = halt;
    ownership_watch();
    ram = hosted_add_ram(REGION);
    memory_reserve(hpa(ram.value + 5 * PAGE_SIZE), 3 * PAGE_SIZE, MEMORY_HYPERVISOR);
    more = hosted_add_ram(REGION);
    ownership_begin();
    return 0;
}

static uint64_t offset_of(struct hpa address, struct hpa base)
{
    return address.value - base.value;
}

static void assert_owner(struct hpa base, uint64_t size, int owner)
{
    struct hpa where;

    assert_true(ownership_is(base, size, owner, &where));
}

static void assert_other_owner_at(struct hpa base, uint64_t size, int owner, uint64_t offset)
{
    struct hpa where;

    assert_false(ownership_is(base, size, owner, &where));
    assert_int_equal(offset_of(where, base), offset);
}

static void test_knows_what_came_before_it(void **state)
{
    (void)state;
    assert_true(ownership_is_known());
    assert_owner(hpa(ram.value + 5 * PAGE_SIZE), 3 * PAGE_SIZE, MEMORY_HYPERVISOR);
    assert_owner(ram, 5 * PAGE_SIZE, MEMORY_FREE);
    assert_other_owner_at(ram, REGION, MEMORY_FREE, 5 * PAGE_SIZE);
    assert_int_equal(ownership_bytes(MEMORY_HYPERVISOR), 3 * PAGE_SIZE);
    for (int owner = MEMORY_FREE; owner <= MEMORY_HYPERVISOR; owner++)
        assert_int_equal(ownership_bytes(owner), memory_owned(owner));
}

static void test_finds_one_wrong_page(void **state)
{
    struct hpa base = hpa(ram.value + MEGAPAGE_SIZE);

    (void)state;
    assert_int_equal(memory_alloc_at(base, 4 * MEGAPAGE_SIZE, 7), OK);
    assert_owner(base, 4 * MEGAPAGE_SIZE, 7);
    assert_owner(hpa(base.value + PAGE_SIZE), 4 * MEGAPAGE_SIZE - PAGE_SIZE, 7);
    assert_other_owner_at(base, 4 * MEGAPAGE_SIZE, 6, 0);
    assert_other_owner_at(base, 4 * MEGAPAGE_SIZE + PAGE_SIZE, 7, 4 * MEGAPAGE_SIZE);
    assert_other_owner_at(hpa(base.value - PAGE_SIZE), MEGAPAGE_SIZE, 7, 0);
    for (unsigned page = 0; page < MEGAPAGE_SIZE / PAGE_SIZE; page += 73) {
        uint64_t offset = 2 * MEGAPAGE_SIZE + page * PAGE_SIZE;

        memory_free(hpa(base.value + offset), PAGE_SIZE, 7);
        assert_other_owner_at(base, 4 * MEGAPAGE_SIZE, 7, offset);
        assert_int_equal(ownership_bytes(7), 4 * MEGAPAGE_SIZE - PAGE_SIZE);
        assert_int_equal(memory_alloc_at(hpa(base.value + offset), PAGE_SIZE, 7), OK);
        assert_owner(base, 4 * MEGAPAGE_SIZE, 7);
    }
}

static void test_outside_ram_is_nobodys(void **state)
{
    struct hpa end = hpa((ram.value > more.value ? ram.value : more.value) + REGION);

    (void)state;
    assert_other_owner_at(end, PAGE_SIZE, MEMORY_FREE, 0);
    assert_other_owner_at(hpa(0), PAGE_SIZE, MEMORY_FREE, 0);
    assert_other_owner_at(hpa(end.value - PAGE_SIZE), UINT64_MAX / 2, MEMORY_RESERVED, PAGE_SIZE);
}

static void test_tables_have_an_owner_of_their_own(void **state)
{
    struct hpa tables;

    (void)state;
    assert_int_equal(memory_alloc(4 * PAGE_SIZE, PAGE_SIZE, MEMORY_HYPERVISOR, &tables), OK);
    ownership_set_tables(tables, 4 * PAGE_SIZE, 3, true);
    assert_owner(tables, 4 * PAGE_SIZE, ownership_tables_of(3));
    assert_other_owner_at(tables, 4 * PAGE_SIZE, ownership_tables_of(2), 0);
    assert_other_owner_at(tables, 4 * PAGE_SIZE, MEMORY_HYPERVISOR, 0);
    assert_other_owner_at(tables, 4 * PAGE_SIZE, 3, 0);
    ownership_set_tables(tables, 4 * PAGE_SIZE, 3, false);
    assert_owner(tables, 4 * PAGE_SIZE, MEMORY_HYPERVISOR);
    memory_free(tables, 4 * PAGE_SIZE, MEMORY_HYPERVISOR);
}

static void assert_described(struct hpa page, const char *expected)
{
    char text[48];

    ownership_describe(page, text, sizeof text);
    assert_string_equal(text, expected);
}

static void test_names_owners(void **state)
{
    struct hpa page = hpa(ram.value + 5 * PAGE_SIZE);

    (void)state;
    assert_described(ram, "nobody");
    assert_described(page, "the hypervisor");
    ownership_set_tables(page, PAGE_SIZE, 63, true);
    assert_described(page, "the tables of capsule 63");
    assert_int_equal(memory_alloc_at(ram, PAGE_SIZE, 63), OK);
    assert_described(ram, "capsule 63");
    assert_described(hpa(0), "no RAM");
}

static void assert_change_is_a_panic(int page, int from, int to)
{
    setup(NULL);
    assert_int_equal(memory_alloc_at(ram, PAGE_SIZE, 1), OK);
    if (setjmp(halted) == 0) {
        memory_watcher(page < 0 ? hpa(0) : hpa(ram.value + (unsigned)page * PAGE_SIZE), PAGE_SIZE,
                       from, to);
        fail_msg("nothing was noticed");
    }
    assert_non_null(strstr(hosted_serial_output, "changes hands"));
}

/* What no allocator should do: it gives a page that is not free, and takes one from a stranger. */
static void test_a_change_that_does_not_fit_is_a_panic(void **state)
{
    (void)state;
    assert_change_is_a_panic(0, MEMORY_FREE, 2);
    assert_change_is_a_panic(0, 2, MEMORY_FREE);
    assert_change_is_a_panic(1, 1, MEMORY_FREE);
    assert_change_is_a_panic(5, MEMORY_FREE, 1);
    assert_change_is_a_panic(-1, MEMORY_FREE, 1);
}

/* Random allocations: at any time both maps say the same of every page. */
static void test_follows_the_first_map(void **state)
{
    uint64_t seed = 11;

    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        int owner = (int)(unit_random(&seed) % OWNERS);
        struct hpa base = hpa((unit_random(&seed) % 2 ? ram : more).value +
                              unit_random(&seed) % (REGION / PAGE_SIZE) * PAGE_SIZE);
        uint64_t size = (1 + unit_random(&seed) % 1500) * PAGE_SIZE;
        struct memory_extent extent = memory_lookup(base);

        if (extent.owner == MEMORY_FREE)
            memory_alloc_at(base, size, owner);
        else if (extent.owner >= 0)
            memory_free(extent.base, extent.size, extent.owner);
        for (size_t i = 0; memory_extent_at(i, &extent); i++) {
            assert_owner(extent.base, extent.size, extent.owner);
            assert_other_owner_at(extent.base, extent.size + PAGE_SIZE, extent.owner, extent.size);
        }
    }
    for (int owner = MEMORY_FREE; owner < OWNERS; owner++)
        assert_int_equal(ownership_bytes(owner), memory_owned(owner));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_knows_what_came_before_it, setup),
        cmocka_unit_test_setup(test_finds_one_wrong_page, setup),
        cmocka_unit_test_setup(test_outside_ram_is_nobodys, setup),
        cmocka_unit_test_setup(test_tables_have_an_owner_of_their_own, setup),
        cmocka_unit_test_setup(test_names_owners, setup),
        cmocka_unit_test_setup(test_a_change_that_does_not_fit_is_a_panic, setup),
        cmocka_unit_test_setup(test_follows_the_first_map, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
