/* The virtual PLIC: RISC-V PLIC specification 1.0.0 with the layout of QEMU's `virt`. */
#include "machine_fakes.h"
#include "devices.h"

#define PRIORITY(source)      (MACHINE_PLIC_BASE + 4UL * (source))
#define PENDING(word)         (MACHINE_PLIC_BASE + 0x1000UL + 4UL * (word))
#define ENABLE(context, word) (MACHINE_PLIC_BASE + 0x2000UL + 0x80UL * (context) + 4UL * (word))
#define THRESHOLD(context)    (MACHINE_PLIC_BASE + 0x200000UL + 0x1000UL * (context))
#define CLAIM(context)        (THRESHOLD(context) + 4)

#define SUPERVISOR(hart) (2 * (hart) + 1)
#define EXTERNAL         (1UL << IRQ_S_EXTERNAL)

static int setup(void **state)
{
    (void)state;
    return fake_setup(3);
}

static int teardown(void **state)
{
    (void)state;
    return fake_teardown();
}

static void wire(unsigned source, bool high)
{
    plic_set_level(fake.capsule.arch.machine, source, high);
}

static void enable(unsigned context, unsigned source, unsigned priority)
{
    uint64_t address = ENABLE(context, source / 32);
    write32(PRIORITY(source), priority);
    write32(address, read32(address) | 1U << source % 32);
}

static void test_delivery_to_the_right_hart(void **state)
{
    (void)state;
    enable(SUPERVISOR(1), 10, 1);
    wire(10, true);
    assert_int_equal(fake.lines[0], 0);
    assert_int_equal(fake.lines[1], EXTERNAL);
    assert_int_equal(fake.lines[2], 0);
    assert_int_equal(read32(PENDING(0)), 1U << 10);
    assert_int_equal(read32(CLAIM(SUPERVISOR(1))), 10);
    assert_int_equal(fake.lines[1], 0);
    assert_int_equal(read32(PENDING(0)), 0);
}

static void test_machine_contexts_drive_nothing(void **state)
{
    (void)state;
    enable(0, 10, 1);
    wire(10, true);
    assert_int_equal(fake.lines[0], 0);
    assert_int_equal(read32(ENABLE(0, 0)), 1U << 10);
    assert_int_equal(read32(CLAIM(0)), 10);
}

static void test_gateway(void **state)
{
    (void)state;
    enable(1, 33, 3);
    wire(33, true);
    assert_int_equal(read32(PENDING(1)), 2);
    assert_int_equal(read32(CLAIM(1)), 33);
    wire(33, false);
    wire(33, true); /* the gateway is closed until the completion */
    assert_int_equal(read32(PENDING(1)), 0);
    assert_int_equal(read32(CLAIM(1)), 0);
    assert_int_equal(fake.lines[0], 0);
    write32(CLAIM(1), 33);
    assert_int_equal(read32(PENDING(1)), 2);
    assert_int_equal(fake.lines[0], EXTERNAL);
    assert_int_equal(read32(CLAIM(1)), 33);
    wire(33, false);
    write32(CLAIM(1), 33);
    assert_int_equal(fake.lines[0], 0);
    assert_int_equal(read32(CLAIM(1)), 0);
}

static void test_request_stays_when_the_wire_drops(void **state)
{
    (void)state;
    enable(1, 5, 1);
    wire(5, true);
    wire(5, false);
    assert_int_equal(fake.lines[0], EXTERNAL);
    assert_int_equal(read32(CLAIM(1)), 5);
    write32(CLAIM(1), 5);
    assert_int_equal(fake.lines[0], 0);
}

static void test_priorities(void **state)
{
    (void)state;
    enable(1, 7, 2);
    enable(1, 40, 5);
    enable(1, 41, 5);
    enable(1, 3, 2);
    wire(7, true);
    wire(3, true);
    wire(41, true);
    wire(40, true);
    assert_int_equal(read32(CLAIM(1)), 40); /* the highest, the lower number of two equals */
    assert_int_equal(read32(CLAIM(1)), 41);
    assert_int_equal(read32(CLAIM(1)), 3);
    assert_int_equal(read32(CLAIM(1)), 7);
    assert_int_equal(read32(CLAIM(1)), 0);
}

static void test_priority_zero_never_interrupts(void **state)
{
    (void)state;
    enable(1, 7, 0);
    wire(7, true);
    assert_int_equal(fake.lines[0], 0);
    assert_int_equal(read32(CLAIM(1)), 0);
    assert_int_equal(read32(PENDING(0)), 1U << 7);
    write32(PRIORITY(7), 1);
    assert_int_equal(fake.lines[0], EXTERNAL);
}

static void test_threshold_masks_interrupts_not_claims(void **state)
{
    (void)state;
    enable(1, 7, 4);
    write32(THRESHOLD(1), 4);
    wire(7, true);
    assert_int_equal(fake.lines[0], 0);
    write32(THRESHOLD(1), 3);
    assert_int_equal(fake.lines[0], EXTERNAL);
    write32(THRESHOLD(1), 7);
    assert_int_equal(fake.lines[0], 0);
    assert_int_equal(read32(CLAIM(1)), 7);
}

static void test_completion_of_a_disabled_source_is_ignored(void **state)
{
    (void)state;
    enable(1, 7, 1);
    wire(7, true);
    assert_int_equal(read32(CLAIM(1)), 7);
    write32(CLAIM(3), 7); /* hart 1 has it not enabled */
    assert_int_equal(read32(PENDING(0)), 0);
    write32(ENABLE(1, 0), 0);
    write32(CLAIM(1), 7);
    assert_int_equal(read32(PENDING(0)), 0);
    write32(ENABLE(1, 0), 1U << 7);
    write32(CLAIM(1), 7);
    assert_int_equal(read32(PENDING(0)), 1U << 7);
    write32(CLAIM(1), 0xffffffff);
    write32(CLAIM(1), 96);
}

static void test_one_claim_wins(void **state)
{
    (void)state;
    enable(SUPERVISOR(0), 10, 1);
    enable(SUPERVISOR(1), 10, 1);
    wire(10, true);
    assert_int_equal(fake.lines[0] & fake.lines[1], EXTERNAL);
    assert_int_equal(read32(CLAIM(SUPERVISOR(1))), 10);
    assert_int_equal(fake.lines[0] | fake.lines[1], 0);
    assert_int_equal(read32(CLAIM(SUPERVISOR(0))), 0);
}

static void test_disabling_lowers_the_line(void **state)
{
    (void)state;
    enable(1, 7, 1);
    wire(7, true);
    write32(ENABLE(1, 0), 0);
    assert_int_equal(fake.lines[0], 0);
    assert_int_equal(read32(CLAIM(1)), 0);
}

static void test_legal_values(void **state)
{
    (void)state;
    write32(PRIORITY(95), 0xffffffff);
    assert_int_equal(read32(PRIORITY(95)), 7);
    write32(PRIORITY(0), 5);
    assert_int_equal(read32(PRIORITY(0)), 0);
    write32(PRIORITY(96), 5);
    assert_int_equal(read32(PRIORITY(96)), 0);
    write32(THRESHOLD(5), 0xffffffff);
    assert_int_equal(read32(THRESHOLD(5)), 7);
    write32(ENABLE(1, 0), 0xffffffff);
    assert_int_equal(read32(ENABLE(1, 0)), 0xfffffffe);
    write32(ENABLE(1, 2), 0xffffffff);
    assert_int_equal(read32(ENABLE(1, 2)), 0xffffffff);
    write32(ENABLE(1, 3), 0xffffffff);
    assert_int_equal(read32(ENABLE(1, 3)), 0);
    write32(PENDING(0), 0xffffffff);
    assert_int_equal(read32(PENDING(0)), 0);
}

/* Harts that are not there, and what lies between the registers: 0, and no more. */
static void test_reserved_registers(void **state)
{
    (void)state;
    for (unsigned context = 6; context < 128; context++) {
        write32(ENABLE(context, 0), 0xffffffff);
        assert_int_equal(read32(ENABLE(context, 0)), 0);
        write32(THRESHOLD(context), 1);
        assert_int_equal(read32(THRESHOLD(context)), 0);
        assert_int_equal(read32(CLAIM(context)), 0);
    }
    for (uint64_t offset = 0; offset < MACHINE_PLIC_SIZE; offset += 0x3fc)
        read32(MACHINE_PLIC_BASE + offset);
    read32(MACHINE_PLIC_BASE + MACHINE_PLIC_SIZE - 4);
}

static void test_only_words(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_false(fake_access(PRIORITY(1), 1, false, &value));
    assert_false(fake_access(PRIORITY(1), 2, false, &value));
    assert_false(fake_access(PRIORITY(2), 8, false, &value));
    assert_false(fake_access(PRIORITY(1) + 2, 4, false, &value));
    assert_false(fake_access(MACHINE_PLIC_BASE + MACHINE_PLIC_SIZE, 4, false, &value));
}

static void test_64_harts(void **state)
{
    (void)state;
    fake_teardown();
    assert_int_equal(fake_setup(64), 0);
    enable(SUPERVISOR(63), 95, 7);
    wire(95, true);
    assert_int_equal(fake.lines[63], EXTERNAL);
    assert_int_equal(read32(CLAIM(SUPERVISOR(63))), 95);
}

static void test_look(void **state)
{
    (void)state;
    const uint64_t *exits = &fake_vcpu(0)->counts.exits[DIOSIX_EXIT_PLIC];
    enable(1, 40, 5);
    write32(THRESHOLD(1), 2);
    wire(40, true);
    uint64_t before = *exits;
    assert_int_equal(fake_look(PRIORITY(40), 4), 5);
    assert_int_equal(fake_look(PENDING(1), 4), 1U << 8);
    assert_int_equal(fake_look(ENABLE(1, 1), 4), 1U << 8);
    assert_int_equal(fake_look(THRESHOLD(1), 4), 2);
    assert_int_equal(*exits, before + 4);
    for (unsigned context = 0; context < 6; context++)
        assert_int_equal(fake_look(CLAIM(context), 4), MACHINE_NO_LOOK);
    assert_int_equal(fake_look(PRIORITY(40), 1), MACHINE_NO_LOOK);
    assert_int_equal(fake_look(PRIORITY(40) + 2, 4), MACHINE_NO_LOOK);
    assert_int_equal(fake_look(MACHINE_PLIC_BASE + MACHINE_PLIC_SIZE, 4), MACHINE_NO_LOOK);
    assert_int_equal(fake_look(MACHINE_RTC_BASE, 4), MACHINE_NO_LOOK);
    assert_int_equal(*exits, before + 4);
    assert_int_equal(read32(CLAIM(1)), 40);
}

/* All words, there or not: a read is what a look is, and changes nothing but by a claim. */
static void test_look_everywhere(void **state)
{
    (void)state;
    uint64_t value;
    enable(3, 95, 5);
    wire(95, true);
    for (uint64_t offset = 0; offset < 0x3000; offset += 4)
        assert_true(fake_access(MACHINE_PLIC_BASE + offset, 4, false, &value));
    for (uint64_t offset = 0x1f0000; offset < 0x208000; offset += 4)
        assert_true(fake_access(MACHINE_PLIC_BASE + offset, 4, false, &value));
    assert_int_equal(fake.lines[1], 0); /* it was claimed */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_delivery_to_the_right_hart),
        TEST(test_machine_contexts_drive_nothing),
        TEST(test_gateway),
        TEST(test_request_stays_when_the_wire_drops),
        TEST(test_priorities),
        TEST(test_priority_zero_never_interrupts),
        TEST(test_threshold_masks_interrupts_not_claims),
        TEST(test_completion_of_a_disabled_source_is_ignored),
        TEST(test_one_claim_wins),
        TEST(test_disabling_lowers_the_line),
        TEST(test_legal_values),
        TEST(test_reserved_registers),
        TEST(test_only_words),
        TEST(test_64_harts),
        TEST(test_look),
        TEST(test_look_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
