/* RAM that is filled when the guest reaches for it: from both ends, each byte right, none early. */
#include "unit.h"
#include "capsule.h"
#include "hosted.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

#define BASE      0x80000000UL
#define LEFT      0xa5 /* by the last owner */
#define TREE      0xfd /* hosted port_capsule_fdt() writes it */
#define RAM_MAX   (24 * MEGAPAGE_SIZE)
#define TREE_SIZE (64UL << 10)

static struct capsule capsule;

static bool is_filled(void)
{
    struct gpa_range gap = capsule_memory_gap(&capsule);
    return gap.from == gap.to;
}

static uint8_t *ram;
static uint8_t contents[2 * MEGAPAGE_SIZE];
static unsigned stops;

enum error capsule_stop(struct capsule *stopped)
{
    assert_ptr_equal(stopped, &capsule);
    stops++;
    return OK;
}

static int setup(void **state)
{
    (void)state;
    hosted_reset();
    ram = aligned_alloc(PAGE_SIZE, RAM_MAX);
    for (size_t i = 0; i < sizeof contents; i++)
        contents[i] = (uint8_t)(1 + i % 200);
    stops = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(ram);
    return 0;
}

static void begin(uint64_t base, uint64_t size, uint64_t tree)
{
    memset(ram, LEFT, RAM_MAX);
    capsule = (struct capsule){.ram_base = gpa(base),
                               .ram_host = hpa_of(ram),
                               .ram_size = size,
                               .plan = {.fdt = gpa(tree), .fdt_size = TREE_SIZE}};
    capsule_memory_reset(&capsule);
}

static void add_segment(uint64_t start, uint64_t size)
{
    capsule.plan.segments[capsule.plan.count++] =
        (struct load_segment){gpa(start), size, contents, size};
}

static uint64_t end(void)
{
    return capsule.ram_base.value + capsule.ram_size;
}

static uint8_t right_byte(uint64_t address)
{
    const struct load_plan *plan = &capsule.plan;
    for (unsigned i = 0; i < plan->count; i++)
        if (address - plan->segments[i].start.value < plan->segments[i].data_size)
            return contents[address - plan->segments[i].start.value];
    return address - plan->fdt.value < plan->fdt_size ? TREE : 0;
}

/* What can be reached is right, what is not right yet cannot. */
static void check_all(void)
{
    for (uint64_t address = capsule.ram_base.value; address < end(); address += 512) {
        const uint8_t *byte = capsule_memory(&capsule, gpa(address), 1);
        bool hidden = address >= capsule.ram_low && address < capsule.ram_high;
        assert_int_equal(byte == NULL, hidden);
        if (byte != NULL)
            assert_int_equal(*byte, right_byte(address));
        else
            assert_int_equal(ram[address - capsule.ram_base.value], LEFT);
    }
}

static unsigned reach(uint64_t address)
{
    unsigned tries = 0;
    while (capsule_memory_fill(&capsule, gpa(address), 1)) {
        assert_true(capsule.arch.shown_from % MEGAPAGE_SIZE == 0 ||
                    capsule.arch.shown_from == capsule.ram_base.value);
        assert_true(capsule.arch.shown_to % MEGAPAGE_SIZE == 0 || capsule.arch.shown_to == end());
        tries++;
    }
    assert_non_null(capsule_memory(&capsule, gpa(address), 1));
    check_all();
    return tries;
}

static void test_nothing_before_it_is_asked_for(void **state)
{
    (void)state;
    begin(BASE, 8 * MEGAPAGE_SIZE, BASE + 7 * MEGAPAGE_SIZE);
    check_all();
    assert_false(is_filled());
    assert_int_equal(capsule.arch.shown, 0);
    assert_null(capsule_memory(&capsule, gpa(BASE), 1));
    assert_true(capsule_has_memory(&capsule, gpa(BASE), 8 * MEGAPAGE_SIZE));
}

static void test_from_both_ends(void **state)
{
    (void)state;
    begin(BASE, 8 * MEGAPAGE_SIZE, BASE + 7 * MEGAPAGE_SIZE);
    add_segment(BASE + 100, MEGAPAGE_SIZE);
    add_segment(BASE + 6 * MEGAPAGE_SIZE + 5, 1000);
    assert_int_equal(reach(BASE), 1);
    assert_int_equal(reach(BASE + MEGAPAGE_SIZE - 1), 0);
    assert_int_equal(reach(end() - 1), 1);
    assert_int_equal(reach(BASE + 6 * MEGAPAGE_SIZE), 1);
    assert_int_equal(reach(BASE + 2 * MEGAPAGE_SIZE), 2);
    assert_int_equal(capsule.arch.shown, 5 * MEGAPAGE_SIZE);
    assert_int_equal(reach(BASE + 4 * MEGAPAGE_SIZE), 2); /* from above or from below */
    assert_int_equal(reach(BASE + 3 * MEGAPAGE_SIZE) + reach(BASE + 5 * MEGAPAGE_SIZE), 1);
    assert_true(is_filled());
    assert_int_equal(capsule.arch.shown, capsule.ram_size);
    assert_false(capsule_memory_fill(&capsule, capsule.ram_base, capsule.ram_size));
    assert_non_null(capsule_memory(&capsule, capsule.ram_base, capsule.ram_size));
}

/* RAM that neither begins nor ends at a megapage, and is less than one. */
static void test_odd_ends(void **state)
{
    (void)state;
    begin(BASE + 0x80000, 3 * MEGAPAGE_SIZE - 0x80000, BASE + MEGAPAGE_SIZE);
    reach(end() - 1);
    reach(BASE + 0x80000);
    reach(BASE + MEGAPAGE_SIZE);
    assert_true(is_filled());
    begin(BASE + PAGE_SIZE, TREE_SIZE + PAGE_SIZE, BASE + PAGE_SIZE);
    assert_int_equal(reach(end() - 1), 1);
    assert_true(is_filled());
}

/* It is never there in part. */
static void test_a_device_tree_across_megapages(void **state)
{
    (void)state;
    for (int from_above = 0; from_above < 2; from_above++) {
        begin(BASE, 6 * MEGAPAGE_SIZE, BASE + 3 * MEGAPAGE_SIZE - PAGE_SIZE);
        reach(from_above ? end() - 1 : BASE);
        while (!is_filled())
            reach(from_above ? capsule.ram_high - 1 : capsule.ram_low);
    }
}

/* A range is brought nearer by its part in the gap. */
static void test_ranges(void **state)
{
    (void)state;
    begin(BASE, 8 * MEGAPAGE_SIZE, BASE + 7 * MEGAPAGE_SIZE);
    assert_false(capsule_memory_fill(&capsule, gpa(BASE - 1), 2));
    assert_false(capsule_memory_fill(&capsule, gpa(end() - 1), 2));
    assert_false(capsule_memory_fill(&capsule, gpa(BASE + 1), UINT64_MAX));
    assert_false(capsule_memory_fill(&capsule, gpa(BASE + MEGAPAGE_SIZE), 0));
    assert_int_equal(capsule.arch.shown, 0);
    reach(BASE);
    uint64_t across = BASE + MEGAPAGE_SIZE - 4;
    assert_null(capsule_memory(&capsule, gpa(across), 8));
    assert_non_null(capsule_memory(&capsule, gpa(across), 4));
    assert_true(capsule_memory_fill(&capsule, gpa(across), 8));
    assert_non_null(capsule_memory(&capsule, gpa(across), 8));
    assert_false(capsule_memory_fill(&capsule, gpa(across), 8));
    while (capsule_memory_fill(&capsule, gpa(BASE), 8 * MEGAPAGE_SIZE))
        ;
    assert_non_null(capsule_memory(&capsule, gpa(BASE), 8 * MEGAPAGE_SIZE));
    check_all();
}

static void test_another_hart_is_at_it(void **state)
{
    (void)state;
    begin(BASE, 8 * MEGAPAGE_SIZE, BASE + 7 * MEGAPAGE_SIZE);
    atomic_store(&capsule.ram_filling, 1);
    assert_true(capsule_memory_fill(&capsule, gpa(BASE), 1));
    check_all();
    assert_int_equal(capsule.arch.shown, 0);
}

static void test_without_a_device_tree_it_is_stopped(void **state)
{
    (void)state;
    begin(BASE, 8 * MEGAPAGE_SIZE, BASE + 7 * MEGAPAGE_SIZE);
    hosted_fdt_error = ERROR_NO_MEMORY;
    assert_true(capsule_memory_fill(&capsule, gpa(BASE), 1));
    assert_int_equal(stops, 0);
    assert_true(capsule_memory_fill(&capsule, gpa(end() - 1), 1));
    assert_int_equal(stops, 1);
}

/* Segments and a device tree wherever they may be, reached in any order. */
static void test_anything(void **state)
{
    uint64_t seed = 7;
    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        uint64_t base = BASE + unit_random(&seed) % 512 * PAGE_SIZE, at = base;
        uint64_t size = 2 * MEGAPAGE_SIZE + unit_random(&seed) % 5000 * PAGE_SIZE;
        begin(base, size, base + size - TREE_SIZE - unit_random(&seed) % 300 * PAGE_SIZE);
        while (capsule.plan.count < 5) {
            uint64_t length = 1 + unit_random(&seed) % MEGAPAGE_SIZE;
            at += unit_random(&seed) % MEGAPAGE_SIZE;
            if (at + length > capsule.plan.fdt.value)
                break;
            add_segment(at, length);
            at += length;
        }
        while (!is_filled())
            reach(base + unit_random(&seed) % size);
        assert_int_equal(capsule.arch.shown, size);
        assert_int_equal(stops, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_before_it_is_asked_for),
        TEST(test_from_both_ends),
        TEST(test_odd_ends),
        TEST(test_a_device_tree_across_megapages),
        TEST(test_ranges),
        TEST(test_another_hart_is_at_it),
        TEST(test_without_a_device_tree_it_is_stopped),
        TEST(test_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
