/*
 * The interrupt controller (PLIC 1.0.0): priorities, thresholds, enables, pending, claim and
 * complete. The UART's transmitter is the source that can be raised and lowered at will.
 *
 * QEMU's own model follows edges where the specification has levels, and does not look again when
 * a source is enabled or disabled: those checks are strict in a capsule only.
 */
#include "payload.h"

enum {
    IER = 1,
    IIR = 2,
    LSR = 5
};

static uint32_t bit;

static void raise(void)
{
    uart_write(IER, 2); /* the transmitter is empty: the line rises */
}

static void lower(void)
{
    uart_write(IER, 0);
}

static bool external(void)
{
    return csr_read(sip) & SIP_SEIP;
}

/* The path from the device to the hart may take a moment, in both directions. */
static bool external_becomes(bool wanted)
{
    uint64_t give_up = time_now() + (argument("sip") ? frequency / 20 : 5 * frequency);
    while (external() != wanted && time_now() < give_up)
        ;
    return external() == wanted;
}

static bool stays_quiet(void)
{
    wait_until(time_now() + frequency / 50);
    return !external();
}

static void registers(void)
{
    *plic_priority(uart_irq) = 1;
    check_equal(*plic_priority(uart_irq), 1, "priority.keeps");
    *plic_priority(uart_irq) = 7;
    check_equal(*plic_priority(uart_irq), 7, "priority.seven");
    *plic_priority(0) = 7;
    check_equal(*plic_priority(0), 0, "priority.source_zero");
    *plic_enable(0) = 1;
    check_strict(!(*plic_enable(0) & 1), "enable.source_zero", "0x%x", *plic_enable(0));
    *plic_enable(uart_irq) = 0;
    *plic_enable(uart_irq) = bit;
    check_equal(*plic_enable(uart_irq), bit, "enable.keeps");
    *plic_threshold() = 3;
    check_equal(*plic_threshold(), 3, "threshold.keeps");
    *plic_threshold() = 0;
    check_equal(*plic_claim(), 0, "claim.nothing");
    uint32_t before = *plic_pending(uart_irq);
    *plic_pending(uart_irq) = ~before;
    check_equal(*plic_pending(uart_irq), before, "pending.read_only");
}

static void claim_and_complete(void)
{
    *plic_priority(uart_irq) = 1;
    *plic_enable(uart_irq) = bit;
    check(!external(), "line.low_at_first", "sip 0x%lx", csr_read(sip));
    raise();
    check_sip(external_becomes(true), "line.rises", "sip 0x%lx", csr_read(sip));
    check(*plic_pending(uart_irq) & bit, "pending.set", "pending 0x%x", *plic_pending(uart_irq));
    check_equal(*plic_claim(), uart_irq, "claim.source");
    check(external_becomes(false), "claim.lowers_line", "sip 0x%lx", csr_read(sip));
    check(!(*plic_pending(uart_irq) & bit), "claim.clears_pending", "pending 0x%x",
          *plic_pending(uart_irq));
    check_equal(*plic_claim(), 0, "claim.not_twice");
    check(stays_quiet(), "claimed.stays_quiet", "the line rose before completion");
    *plic_claim() = uart_irq;
    check_strict(external_becomes(true) || argument("sip"), "complete.level_rises_again",
                 "sip 0x%lx", csr_read(sip));
    uint32_t again = *plic_claim();
    check_strict(again == uart_irq, "claim.again", "found %u", again);
    lower();
    *plic_claim() = uart_irq;
    check(stays_quiet(), "complete.quiet_when_low", "sip 0x%lx", csr_read(sip));
}

static void wrong_completion(void)
{
    raise();
    external_becomes(true);
    *plic_claim();
    *plic_claim() = uart_irq + 1;
    *plic_claim() = 0;
    *plic_claim() = 1000;
    check(stays_quiet(), "complete.wrong_source_ignored", "sip 0x%lx", csr_read(sip));
    lower();
    *plic_claim() = uart_irq;
    external_becomes(false);
}

static void masks(void)
{
    raise();
    *plic_enable(uart_irq) = 0;
    check_strict(external_becomes(false) && stays_quiet(), "disabled.quiet", "sip 0x%lx",
                 csr_read(sip));
    check(*plic_pending(uart_irq) & bit, "disabled.still_pending", "pending 0x%x",
          *plic_pending(uart_irq));
    check_equal(*plic_claim(), 0, "disabled.claims_nothing");
    *plic_enable(uart_irq) = bit;
    check_strict(external_becomes(true) || argument("sip"), "enabled.rises", "sip 0x%lx",
                 csr_read(sip));
    *plic_threshold() = 1;
    check(external_becomes(false) && stays_quiet(), "threshold.masks_equal", "sip 0x%lx",
          csr_read(sip));
    *plic_priority(uart_irq) = 2;
    check_sip(external_becomes(true), "threshold.lets_higher_pass", "sip 0x%lx", csr_read(sip));
    *plic_threshold() = 7;
    check(external_becomes(false), "threshold.seven_masks_all", "sip 0x%lx", csr_read(sip));
    *plic_threshold() = 0;
    *plic_priority(uart_irq) = 0;
    check(external_becomes(false) && stays_quiet(), "priority.zero_never", "sip 0x%lx",
          csr_read(sip));
    *plic_priority(uart_irq) = 1;
    check_sip(external_becomes(true), "priority.one_rises", "sip 0x%lx", csr_read(sip));
    check_equal(*plic_claim(), uart_irq, "claim.after_masks");
    lower();
    *plic_claim() = uart_irq;
}

static unsigned taken;
static void on_external(void)
{
    uint32_t source = *plic_claim();
    taken += source == uart_irq;
    lower();
    *plic_claim() = source;
}

static void interrupts(void)
{
    interrupt_handlers[9] = on_external;
    csr_write(sie, SIP_SEIP);
    csr_set(sstatus, SSTATUS_SIE);
    for (unsigned i = 0; i < 100; i++) {
        unsigned before = taken;
        uint64_t give_up = time_now() + 5 * frequency;
        raise();
        while (taken == before && time_now() < give_up)
            ;
    }
    csr_clear(sstatus, SSTATUS_SIE);
    check_equal(taken, 100, "hundred_interrupts");
    taken = 0;
    raise();
    if (external_becomes(true))
        __asm__ volatile("wfi"); /* does not wait: the interrupt is pending */
    check(!taken, "wfi.wakes_without_sie", "an interrupt was taken");
    lower();
    csr_write(sie, 0);
}

void payload_main(void)
{
    if (!check(plic_base && uart_base, "present", "no PLIC or no UART in the device tree"))
        return;
    hold_output(true);
    bit = 1U << uart_irq % 32;
    lower();
    registers();
    claim_and_complete();
    wrong_completion();
    masks();
    interrupts();
    hold_output(false);
}
