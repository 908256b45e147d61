/*
 * The map of memory. The source is included with a small array, so that its limits can be reached
 * and its state be set back between tests. Where memory is touched (the array's own growth,
 * memory_alloc_pages), the RAM is the test program's own.
 */
#define MEMORY_EXTENT_MAX 16
#include "../../hypervisor/core/memory.c"

#include "unit.h"
#include "port.h"
#include <stdlib.h>

#define RAM      0x80000000UL
#define PAGES(n) ((n)*PAGE_SIZE)

static jmp_buf halted;

void port_halt(void)
{
    longjmp(halted, 1);
}

void port_relax(void)
{
}

struct hart *port_hart(void)
{
    return NULL;
}

#define PANICS(statement)                                                                          \
    (setjmp(halted) ? true : ({                                                                    \
        statement;                                                                                 \
        false;                                                                                     \
    }))

static int setup(void **state)
{
    (void)state;
    map.array = first_array;
    lent = NULL;
    map.capacity = MEMORY_EXTENT_MAX;
    map.count = 0;
    clear_start = clear_end = preferred_end = 0;
    memset(divided, 0, sizeof divided);
    lock = (struct lock)LOCK_INITIALIZER(LOCK_MEMORY);
    return 0;
}

/* Extents are in order, not empty, don't overlap, and no two neighbours could be one. */
static void check_map(void)
{
    struct memory_extent extent, last;

    for (size_t i = 0; memory_extent_at(i, &extent); i++, last = extent) {
        assert_true(extent.size > 0);
        assert_int_equal((extent.base.value | extent.size) % PAGE_SIZE, 0);
        if (i == 0)
            continue;
        assert_true(extent.base.value >= last.base.value + last.size);
        if (extent.base.value == last.base.value + last.size)
            assert_int_not_equal(extent.owner, last.owner);
    }
}

static int owner_at(uint64_t address)
{
    return memory_lookup(hpa(address)).owner;
}

static void test_ram_narrows_and_reservations_widen_to_pages(void **state)
{
    (void)state;
    assert_int_equal(memory_add(hpa(RAM + 1), PAGES(16)), OK);
    assert_int_equal(owner_at(RAM), MEMORY_NONE);
    assert_int_equal(owner_at(RAM + PAGES(1)), MEMORY_FREE);
    assert_int_equal(owner_at(RAM + PAGES(16)), MEMORY_NONE);
    assert_int_equal(memory_owned(MEMORY_FREE), PAGES(15));
    assert_int_equal(memory_reserve(hpa(RAM + PAGES(4) - 1), 2, MEMORY_RESERVED), OK);
    assert_int_equal(owner_at(RAM + PAGES(3)), MEMORY_RESERVED);
    assert_int_equal(owner_at(RAM + PAGES(4)), MEMORY_RESERVED);
    assert_int_equal(memory_owned(MEMORY_RESERVED), PAGES(2));
    check_map();
}

static void test_overlapping_banks_count_once(void **state)
{
    struct memory_extent extent;

    (void)state;
    assert_int_equal(memory_add(hpa(RAM + PAGES(8)), PAGES(8)), OK);
    assert_int_equal(memory_reserve(hpa(RAM + PAGES(10)), PAGES(1), 5), OK);
    assert_int_equal(memory_add(hpa(RAM), PAGES(32)), OK);
    assert_int_equal(memory_owned(MEMORY_FREE), PAGES(31));
    assert_int_equal(owner_at(RAM + PAGES(10)), 5);
    assert_true(memory_extent_at(2, &extent));
    assert_false(memory_extent_at(3, &extent));
    check_map();
}

static void test_nonsense_from_a_device_tree(void **state)
{
    (void)state;
    assert_int_equal(memory_add(hpa(0), PAGES(2)), OK);
    assert_int_equal(owner_at(0), MEMORY_NONE); /* the page at NULL is not used */
    assert_int_equal(owner_at(PAGES(1)), MEMORY_FREE);
    assert_int_equal(memory_add(hpa(RAM), 0), OK);
    assert_int_equal(memory_add(hpa(RAM + 5), 100), OK);
    assert_int_equal(memory_add(hpa(UINT64_MAX - 5), 100), OK);
    assert_int_equal(memory_owned(MEMORY_FREE), PAGES(1));
    assert_int_equal(memory_add(hpa(UINT64_MAX - PAGES(3) + 1), UINT64_MAX), OK);
    assert_int_equal(memory_owned(MEMORY_FREE), PAGES(3));
    assert_int_equal(memory_reserve(hpa(UINT64_MAX - PAGES(2)), UINT64_MAX, MEMORY_RESERVED), OK);
    assert_int_equal(memory_reserve(hpa(0x5000000), 0, MEMORY_RESERVED), OK);
    check_map();
}

static void test_first_reservation_keeps_its_owner(void **state)
{
    (void)state;
    memory_add(hpa(RAM), PAGES(16));
    memory_reserve(hpa(RAM), PAGES(4), MEMORY_RESERVED);
    memory_reserve(hpa(RAM), PAGES(8), MEMORY_HYPERVISOR);
    assert_int_equal(memory_owned(MEMORY_RESERVED), PAGES(4));
    assert_int_equal(memory_owned(MEMORY_HYPERVISOR), PAGES(4));
    check_map();
}

static void test_guests_from_the_top_aligned(void **state)
{
    struct hpa base;

    (void)state;
    memory_add(hpa(RAM), 64 * MEGAPAGE_SIZE + PAGES(3));
    assert_int_equal(memory_alloc(8 * MEGAPAGE_SIZE, MEGAPAGE_SIZE, 0, &base), OK);
    assert_int_equal(base.value, RAM + 56 * MEGAPAGE_SIZE);
    assert_int_equal(memory_alloc(PAGE_SIZE, PAGE_SIZE, 1, &base), OK);
    assert_int_equal(base.value, RAM + 64 * MEGAPAGE_SIZE + PAGES(2));
    assert_int_equal(memory_alloc(MEGAPAGE_SIZE, 64 * MEGAPAGE_SIZE, 2, &base), OK);
    assert_int_equal(base.value, RAM);
    check_map();
}

static void test_alloc_at_needs_all_of_it_free(void **state)
{
    (void)state;
    memory_add(hpa(RAM), PAGES(16));
    memory_reserve(hpa(RAM + PAGES(8)), PAGES(1), MEMORY_RESERVED);
    assert_int_equal(memory_alloc_at(hpa(RAM + PAGES(4)), PAGES(5), 1), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc_at(hpa(RAM - PAGES(1)), PAGES(2), 1), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc_at(hpa(RAM + PAGES(15)), PAGES(2), 1), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc_at(hpa(RAM + PAGES(12)), -PAGE_SIZE, 1), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc_at(hpa(UINT64_MAX - PAGE_SIZE + 1), PAGES(1), 1),
                     ERROR_NO_MEMORY);
    assert_int_equal(memory_owned(1), 0);
    assert_int_equal(memory_alloc_at(hpa(RAM + PAGES(4)), PAGES(4), 1), OK);
    assert_int_equal(memory_owned(1), PAGES(4));
    assert_int_equal(memory_alloc_at(hpa(RAM + PAGES(4)), PAGES(1), 2), ERROR_NO_MEMORY);
    check_map();
}

static void test_bad_arguments_change_nothing(void **state)
{
    struct hpa base = hpa(123);

    (void)state;
    memory_add(hpa(RAM), PAGES(16));
    assert_int_equal(memory_alloc(0, PAGE_SIZE, 1, &base), ERROR_BAD_CONFIG);
    assert_int_equal(memory_alloc(100, PAGE_SIZE, 1, &base), ERROR_BAD_CONFIG);
    assert_int_equal(memory_alloc(PAGE_SIZE, 3 * PAGE_SIZE, 1, &base), ERROR_BAD_CONFIG);
    assert_int_equal(memory_alloc(PAGE_SIZE, 8, 1, &base), ERROR_BAD_CONFIG);
    assert_int_equal(memory_alloc(PAGES(17), PAGE_SIZE, 1, &base), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc(-PAGE_SIZE, PAGE_SIZE, 1, &base), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc(PAGE_SIZE, 1UL << 63, 1, &base), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc_at(hpa(RAM + 8), PAGES(1), 1), ERROR_BAD_CONFIG);
    assert_int_equal(base.value, 123);
    assert_int_equal(memory_owned(MEMORY_FREE), PAGES(16));
    assert_null(memory_alloc_pages(0));
    assert_null(memory_alloc_pages(SIZE_MAX));
    assert_null(memory_alloc_pages(PAGES(17)));
}

static void test_free_of_what_is_not_owned_panics(void **state)
{
    (void)state;
    memory_add(hpa(RAM), PAGES(16));
    assert_int_equal(memory_alloc_at(hpa(RAM + PAGES(4)), PAGES(4), 1), OK);
    assert_true(PANICS(memory_free(hpa(RAM + PAGES(4)), PAGES(4), 2)));
    lock = (struct lock)LOCK_INITIALIZER(LOCK_MEMORY);
    assert_true(PANICS(memory_free(hpa(RAM + PAGES(4)), PAGES(5), 1)));
    lock = (struct lock)LOCK_INITIALIZER(LOCK_MEMORY);
    assert_true(PANICS(memory_free(hpa(RAM + PAGES(3)), PAGES(5), 1)));
    lock = (struct lock)LOCK_INITIALIZER(LOCK_MEMORY);
    assert_true(PANICS(memory_free(hpa(RAM), PAGES(1), MEMORY_FREE)));
    lock = (struct lock)LOCK_INITIALIZER(LOCK_MEMORY);
    assert_true(PANICS(memory_free(hpa(RAM + PAGES(20)), PAGES(1), 1)));
    lock = (struct lock)LOCK_INITIALIZER(LOCK_MEMORY);
    assert_int_equal(memory_owned(1), PAGES(4));
}

static void test_full_array_at_boot(void **state)
{
    enum error error = OK;
    unsigned banks = 0;

    (void)state;
    for (; !error && banks < 100; banks++)
        error = memory_add(hpa(RAM + PAGES(4 * banks)), PAGES(3));
    assert_int_equal(error, ERROR_NO_MEMORY);
    assert_int_equal(banks, MEMORY_EXTENT_MAX + 1);
    assert_int_equal(memory_reserve(hpa(RAM + PAGES(1)), PAGES(1), 1), ERROR_NO_MEMORY);
    assert_int_equal(memory_owned(1), 0);
    check_map();
}

/* Boot's array has room for a tree with many reservations; then the map goes to where it stays. */
static void test_array_that_boot_lends(void **state)
{
    static struct memory_extent array[40];
    unsigned banks;

    (void)state;
    memory_lend(array, 40);
    for (banks = 0; banks < 39; banks++)
        assert_int_equal(memory_add(hpa(RAM + PAGES(4 * banks)), PAGES(3)), OK);
    map.count = MEMORY_EXTENT_MAX / 2 - 1; /* the others are forgotten */
    assert_true(memory_settle());
    memset(array, 0xff, sizeof array);
    assert_ptr_equal(map.array, first_array);
    assert_int_equal(map.capacity, MEMORY_EXTENT_MAX);
    assert_int_equal(memory_owned(MEMORY_FREE), PAGES(3 * (MEMORY_EXTENT_MAX / 2 - 1)));
    check_map();
}

static void test_array_that_boot_lends_goes_to_pages(void **state)
{
    static struct memory_extent array[40];
    uint8_t *ram = aligned_alloc(PAGE_SIZE, PAGES(2));

    (void)state;
    memory_lend(array, 40);
    for (unsigned i = 0; i < 20; i++)
        memory_add(hpa(PAGES(4 * i + 1)), PAGES(3));
    memory_reserve(hpa(0), PAGES(100), MEMORY_RESERVED);
    assert_false(memory_settle()); /* there is no free page */
    assert_ptr_equal(map.array, array);
    memory_add(hpa_of(ram), PAGES(2));
    assert_true(memory_settle());
    memset(array, 0xff, sizeof array);
    assert_ptr_equal(map.array, ram);
    assert_int_equal(memory_owned(MEMORY_HYPERVISOR), PAGES(1));
    assert_int_equal(memory_owned(MEMORY_RESERVED), PAGES(60));
    check_map();
    free(ram);
}

static void test_own_pages_are_low_and_clear(void **state)
{
    uint8_t *ram = aligned_alloc(PAGE_SIZE, PAGES(8)), *pages;

    (void)state;
    memset(ram, 0xa5, PAGES(8));
    memory_add(hpa_of(ram), PAGES(8));
    pages = memory_alloc_pages(PAGE_SIZE + 1);
    assert_ptr_equal(pages, ram);
    for (unsigned i = 0; i < PAGES(2); i++)
        assert_int_equal(pages[i], 0);
    assert_int_equal(pages[PAGES(2)], 0xa5);
    assert_int_equal(memory_owned(MEMORY_HYPERVISOR), PAGES(2));
    memory_free_pages(pages, PAGE_SIZE + 1);
    assert_int_equal(memory_owned(MEMORY_FREE), PAGES(8));
    free(ram);
}

/* Own pages lie before what is kept clear, then behind it, and at its very end only at last. */
static void test_own_pages_stay_out_of_what_is_kept_clear(void **state)
{
    uint8_t *ram = aligned_alloc(PAGE_SIZE, PAGES(8));
    static const int expected[] = {0, 1, 6, 7, 5, 4, 3, 2};

    (void)state;
    memory_add(hpa_of(ram), PAGES(8));
    memory_keep_clear(hpa_of(ram + PAGES(2)), hpa_of(ram + PAGES(6)).value);
    for (unsigned i = 0; i < 8; i++)
        assert_ptr_equal(memory_alloc_pages(PAGE_SIZE), ram + PAGES(expected[i]));
    assert_null(memory_alloc_pages(PAGE_SIZE));
    for (unsigned i = 0; i < 8; i++)
        memory_free_pages(ram + PAGES(i), PAGE_SIZE);
    memory_keep_clear(hpa_of(ram + PAGES(1)), UINT64_MAX);
    assert_ptr_equal(memory_alloc_pages(PAGES(2)), ram + PAGES(6)); /* does not fit before */
    assert_ptr_equal(memory_alloc_pages(PAGE_SIZE), ram);
    memory_keep_clear(hpa(0), 0);
    assert_ptr_equal(memory_alloc_pages(PAGE_SIZE), ram + PAGES(1));
    free(ram);
}

/* Low memory that is not kept clear, from its end, then the highest, then what is kept clear. */
static void test_guests_get_preferred_memory_first(void **state)
{
    static const int expected[] = {4, 3, 7, 6, 5, 2, 1, 0};
    struct hpa base;

    (void)state;
    memory_add(hpa(RAM), PAGES(8));
    memory_keep_clear(hpa(RAM + PAGES(1)), RAM + PAGES(3));
    memory_prefer_below(RAM + PAGES(5));
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(memory_alloc(PAGE_SIZE, PAGE_SIZE, 1, &base), OK);
        assert_int_equal(base.value, RAM + PAGES(expected[i]));
    }
    memory_free(hpa(RAM), PAGES(8), 1);
    assert_int_equal(memory_alloc(PAGES(3), PAGE_SIZE, 1, &base), OK); /* larger than it */
    assert_int_equal(base.value, RAM + PAGES(5));
}

/* The hypervisor's pages and guests' memory never come to where the other's are. */
static void test_divided_for_good(void **state)
{
    uint8_t *ram = aligned_alloc(PAGE_SIZE, PAGES(16));
    struct memory_range ranges[MEMORY_GUEST_RANGES];
    struct hpa base;

    (void)state;
    memory_add(hpa_of(ram), PAGES(16));
    memory_reserve(hpa_of(ram), PAGES(2), MEMORY_HYPERVISOR);
    memory_reserve(hpa_of(ram + PAGES(6)), PAGES(1), MEMORY_RESERVED);
    memory_keep_clear(hpa_of(ram + PAGES(3)), hpa_of(ram + PAGES(4)).value);
    memory_divide(PAGES(2), ranges); /* free: 2 to 5, 7 to 15 */
    assert_int_equal(ranges[0].base.value, hpa_of(ram + PAGES(3)).value);
    assert_int_equal(ranges[0].size, PAGES(3));
    assert_int_equal(ranges[1].base.value, hpa_of(ram + PAGES(7)).value);
    assert_int_equal(ranges[1].size, PAGES(7)); /* the two at the end are room */

    assert_int_equal(memory_alloc_at(hpa_of(ram + PAGES(2)), PAGES(1), 1), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc_at(hpa_of(ram + PAGES(13)), PAGES(2), 1), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc_at(hpa_of(ram + PAGES(3)), PAGES(1), 1), OK);
    assert_int_equal(memory_alloc(PAGES(7), PAGE_SIZE, 1, &base), OK);
    assert_int_equal(base.value, ranges[1].base.value);
    assert_int_equal(memory_alloc(PAGES(3), PAGE_SIZE, 1, &base), ERROR_NO_MEMORY);
    assert_int_equal(memory_alloc(PAGES(2), PAGE_SIZE, 1, &base), OK);
    assert_int_equal(base.value, hpa_of(ram + PAGES(4)).value);
    memory_free(ranges[0].base, PAGES(3), 1);

    assert_int_equal(memory_alloc_low(PAGES(2), PAGE_SIZE, &base), OK);
    assert_int_equal(base.value, hpa_of(ram + PAGES(14)).value);
    assert_ptr_equal(memory_alloc_pages(PAGES(1)), ram + PAGES(2));
    assert_null(memory_alloc_pages(PAGES(1))); /* 3 to 5 are free, and guests' */
    memory_free(ranges[1].base, ranges[1].size, 1);
    assert_null(memory_alloc_pages(PAGES(1)));
    free(ram);
}

/* Every other page given back, so that the array must grow several times; then all the rest. */
static void test_array_grows_out_of_fragmented_memory(void **state)
{
    uint8_t *ram = aligned_alloc(PAGE_SIZE, PAGES(4096));
    static void *pages[2000];

    (void)state;
    memory_add(hpa_of(ram), PAGES(4096));
    for (unsigned i = 0; i < 2000; i++)
        assert_non_null(pages[i] = memory_alloc_pages(PAGE_SIZE));
    for (unsigned i = 0; i < 2000; i += 2)
        memory_free_pages(pages[i], PAGE_SIZE);
    assert_true(map.capacity > 2000);
    check_map();
    for (unsigned i = 1; i < 2000; i += 2)
        memory_free_pages(pages[i], PAGE_SIZE);
    check_map();
    assert_int_equal(memory_owned(MEMORY_HYPERVISOR),
                     align_up(map.capacity * sizeof(struct memory_extent), PAGE_SIZE));
    free(ram);
}

/* Where the array cannot grow, allocations stop early enough for the rest to be given back in any
 * order. The larger array of 32 entries would take a page: all free ones are single, in use. */
static void test_frees_have_room_when_the_array_cannot_grow(void **state)
{
    unsigned taken = 0;

    (void)state;
    memory_add(hpa(RAM), PAGES(24));
    memory_reserve(hpa(RAM + PAGES(12)), PAGES(12), MEMORY_RESERVED);
    memory_alloc_at(hpa(RAM), PAGES(12), 1);
    /* Alternate pages of another owner: 12 extents in place of one, and no free page at all. */
    for (; taken < 6; taken++) {
        extents_assign(&map, extents_find(&map, RAM + PAGES(2 * taken)), RAM + PAGES(2 * taken),
                       RAM + PAGES(2 * taken + 1), 2);
    }
    assert_int_equal(map.count, 13);
    assert_false(has_room_for_allocation());
    memory_reserve(hpa(RAM), PAGES(12), MEMORY_RESERVED); /* has no effect: none is free */
    assert_int_equal(memory_alloc_at(hpa(RAM), PAGES(1), 3), ERROR_NO_MEMORY);
    memory_free(hpa(RAM), PAGES(1), 2);
    assert_int_equal(map.capacity, MEMORY_EXTENT_MAX);
    check_map();
}

/* Random operations against an array with the owner of each page. */
#define MODEL_PAGES 512

static int model[MODEL_PAGES];

static bool model_has(unsigned first, unsigned pages, int owner)
{
    if (first + pages > MODEL_PAGES)
        return false;
    for (unsigned i = 0; i < pages; i++) {
        if (model[first + i] != owner)
            return false;
    }
    return true;
}

static void model_set(unsigned first, unsigned pages, int owner)
{
    for (unsigned i = 0; i < pages; i++)
        model[first + i] = owner;
}

/* The array's own pages are the hypervisor's; nothing else is in this test. */
static void model_take_over_array(uint64_t ram)
{
    for (unsigned i = 0; i < MODEL_PAGES; i++) {
        bool own = owner_at(ram + PAGES(i)) == MEMORY_HYPERVISOR;

        if (own != (model[i] == MEMORY_HYPERVISOR))
            model[i] = own ? MEMORY_HYPERVISOR : MEMORY_FREE;
    }
}

static void check_model(uint64_t ram)
{
    uint64_t free_bytes = 0;

    for (unsigned i = 0; i < MODEL_PAGES; i++) {
        assert_int_equal(owner_at(ram + PAGES(i)), model[i]);
        free_bytes += model[i] == MEMORY_FREE ? PAGE_SIZE : 0;
    }
    assert_int_equal(memory_owned(MEMORY_FREE), free_bytes);
    check_map();
}

/* Where the highest fitting place is, by trying all; MODEL_PAGES if nowhere. */
static unsigned model_highest(uint64_t ram, unsigned pages, unsigned align)
{
    for (unsigned first = MODEL_PAGES; first-- > 0;) {
        if ((ram / PAGE_SIZE + first) % align == 0 && model_has(first, pages, MEMORY_FREE))
            return first;
    }
    return MODEL_PAGES;
}

static void random_alloc(uint64_t ram, uint64_t *seed)
{
    unsigned pages = 1 + unit_random(seed) % 40, align = 1U << unit_random(seed) % 6;
    int owner = unit_random(seed) % 5;
    struct hpa base;
    enum error error = memory_alloc(PAGES(pages), PAGES(align), owner, &base);

    model_take_over_array(ram);
    unsigned expected = model_highest(ram, pages, align);

    if (error) {
        assert_int_equal(error, ERROR_NO_MEMORY);
        assert_int_equal(expected, MODEL_PAGES);
        return;
    }
    /* The model was not told yet, so the place is still free there. */
    assert_int_equal(base.value, ram + PAGES(expected));
    model_set(expected, pages, owner);
}

static void random_alloc_at(uint64_t ram, uint64_t *seed)
{
    unsigned pages = 1 + unit_random(seed) % 20, first = unit_random(seed) % MODEL_PAGES;
    int owner = unit_random(seed) % 5;
    enum error error = memory_alloc_at(hpa(ram + PAGES(first)), PAGES(pages), owner);

    model_take_over_array(ram);
    assert_int_equal(error == OK, model_has(first, pages, MEMORY_FREE));
    if (!error)
        model_set(first, pages, owner);
}

static void random_free(uint64_t ram, uint64_t *seed)
{
    unsigned first = unit_random(seed) % MODEL_PAGES, pages = 0;
    unsigned most = 1 + unit_random(seed) % 60;
    int owner = model[first];

    if (owner < 0)
        return;
    while (pages < most && model_has(first + pages, 1, owner))
        pages++;
    memory_free(hpa(ram + PAGES(first)), PAGES(pages), owner);
    model_set(first, pages, MEMORY_FREE);
    model_take_over_array(ram);
}

static void test_against_naive_model(void **state)
{
    uint8_t *memory = aligned_alloc(MEGAPAGE_SIZE, PAGES(MODEL_PAGES));
    uint64_t ram = hpa_of(memory).value, seed = 42;

    (void)state;
    memory_add(hpa(ram), PAGES(MODEL_PAGES));
    model_set(0, MODEL_PAGES, MEMORY_FREE);
    for (int round = 0; round < 20000; round++) {
        switch (unit_random(&seed) % 4) {
        case 0:
            random_alloc(ram, &seed);
            break;
        case 1:
            random_alloc_at(ram, &seed);
            break;
        default:
            random_free(ram, &seed);
        }
        check_model(ram);
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ram_narrows_and_reservations_widen_to_pages, setup),
        cmocka_unit_test_setup(test_overlapping_banks_count_once, setup),
        cmocka_unit_test_setup(test_nonsense_from_a_device_tree, setup),
        cmocka_unit_test_setup(test_first_reservation_keeps_its_owner, setup),
        cmocka_unit_test_setup(test_guests_from_the_top_aligned, setup),
        cmocka_unit_test_setup(test_alloc_at_needs_all_of_it_free, setup),
        cmocka_unit_test_setup(test_bad_arguments_change_nothing, setup),
        cmocka_unit_test_setup(test_free_of_what_is_not_owned_panics, setup),
        cmocka_unit_test_setup(test_full_array_at_boot, setup),
        cmocka_unit_test_setup(test_array_that_boot_lends, setup),
        cmocka_unit_test_setup(test_array_that_boot_lends_goes_to_pages, setup),
        cmocka_unit_test_setup(test_own_pages_are_low_and_clear, setup),
        cmocka_unit_test_setup(test_own_pages_stay_out_of_what_is_kept_clear, setup),
        cmocka_unit_test_setup(test_guests_get_preferred_memory_first, setup),
        cmocka_unit_test_setup(test_divided_for_good, setup),
        cmocka_unit_test_setup(test_array_grows_out_of_fragmented_memory, setup),
        cmocka_unit_test_setup(test_frees_have_room_when_the_array_cannot_grow, setup),
        cmocka_unit_test_setup(test_against_naive_model, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
