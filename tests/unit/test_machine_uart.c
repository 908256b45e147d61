/* The virtual 16550: what operating systems probe, and every cause of its interrupt. */
#include "machine_fakes.h"
#include <string.h>

#define UART(number) (MACHINE_UART_BASE + (number))
enum {
    DATA,
    IER,
    IIR,
    LCR,
    MCR,
    LSR,
    MSR,
    SCR
};
enum {
    FCR = 2
};

static int setup(void **state)
{
    (void)state;
    if (fake_setup(1) != 0)
        return -1;
    /* Route the UART's interrupt to hart 0's supervisor context. */
    write32(MACHINE_PLIC_BASE + 4 * MACHINE_IRQ_UART, 1);
    write32(MACHINE_PLIC_BASE + 0x2080, 1U << MACHINE_IRQ_UART);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return fake_teardown();
}

/* The level of the wire, as the PLIC's gateway sees it: claim, complete, look again. */
static bool line(void)
{
    uint64_t claim = MACHINE_PLIC_BASE + 0x201004;
    uint32_t source = read32(claim);
    write32(claim, MACHINE_IRQ_UART);
    (void)source;
    return fake.lines[0] >> IRQ_S_EXTERNAL & 1;
}

static void event(void)
{
    fake.locked = true;
    machine_console_event(&fake.capsule);
    fake.locked = false;
}

static void test_reset_state(void **state)
{
    (void)state;
    assert_int_equal(read8(UART(IER)), 0);
    assert_int_equal(read8(UART(IIR)), 0x01);
    assert_int_equal(read8(UART(LCR)), 0);
    assert_int_equal(read8(UART(LSR)), 0x60);
    assert_int_equal(read8(UART(MSR)), 0xb0);
    assert_int_equal(read8(UART(SCR)), 0);
    assert_int_equal(read8(UART(DATA)), 0);
}

static void test_output_reaches_console(void **state)
{
    (void)state;
    for (const char *c = "hello\n"; *c; c++) {
        assert_int_equal(read8(UART(LSR)) & 0x20, 0x20);
        write8(UART(DATA), (uint8_t)*c);
    }
    assert_memory_equal(fake.console, "hello\n", 6);
    assert_int_equal(fake.console_count, 6);
}

static void test_scratch_and_divisor(void **state)
{
    (void)state;
    write8(UART(SCR), 0xa5);
    assert_int_equal(read8(UART(SCR)), 0xa5);
    write8(UART(IER), 0x05);
    write8(UART(LCR), 0x83);
    write8(UART(DATA), 0x34);
    write8(UART(IER), 0x12);
    assert_int_equal(read8(UART(DATA)), 0x34);
    assert_int_equal(read8(UART(IER)), 0x12);
    write8(UART(LCR), 0x03);
    assert_int_equal(read8(UART(IER)), 0x05);
    assert_int_equal(fake.console_count, 0);
}

/* What Linux's 8250 driver does to find out which chip this is. */
static void test_linux_autoconfiguration(void **state)
{
    (void)state;
    write8(UART(IER), 0);
    assert_int_equal(read8(UART(IER)) & 0x0f, 0);
    write8(UART(IER), 0xff);
    assert_int_equal(read8(UART(IER)), 0x0f);
    write8(UART(IER), 0);
    write8(UART(MCR), 0x10 | 0x0a); /* loopback, RTS and OUT2 */
    assert_int_equal(read8(UART(MSR)) & 0xf0, 0x90);
    write8(UART(MCR), 0x08);
    assert_int_equal(read8(UART(MSR)) & 0xf0, 0xb0);
    write8(UART(LCR), 0xbf);
    write8(UART(FCR), 0);
    write8(UART(LCR), 0);
    write8(UART(FCR), 0x01);
    assert_int_equal(read8(UART(IIR)) >> 6, 3); /* a 16550A */
    write8(UART(LCR), 0xbf);
    assert_int_not_equal(read8(UART(IIR)), 0); /* no EFR: not a 16650 */
    write8(UART(LCR), 0x80);
    write8(UART(FCR), 0x21);
    assert_int_equal(read8(UART(IIR)) >> 5, 6); /* no 64-byte FIFO: not a 16750 */
    write8(UART(LCR), 0);
}

static void test_transmit_interrupt(void **state)
{
    (void)state;
    assert_false(line());
    write8(UART(IER), 0x02); /* raised: the holding register is empty */
    assert_true(line());
    assert_int_equal(read8(UART(IIR)), 0x02); /* which acknowledges it */
    assert_int_equal(read8(UART(IIR)), 0x01);
    assert_false(line());
    write8(UART(DATA), 'x'); /* sent at once: empty again */
    assert_true(line());
    write8(UART(IER), 0);
    assert_false(line());
    write8(UART(IER), 0x02); /* Linux tests that it comes back */
    assert_int_equal(read8(UART(IIR)), 0x02);
}

static void test_full_console_pushes_back(void **state)
{
    (void)state;
    write8(UART(FCR), 0x01);
    write8(UART(IER), 0x02);
    read8(UART(IIR));
    fake.console_room = 2;
    for (unsigned i = 0; i < 2; i++)
        write8(UART(DATA), 'a');
    read8(UART(IIR));
    write8(UART(DATA), 'b');
    assert_int_equal(read8(UART(LSR)) & 0x60, 0);
    assert_false(line());
    for (unsigned i = 0; i < 20; i++)
        write8(UART(DATA), 'c'); /* 15 fit behind the b, five are lost */
    fake.console_room = 4;
    event();
    assert_int_equal(read8(UART(LSR)) & 0x60, 0);
    fake.console_room = 100;
    event();
    assert_int_equal(read8(UART(LSR)) & 0x60, 0x60);
    assert_true(line());
    assert_int_equal(fake.console_count, 18);
    assert_memory_equal(fake.console, "aabccccccccccccccc", 18);
}

static void test_receive_with_trigger_and_timeout(void **state)
{
    (void)state;
    write8(UART(FCR), 0x41); /* interrupt at 4 */
    write8(UART(IER), 0x01);
    fake_type("abcd");
    event();
    assert_true(line());
    assert_int_equal(read8(UART(IIR)), 0xc4);
    assert_int_equal(read8(UART(LSR)), 0x61);
    assert_int_equal(read8(UART(DATA)), 'a');
    assert_int_equal(read8(UART(IIR)), 0xcc); /* three are below the level */
    assert_true(line());
    assert_int_equal(read8(UART(DATA)), 'b');
    assert_int_equal(read8(UART(DATA)), 'c');
    assert_int_equal(read8(UART(DATA)), 'd');
    assert_int_equal(read8(UART(IIR)), 0xc1);
    assert_int_equal(read8(UART(LSR)), 0x60);
    assert_false(line());
}

static void test_receive_without_fifo(void **state)
{
    (void)state;
    fake_type("xy");
    event();
    assert_int_equal(fake.input_count, 2); /* whoever reads by SBI finds all of it */
    write8(UART(IER), 0x01);
    assert_int_equal(fake.input_count, 1); /* one is held, the other waits outside */
    assert_int_equal(read8(UART(IIR)), 0x04);
    assert_int_equal(read8(UART(DATA)), 'x');
    assert_int_equal(read8(UART(LSR)) & 1, 1);
    assert_int_equal(read8(UART(DATA)), 'y');
    assert_int_equal(read8(UART(LSR)) & 3, 0);
}

static void test_long_input_is_not_lost(void **state)
{
    (void)state;
    static const char text[] = "the quick brown fox jumps over the lazy dog";
    write8(UART(FCR), 0xc1);
    fake_type(text);
    event();
    for (const char *c = text; *c; c++) {
        assert_int_equal(read8(UART(LSR)) & 3, 1);
        assert_int_equal(read8(UART(DATA)), *c);
    }
    assert_int_equal(read8(UART(LSR)) & 1, 0);
}

static void test_fifo_clear(void **state)
{
    (void)state;
    write8(UART(FCR), 0x01);
    fake_type("ab");
    event();
    write8(UART(FCR), 0x03);
    assert_int_equal(read8(UART(LSR)) & 1, 0);
    fake_type("c");
    event();
    assert_int_equal(read8(UART(DATA)), 'c');
    fake.console_room = 0;
    write8(UART(DATA), 'z');
    assert_int_equal(read8(UART(LSR)) & 0x60, 0);
    write8(UART(FCR), 0x05);
    assert_int_equal(read8(UART(LSR)) & 0x60, 0x60);
    fake.console_room = 9;
    event();
    assert_int_equal(fake.console_count, 0);
    write8(UART(FCR), 0);
    assert_int_equal(read8(UART(IIR)), 0x01);
}

static void test_loopback(void **state)
{
    (void)state;
    write8(UART(FCR), 0x01);
    write8(UART(MCR), 0x10);
    fake_type("outside");
    write8(UART(IER), 0x01);
    write8(UART(DATA), 'L');
    assert_int_equal(fake.console_count, 0);
    assert_true(line());
    assert_int_equal(read8(UART(LSR)) & 1, 1);
    assert_int_equal(read8(UART(DATA)), 'L');
    assert_int_equal(read8(UART(LSR)) & 1, 0); /* the wire is cut */
    write8(UART(MCR), 0);
    assert_int_equal(read8(UART(DATA)), 'o');
}

static void test_overrun_is_a_line_status_interrupt(void **state)
{
    (void)state;
    write8(UART(FCR), 0x01);
    write8(UART(MCR), 0x10);
    write8(UART(IER), 0x05);
    for (unsigned i = 0; i < 17; i++)
        write8(UART(DATA), (uint8_t)('a' + i));
    assert_int_equal(read8(UART(IIR)), 0xc6); /* before received data */
    assert_int_equal(read8(UART(LSR)), 0x63);
    assert_int_equal(read8(UART(LSR)), 0x61);
    assert_int_equal(read8(UART(IIR)), 0xc4);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(read8(UART(DATA)), 'a' + i);
    write8(UART(FCR), 0);
    write8(UART(DATA), '1');
    write8(UART(DATA), '2');
    assert_int_equal(read8(UART(LSR)) & 3, 3);
    assert_int_equal(read8(UART(DATA)), '2');
}

static void test_modem_status_interrupt(void **state)
{
    (void)state;
    write8(UART(MCR), 0x1f);
    read8(UART(MSR));
    write8(UART(IER), 0x08);
    assert_false(line());
    write8(UART(MCR), 0x1d); /* RTS off: CTS changes */
    assert_true(line());
    assert_int_equal(read8(UART(IIR)), 0x00);
    assert_int_equal(read8(UART(MSR)), 0xe1);
    assert_int_equal(read8(UART(MSR)), 0xe0);
    assert_false(line());
    write8(UART(MCR), 0x19); /* OUT1 off: RI falls */
    assert_int_equal(read8(UART(MSR)), 0xa4);
    write8(UART(MCR), 0x1d); /* and rising does not count */
    assert_int_equal(read8(UART(MSR)), 0xe0);
    write8(UART(MCR), 0x14); /* DTR and OUT2 off */
    assert_int_equal(read8(UART(MSR)), 0x4a);
}

static void test_priority_of_causes(void **state)
{
    (void)state;
    write8(UART(MCR), 0x10);
    write8(UART(IER), 0x0f);
    write8(UART(DATA), '1');
    write8(UART(DATA), '2'); /* an overrun, data, an empty transmitter and changed modem wires */
    assert_int_equal(read8(UART(IIR)), 0x06);
    read8(UART(LSR));
    assert_int_equal(read8(UART(IIR)), 0x04);
    read8(UART(DATA));
    assert_int_equal(read8(UART(IIR)), 0x02);
    assert_int_equal(read8(UART(IIR)), 0x00);
    read8(UART(MSR));
    assert_int_equal(read8(UART(IIR)), 0x01);
}

static void test_widths_and_holes(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(fake_access(UART(4), 4, false, &value));
    assert_true(fake_access(UART(0), 8, false, &value));
    assert_false(fake_access(UART(8), 1, false, &value));
    assert_false(fake_access(UART(0xff), 1, false, &value));
    assert_false(fake_access(UART(1), 4, false, &value)); /* misaligned */
}

static void test_look(void **state)
{
    (void)state;
    const uint64_t *exits = &fake_vcpu(0)->counts.exits[DIOSIX_EXIT_UART], before = *exits;
    assert_int_equal(fake_look(UART(LSR), 1), 0x60);
    assert_int_equal(*exits, before + 1);
    for (unsigned number = DATA; number <= SCR; number++)
        if (number != LSR)
            assert_int_equal(fake_look(UART(number), 1), MACHINE_NO_LOOK);
    assert_int_equal(fake_look(UART(LSR), 2), MACHINE_NO_LOOK); /* misaligned */
    assert_int_equal(*exits, before + 1);
    fake_type("x"); /* LSR.DR is to rise, and perhaps a line */
    assert_int_equal(fake_look(UART(LSR), 1), MACHINE_NO_LOOK);
    assert_int_equal(read8(UART(LSR)), 0x61);
    assert_int_equal(fake_look(UART(LSR), 1), 0x61);
    write8(UART(MCR), 0x10);
    write8(UART(DATA), '1'); /* an overrun, which a read clears */
    assert_int_equal(fake_look(UART(LSR), 1), MACHINE_NO_LOOK);
    assert_int_equal(read8(UART(LSR)), 0x63);
    assert_int_equal(fake_look(UART(LSR), 1), 0x61);
}

static void test_machine_reset(void **state)
{
    (void)state;
    write8(UART(IER), 0x02);
    write8(UART(SCR), 7);
    assert_int_equal(fake.lines[0], 1U << IRQ_S_EXTERNAL);
    fake.locked = true;
    machine_reset(&fake.capsule);
    fake.locked = false;
    assert_int_equal(fake.lines[0], 0);
    test_reset_state(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reset_state),
        TEST(test_output_reaches_console),
        TEST(test_scratch_and_divisor),
        TEST(test_linux_autoconfiguration),
        TEST(test_transmit_interrupt),
        TEST(test_full_console_pushes_back),
        TEST(test_receive_with_trigger_and_timeout),
        TEST(test_receive_without_fifo),
        TEST(test_long_input_is_not_lost),
        TEST(test_fifo_clear),
        TEST(test_loopback),
        TEST(test_overrun_is_a_line_status_interrupt),
        TEST(test_modem_status_interrupt),
        TEST(test_priority_of_causes),
        TEST(test_widths_and_holes),
        TEST(test_look),
        TEST(test_machine_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
