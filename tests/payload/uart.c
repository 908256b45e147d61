/* The 16550: registers, loopback, FIFO, interrupts through the PLIC; with `rx=yes` what is typed,
 * with `rx=asleep` an `x` that it waits for in `wfi`. */
#include "payload.h"

enum {
    RBR = 0,
    THR = 0,
    IER = 1,
    IIR = 2,
    FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    MSR = 6,
    SCR = 7
};
enum {
    LSR_DR = 1,
    LSR_OE = 2,
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40
};
enum {
    IIR_NONE = 1,
    IIR_THRE = 2,
    IIR_DATA = 4,
    IIR_LINE = 6,
    IIR_TIMEOUT = 12
};

static void reset(void)
{
    uart_write(IER, 0);
    uart_write(LCR, 3);
    uart_write(FCR, 7);
    uart_write(FCR, 0);
    uart_write(MCR, 0);
}

static void wait_empty(void)
{
    uint64_t give_up = time_now() + 10 * frequency;
    while (!(uart_read(LSR) & LSR_TEMT) && time_now() < give_up)
        ;
}

static void registers(void)
{
    bool good = true;
    for (unsigned value = 0; value < 256; value++) {
        uart_write(SCR, (uint8_t)value);
        good = good && uart_read(SCR) == value;
    }
    check(good, "scratch", "it does not keep what is written");
    uart_write(IER, 0xff);
    check_equal(uart_read(IER), 0x0f, "ier.upper_bits_zero");
    uart_write(IER, 0);
    uart_write(LCR, 0x83);
    uart_write(0, 0x34);
    uart_write(1, 0x12);
    check(uart_read(0) == 0x34 && uart_read(1) == 0x12, "divisor_latch", "found %u %u",
          uart_read(0), uart_read(1));
    uart_write(0, 1);
    uart_write(1, 0);
    uart_write(LCR, 3);
    check_equal(uart_read(LCR), 3, "lcr");
    check_equal(uart_read(IER), 0, "ier.not_the_divisor");
    check(uart_read(LSR) & LSR_THRE, "lsr.thre", "lsr 0x%x", uart_read(LSR));
    check_equal(uart_read(IIR) & 0xcf, IIR_NONE, "iir.nothing_pending");
    uart_write(FCR, 1);
    check_equal(uart_read(IIR) & 0xc0, 0xc0, "iir.fifo_enabled");
    uart_write(FCR, 0);
    check_equal(uart_read(IIR) & 0xc0, 0, "iir.fifo_disabled");
}

static bool wait_data(void)
{
    uint64_t give_up = time_now() + 10 * frequency;
    while (!(uart_read(LSR) & LSR_DR) && time_now() < give_up)
        ;
    return uart_read(LSR) & LSR_DR;
}

static void loopback(void)
{
    wait_empty();
    uart_write(MCR, 0x10);
    uart_write(THR, 'x');
    check(wait_data(), "loopback.data_ready", "lsr 0x%x", uart_read(LSR));
    check_equal(uart_read(RBR), 'x', "loopback.data");
    check(!(uart_read(LSR) & LSR_DR), "loopback.read_clears_dr", "lsr 0x%x", uart_read(LSR));
    /* The modem's outputs come back as its inputs: RTS as CTS, DTR as DSR, OUT1 as RI, OUT2 as DCD.
     */
    static const uint8_t lines[][2] = {{0x1, 0x20}, {0x2, 0x10}, {0x4, 0x40}, {0x8, 0x80}};
    for (unsigned i = 0; i < 4; i++) {
        uart_write(MCR, 0x10 | lines[i][0]);
        check_equal(uart_read(MSR) & 0xf0, lines[i][1], "loopback.modem_line");
    }
    reset();
}

static void fifo(void)
{
    wait_empty();
    uart_write(FCR, 7);
    uart_write(MCR, 0x10);
    bool good = true;
    for (unsigned i = 0; i < 16; i++) {
        uart_write(THR, (uint8_t)('a' + i));
        uint64_t give_up = time_now() + 10 * frequency;
        while (!(uart_read(LSR) & LSR_TEMT) && time_now() < give_up)
            ;
    }
    for (unsigned i = 0; i < 16; i++)
        good = good && wait_data() && uart_read(RBR) == 'a' + i;
    check(good, "fifo.sixteen_in_order", "some are lost or out of order");
    check(!(uart_read(LSR) & LSR_DR), "fifo.empty_at_last", "lsr 0x%x", uart_read(LSR));
    uart_write(THR, 'q');
    wait_data();
    uart_write(FCR, 3);
    check(!(uart_read(LSR) & LSR_DR), "fifo.clear_receive", "lsr 0x%x", uart_read(LSR));
    reset();
}

static unsigned seen_cause, seen_source, taken;

static void on_external(void)
{
    seen_source = *plic_claim();
    seen_cause = uart_read(IIR) & 0xf;
    taken++;
    uart_write(IER, 0);
    if (seen_source)
        *plic_claim() = seen_source;
}

static bool interrupt_comes(void)
{
    uint64_t give_up = time_now() + 10 * frequency;
    unsigned before = taken;
    csr_set(sstatus, SSTATUS_SIE);
    while (taken == before && time_now() < give_up)
        ;
    csr_clear(sstatus, SSTATUS_SIE);
    return taken != before;
}

static void interrupts(void)
{
    interrupt_handlers[9] = on_external;
    *plic_priority(uart_irq) = 1;
    *plic_threshold() = 0;
    *plic_enable(uart_irq) = 1U << uart_irq % 32;
    csr_write(sie, SIP_SEIP);
    wait_empty();
    uart_write(IER, 2);
    check(interrupt_comes() && seen_cause == IIR_THRE && seen_source == uart_irq,
          "interrupt.transmitter_empty", "iir %u source %u taken %u", seen_cause, seen_source,
          taken);
    uart_write(MCR, 0x18); /* loopback, and OUT2, which gates the line on PCs */
    uart_write(THR, 'i');
    wait_data();
    uart_write(IER, 1);
    check(interrupt_comes() && seen_cause == IIR_DATA && seen_source == uart_irq,
          "interrupt.received", "iir %u source %u taken %u", seen_cause, seen_source, taken);
    check_equal(uart_read(RBR), 'i', "interrupt.received.data");
    uart_write(IER, 1);
    for (volatile unsigned i = 0; i < 100000; i++)
        ;
    check(!(csr_read(sip) & SIP_SEIP), "interrupt.read_lowers_line", "sip 0x%lx", csr_read(sip));
    reset();
    csr_write(sie, 0);
    *plic_enable(uart_irq) = 0;
}

/* Reads IIR: a transmitter interrupt is acknowledged by that. */
static void acknowledge(void)
{
    wait_empty();
    uart_write(IER, 0);
    uart_write(IER, 2);
    unsigned first = uart_read(IIR) & 0xf, second = uart_read(IIR) & 0xf;
    check(first == IIR_THRE && second == IIR_NONE, "iir.read_acknowledges_thre", "%u then %u",
          first, second);
    reset();
}

/* Nothing but the port's interrupt ends this wait. */
static void typed_asleep(void)
{
    interrupt_handlers[9] = on_external;
    *plic_enable(uart_irq) = 1U << uart_irq % 32;
    uart_write(FCR, 1);
    uart_write(IER, 1);
    csr_write(sie, SIP_SEIP);
    unsigned before = taken;
    print("type now");
    while (taken == before) {
        __asm__ volatile("wfi");
        csr_set(sstatus, SSTATUS_SIE);
        csr_clear(sstatus, SSTATUS_SIE);
    }
    check(uart_read(RBR) == 'x', "typed.asleep", "something else has come");
    reset();
}

static void typed(void)
{
    static const char expected[] = "The quick brown fox jumps over the lazy dog 0123456789";
    if (!argument("rx")) {
        skip("typed", "no rx= in the bootargs");
        return;
    }
    if (*argument("rx") == 'a') {
        typed_asleep();
        return;
    }
    interrupt_handlers[9] = on_external;
    *plic_enable(uart_irq) = 1U << uart_irq % 32;
    uart_write(FCR, 1);
    print("type now");
    bool good = true;
    for (unsigned i = 0; i < sizeof expected - 1; i++) {
        csr_write(sie, SIP_SEIP);
        uint64_t give_up = time_now() + 120 * frequency;
        while (!(uart_read(LSR) & LSR_DR) && time_now() < give_up) {
            uart_write(IER, 1);
            csr_set(sstatus, SSTATUS_SIE);
            csr_clear(sstatus, SSTATUS_SIE);
        }
        good = good && uart_read(RBR) == (uint8_t)expected[i];
    }
    check(good, "typed", "something else has come");
    check(taken > 0, "typed.by_interrupt", "no interrupt was taken");
    reset();
}

void payload_main(void)
{
    if (!check(uart_base != 0, "present", "no ns16550a in the device tree"))
        return;
    hold_output(true);
    reset();
    registers();
    loopback();
    fifo();
    acknowledge();
    interrupts();
    hold_output(false);
    typed();
}
