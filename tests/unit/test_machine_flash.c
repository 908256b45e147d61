/*
 * The flash banks: what their commands do to the contents, what each mode reads, when the guest has
 * the pages, and that contents come back at a reset.
 */
#include "unit.h"
#include "devices.h"
#include "machine_fakes.h"
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#define BANK0      0x20000000UL
#define BANK1      0x22000000UL
#define BLOCK      (256UL * 1024)
#define READY      0x00800080U
#define BOTH(code) ((uint32_t)(code) << 16 | (code)) /* a command or answer of both chips */

static const char code[] = "firmware", variables[] = "variables";

static struct flash_bank *bank(unsigned number)
{
    return &fake.capsule.arch.machine->flash.banks[number];
}

static void fill(void)
{
    unsigned steps = 0;
    while (!machine_prepare(&fake.capsule))
        assert_true(++steps <= 100);
}

static int setup(void **state)
{
    (void)state;
    fake_flash(0, code, sizeof code);
    fake_flash(1, variables, sizeof variables);
    int result = fake_setup(2);
    fill();
    return result;
}

static int teardown(void **state)
{
    (void)state;
    fake_teardown();
    assert_int_equal(fake.flash_size, 0);
    return 0;
}

static void command(uint64_t address, unsigned first)
{
    write32(address, BOTH(first));
}

static void commands(uint64_t address, unsigned first, unsigned second)
{
    command(address, first);
    command(address, second);
}

/* --- contents --- */

static void contents_come_from_the_image_and_the_rest_is_zero(void **state)
{
    (void)state;
    assert_int_equal(fake.flash_size, 64 << 20);
    assert_memory_equal(bank(0)->contents, code, sizeof code);
    assert_memory_equal(bank(1)->contents, variables, sizeof variables);
    for (size_t i = sizeof code; i < CAPSULE_FLASH_SIZE; i++)
        if (bank(0)->contents[i] != 0)
            fail_msg("byte %zu is %u", i, bank(0)->contents[i]);
    assert_true(fake.shown[0] && fake.shown[1]);
}

static void a_reset_brings_them_back(void **state)
{
    (void)state;
    commands(BANK1, 0x60, 0x01);
    commands(BANK1 + 2 * BLOCK, 0x20, 0xd0);
    command(BANK1, 0x40);
    fake.locked = true;
    machine_reset(&fake.capsule);
    fake.locked = false;
    assert_true(fake.shown[1]);
    fill();
    assert_int_equal(bank(1)->contents[2 * BLOCK], 0);
    assert_int_equal(read32(BANK1), 0x69726176); /* "vari": the array, no command is open */
    commands(BANK1, 0x20, 0xd0);
    assert_int_equal(read32(BANK1), READY); /* nor is the block locked */
}

static void without_memory_for_it_there_is_no_machine(void **state)
{
    (void)state;
    fake_teardown();
    fake_flash(0, code, sizeof code);
    fake_setup(1);
    struct machine *machine = fake.capsule.arch.machine;
    machine_destroy(&fake.capsule);
    fake.flash_room = CAPSULE_FLASH_SIZE - 1;
    memset(machine, 0, sizeof *machine);
    assert_int_equal(machine_create(&fake.capsule, machine), ERROR_NO_MEMORY);
}

static void banks_that_nobody_gave_are_holes(void **state)
{
    uint64_t value = 0;
    (void)state;
    fake_teardown();
    fake_flash(1, variables, sizeof variables);
    fake_setup(1);
    fill();
    assert_int_equal(fake.flash_size, 32 << 20);
    assert_false(fake_access(BANK0, 4, false, &value));
    assert_false(fake_access(BANK0, 4, true, &value));
    assert_int_equal(read32(BANK1), 0x69726176);
    assert_false(fake_access(BANK1 + CAPSULE_FLASH_SIZE, 4, false, &value));
}

/* --- modes --- */

static void pages_are_there_in_array_mode_alone(void **state)
{
    static const unsigned others[] = {0x70, 0x90, 0x98, 0x20};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        fake.fences[0] = fake.fences[1] = 0;
        command(BANK0, others[i]);
        assert_false(fake.shown[0]);
        assert_true(fake.shown[1]);
        assert_int_equal(fake.fences[0], FENCE_G);
        assert_int_equal(fake.fences[1], FENCE_G);
        command(BANK0, 0xff); /* of an erasure: no confirmation */
        command(BANK0, 0xff);
        assert_true(fake.shown[0]);
    }
    fake.shows = 0;
    command(BANK0, 0xff);
    command(BANK0, 0xf0);
    command(BANK0, 0x50);
    assert_int_equal(fake.shows, 0);
}

static void status_is_ready(void **state)
{
    uint64_t value;
    (void)state;
    command(BANK1, 0x70);
    assert_int_equal(read32(BANK1 + 0x1000), READY);
    assert_int_equal(read8(BANK1 + 2), 0x80);
    assert_int_equal(read8(BANK1 + 3), 0);
    assert_true(fake_access(BANK1, 8, false, &value));
    assert_int_equal(value, 0x0080008000800080);
}

static void query_describes_the_chips(void **state)
{
    uint8_t words[0x40];
    (void)state;
    command(BANK0 + 0x55 * 4, 0x98);
    for (unsigned i = 0; i < sizeof words; i++) {
        uint32_t both = read32(BANK0 + i * 4);
        assert_int_equal(both >> 16, both & 0xffff);
        words[i] = (uint8_t)both;
    }
    assert_memory_equal(words + 0x10, "QRY\1\0", 5);
    uint64_t size = UINT64_C(1) << words[0x27];
    uint64_t blocks = (words[0x2d] | words[0x2e] << 8) + 1;
    uint64_t block = (words[0x2f] | words[0x30] << 8) * 256;
    assert_int_equal(words[0x2c], 1);
    assert_int_equal(size * 2, CAPSULE_FLASH_SIZE);
    assert_int_equal(blocks * block, size);
    assert_int_equal(block * 2, BLOCK);
    assert_int_equal(2U << words[0x2a], FLASH_BUFFER_SIZE);
    assert_memory_equal(words + words[0x15], "PRI10", 5);
    assert_int_equal(read32(BANK0 + 0x400), 0);
}

static void identifier_has_the_lock_of_each_block(void **state)
{
    (void)state;
    commands(BANK0 + 70 * BLOCK + 8, 0x60, 0x01);
    command(BANK0, 0x90);
    assert_int_equal(read32(BANK0), BOTH(0x89));
    assert_int_equal(read32(BANK0 + 4), BOTH(0x18));
    assert_int_equal(read32(BANK0 + 8), 0);
    assert_int_equal(read32(BANK0 + 70 * BLOCK + 8), BOTH(1));
    assert_int_equal(read32(BANK0 + 71 * BLOCK + 8), 0);
}

/* --- changing the contents --- */

static void erasing_sets_a_block(void **state)
{
    (void)state;
    commands(BANK1 + BLOCK + 1234 * 4, 0x20, 0xd0);
    assert_int_equal(read32(BANK1), READY);
    command(BANK1, 0xff);
    for (uint64_t i = 0; i < BLOCK; i++)
        assert_int_equal(bank(1)->contents[BLOCK + i], 0xff);
    assert_int_equal(bank(1)->contents[BLOCK - 1], 0);
    assert_int_equal(bank(1)->contents[2 * BLOCK], 0);
    assert_int_equal(bank(0)->contents[BLOCK], 0);
}

static void programming_clears_bits(void **state)
{
    (void)state;
    commands(BANK1, 0x20, 0xd0);
    command(BANK1 + 0x100, 0x40);
    write32(BANK1 + 0x100, 0x12345678);
    command(BANK1 + 0x100, 0x10);
    write32(BANK1 + 0x100, 0xff00ff0f);
    command(BANK1 + 0x104, 0x40);
    write8(BANK1 + 0x105, 0x42);
    assert_int_equal(read32(BANK1), READY);
    command(BANK1, 0xff);
    assert_int_equal(read32(BANK1 + 0x100), 0x12005608);
    assert_int_equal(read32(BANK1 + 0x104), 0xffff42ff);
}

static void a_wide_write_is_two_cycles(void **state)
{
    uint64_t value = (uint64_t)BOTH(0xd0) << 32 | BOTH(0x20);
    (void)state;
    assert_true(fake_access(BANK1, 8, true, &value));
    assert_int_equal(bank(1)->contents[0], 0xff);
}

static void write_buffer(uint64_t address, unsigned words, uint32_t first)
{
    command(address, 0xe8);
    assert_true(read32(address) & READY);
    command(address, words - 1);
    for (unsigned i = 0; i < words; i++)
        write32(address + i * 4, first + i);
}

static void a_buffer_is_programmed_when_confirmed(void **state)
{
    (void)state;
    commands(BANK1, 0x20, 0xd0);
    write_buffer(BANK1 + 0x80, 32, 1000);
    assert_int_equal(bank(1)->contents[0x80], 0xff);
    command(BANK1 + 0x80, 0xd0);
    write_buffer(BANK1 + 0x208, 2, 77);
    command(BANK1, 0xd0);
    assert_int_equal(read32(BANK1), READY);
    command(BANK1, 0xff);
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(read32(BANK1 + 0x80 + i * 4), 1000 + i);
    assert_int_equal(read32(BANK1 + 0x100), UINT32_MAX);
    assert_int_equal(read32(BANK1 + 0x204), UINT32_MAX);
    assert_int_equal(read32(BANK1 + 0x208), 77);
    assert_int_equal(read32(BANK1 + 0x20c), 78);
    assert_int_equal(read32(BANK1 + 0x210), UINT32_MAX);
}

static void a_wrong_sequence_is_reported_and_changes_nothing(void **state)
{
    (void)state;
    commands(BANK1, 0x20, 0x20); /* erase, not confirmed */
    assert_int_equal(read32(BANK1), BOTH(0xb0));
    command(BANK1, 0x50);
    assert_int_equal(read32(BANK1), READY);
    commands(BANK1, 0x60, 0x77);
    assert_int_equal(read32(BANK1), BOTH(0xb0));
    command(BANK1, 0x50);
    commands(BANK1, 0xe8, 32); /* one word more than fits */
    assert_int_equal(read32(BANK1), BOTH(0xb0));
    command(BANK1, 0x50);
    commands(BANK1, 0xe8, 0xffff);
    assert_int_equal(read32(BANK1), BOTH(0xb0));
    command(BANK1, 0x50);
    write_buffer(BANK1, 2, 0);
    command(BANK1, 0xff); /* not confirmed */
    assert_int_equal(read32(BANK1), BOTH(0xb0));
    command(BANK1, 0x50);
    write_buffer(BANK1 + FLASH_BUFFER_SIZE - 4, 2, 0); /* across the end of a buffer */
    command(BANK1, 0xd0);
    assert_int_equal(read32(BANK1), BOTH(0xb0));
    assert_memory_equal(bank(1)->contents, variables, sizeof variables);
    write_buffer(BANK1 + FLASH_BUFFER_SIZE, 1, 0); /* an old error is no new one */
    command(BANK1, 0xd0);
    command(BANK1, 0xff);
    assert_memory_equal(bank(1)->contents, variables, sizeof variables);
}

static void a_locked_block_keeps_its_contents(void **state)
{
    (void)state;
    commands(BANK1, 0x60, 0x2f);
    commands(BANK1, 0x20, 0xd0);
    assert_int_equal(read32(BANK1), BOTH(0xa2));
    command(BANK1, 0x50);
    command(BANK1, 0x40);
    write32(BANK1, 0);
    assert_int_equal(read32(BANK1), BOTH(0x92));
    command(BANK1, 0x50);
    write_buffer(BANK1, 1, 0);
    command(BANK1, 0xd0);
    assert_int_equal(read32(BANK1), BOTH(0x92));
    assert_memory_equal(bank(1)->contents, variables, sizeof variables);
    command(BANK1, 0x50);
    commands(BANK1 + BLOCK, 0x20, 0xd0); /* another block is not */
    assert_int_equal(read32(BANK1), READY);
    commands(BANK1, 0x60, 0xd0);
    commands(BANK1, 0x20, 0xd0);
    assert_int_equal(read32(BANK1), READY);
    assert_int_equal(bank(1)->contents[0], 0xff);
}

/* Whatever a guest writes, it stays within the banks: the address sanitizer looks on. */
static void random_cycles_are_survived(void **state)
{
    static const uint8_t known[] = {0x10, 0x20, 0x40, 0x60, 0x70, 0x90, 0x98, 0xd0,
                                    0xe8, 0xff, 0x01, 0x1f, 0xb0, 0x50, 0x00, 0x02};
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 200000; i++) {
        unsigned size = 1U << rand() % 4;
        uint64_t offset = ((uint64_t)rand() << 8 ^ (uint64_t)rand()) % (64UL << 20);
        uint64_t value = rand() % 8 ? BOTH(known[rand() % 16]) : (uint64_t)rand();
        if (rand() % 4)
            offset = BANK1 - BANK0 - offset % 1024 - 8 + (uint64_t)(rand() % 2) * 1032;
        fake_access(BANK0 + align_down(offset, size), size, rand() % 4, &value);
    }
}

/* --- the device tree --- */

static int nodes_of_flash(const void *tree, const char *expected_name, int banks)
{
    int node = fdt_node_offset_by_compatible(tree, -1, "cfi-flash"), length;
    if (node < 0)
        return 0;
    assert_string_equal(fdt_get_name(tree, node, NULL), expected_name);
    const fdt64_t *ranges = fdt_getprop(tree, node, "reg", &length);
    assert_int_equal(length, 16 * banks);
    for (int i = 0; i < banks; i++) { /* the second bank is always there, and the last */
        assert_int_equal(fdt64_ld(&ranges[2 * i]), banks - i == 1 ? BANK1 : BANK0);
        assert_int_equal(fdt64_ld(&ranges[2 * i + 1]), BANK1 - BANK0);
    }
    assert_int_equal(fdt32_ld(fdt_getprop(tree, node, "bank-width", &length)), 4);
    return 1;
}

static void the_device_tree_has_what_is_there(void **state)
{
    static uint8_t tree[65536] __attribute__((aligned(8)));
    (void)state;
    assert_int_equal(machine_fdt(&fake.capsule, tree, sizeof tree, 0, 0), OK);
    assert_int_equal(nodes_of_flash(tree, "flash@20000000", 2), 1);
    fake.capsule.config.flash[0].data = NULL;
    assert_int_equal(machine_fdt(&fake.capsule, tree, sizeof tree, 0, 0), OK);
    assert_int_equal(nodes_of_flash(tree, "flash@22000000", 1), 1);
    fake.capsule.config.flash[1].data = NULL;
    assert_int_equal(machine_fdt(&fake.capsule, tree, sizeof tree, 0, 0), OK);
    assert_int_equal(nodes_of_flash(tree, "", 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(contents_come_from_the_image_and_the_rest_is_zero),
        TEST(a_reset_brings_them_back),
        TEST(without_memory_for_it_there_is_no_machine),
        TEST(banks_that_nobody_gave_are_holes),
        TEST(pages_are_there_in_array_mode_alone),
        TEST(status_is_ready),
        TEST(query_describes_the_chips),
        TEST(identifier_has_the_lock_of_each_block),
        TEST(erasing_sets_a_block),
        TEST(programming_clears_bits),
        TEST(a_wide_write_is_two_cycles),
        TEST(a_buffer_is_programmed_when_confirmed),
        TEST(a_wrong_sequence_is_reported_and_changes_nothing),
        TEST(a_locked_block_keeps_its_contents),
        TEST(random_cycles_are_survived),
        TEST(the_device_tree_has_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
