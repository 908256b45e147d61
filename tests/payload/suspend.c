/*
 * The whole machine asleep: SUSP (SBI 3.0, chapter 13) with each way to wake up that does not need
 * a person, and its refusals; and the clock's alarm, which ends `wfi`, a hart's suspend and the
 * machine's, on time and by itself.
 */
#include "payload.h"

#define SECOND UINT64_C(1000000000) /* of the clock, in ns */

/* Goldfish RTC, as QEMU's `virt` has it. */
enum {
    TIME_LOW = 0x00,
    TIME_HIGH = 0x04,
    ALARM_LOW = 0x08,
    ALARM_HIGH = 0x0c,
    IRQ_ENABLED = 0x10,
    CLEAR_ALARM = 0x14,
    ALARM_STATUS = 0x18,
    CLEAR_INTERRUPT = 0x1c,
};

static uint64_t rtc_base;
static uint32_t rtc_irq;

static volatile uint32_t *rtc(uint64_t offset)
{
    return (volatile uint32_t *)(rtc_base + offset);
}

static uint64_t clock_now(void)
{
    uint64_t low = *rtc(TIME_LOW);
    return (uint64_t)*rtc(TIME_HIGH) << 32 | low;
}

static void alarm_set(uint64_t time)
{
    *rtc(ALARM_HIGH) = (uint32_t)(time >> 32);
    *rtc(ALARM_LOW) = (uint32_t)time;
    *rtc(IRQ_ENABLED) = 1;
}

/* The alarm's interrupt reaches this hart's sip, with interrupts off. */
static void alarm_prepare(void)
{
    *plic_priority(rtc_irq) = 1;
    *plic_enable(rtc_irq) = 1U << rtc_irq % 32;
    *plic_threshold() = 0;
    csr_write(sie, SIP_SEIP);
}

/* Takes the interrupt; was it the alarm's? */
static bool alarm_taken(void)
{
    uint32_t source = *plic_claim();
    *rtc(CLEAR_INTERRUPT) = 1;
    if (source)
        *plic_claim() = source;
    return source == rtc_irq;
}

static void by_wfi(void)
{
    uint64_t due = clock_now() + SECOND / 5;
    alarm_set(due);
    check(*rtc(ALARM_STATUS) == 1 || clock_now() >= due, "alarm.runs", "it does not");
    do
        __asm__ volatile("wfi");
    while (clock_now() < due);
    check(alarm_taken(), "alarm.wfi", "no interrupt of the clock");
    check_equal(*rtc(ALARM_STATUS), 0, "alarm.over");
    check(!*plic_claim(), "alarm.once", "it interrupts again");
}

/* With work to do all the time, and no access to a device or call of the firmware meanwhile. */
static void by_running(void)
{
    csr_write(sie, 0);
    uint64_t due = clock_now() + SECOND / 5, start = time_now();
    alarm_set(due);
    while (!(csr_read(sip) & SIP_SEIP) && time_now() - start < 30 * frequency)
        ;
    check_sip(csr_read(sip) & SIP_SEIP, "alarm.running", "not in sip");
    check_sip(clock_now() >= due, "alarm.running.not_early", "%lu ns early", due - clock_now());
    check(alarm_taken() || argument("sip"), "alarm.running.claimed", "no interrupt of the clock");
    csr_write(sie, SIP_SEIP);
}

static void by_hart_suspend(void)
{
    uint64_t due = clock_now() + SECOND / 5;
    alarm_set(due);
    check_equal((uint64_t)sbi_call(SBI_HSM, 3, 0, 0, 0).error, 0, "alarm.hart_suspend");
    check(clock_now() >= due, "alarm.hart_suspend.not_early", "%lu ns early", due - clock_now());
    check(alarm_taken(), "alarm.hart_suspend.claimed", "no interrupt of the clock");
}

static void check_state(const struct resume_state *found, long error, const char *name)
{
    check(!error && found->hart == boot_hart && !found->satp && !(found->sstatus & SSTATUS_SIE),
          name, "error %ld a0 %lu satp 0x%lx sstatus 0x%lx", error, found->hart, found->satp,
          found->sstatus);
}

/* What wakes is what is enabled: the clock here, whose alarm comes after the timer's deadline. */
static void by_alarm(void)
{
    struct resume_state found = {.satp = ~0UL};
    uint64_t due = clock_now() + SECOND / 2;
    sbi_set_timer(time_now() + frequency / 10);
    sbi_call(SBI_IPI, 0, 1, boot_hart, 0);
    alarm_set(due);
    long error = suspend_call(0, &found, SBI_SUSP, 0);
    check_state(&found, error, "susp.alarm");
    check(clock_now() >= due, "susp.masked_do_not_wake", "%lu ns early", due - clock_now());
    check(alarm_taken(), "susp.alarm.claimed", "no interrupt of the clock");
    csr_clear(sip, SIP_SSIP);
    sbi_set_timer(~0UL);
}

static void by_timer(void)
{
    struct resume_state found = {.satp = ~0UL};
    uint64_t due = time_now() + frequency / 5;
    csr_write(sie, SIP_STIP);
    sbi_set_timer(due);
    long error = suspend_call(1UL << 32, &found, SBI_SUSP, 0);
    check_state(&found, error, "susp.timer");
    check(time_now() >= due, "susp.timer.not_early", "%lu ticks early", due - time_now());
    error = suspend_call(0, &found, SBI_SUSP, 0);
    check_state(&found, error, "susp.already_pending");
    sbi_set_timer(~0UL);
}

static void refuse(uint64_t type, uint64_t address, long expected, const char *name)
{
    struct sbi_return result = sbi_call(SBI_SUSP, 0, type, address, 0);
    check(result.error == expected, name, "error %ld, expected %ld", result.error, expected);
}

static uint8_t stack[4096] __attribute__((aligned(16)));

static void stop_when_told(struct hart_local *self)
{
    while (self->state == 0)
        ;
    sbi_call(SBI_HSM, 1, 0, 0, 0);
}

/* A hart that has not been started; the boot hart: there is none. */
static uint64_t sibling(void)
{
    for (unsigned i = 0; i < hart_count; i++)
        if (hart_ids[i] != boot_hart)
            return hart_ids[i];
    return boot_hart;
}

static void refused_to_two_harts(uint64_t id)
{
    struct hart_local *hart = &hart_locals[1];
    *hart =
        (struct hart_local){.stack_top = (uint64_t)stack + sizeof stack, .work = stop_when_told};
    check_equal((uint64_t)sbi_call(SBI_HSM, 0, id, secondary_entry, hart).error, 0,
                "susp.other.start");
    refuse(0, (uint64_t)scratch_pages, SBI_ERR_DENIED, "susp.other.denied");
    refuse(0, HOLE, SBI_ERR_DENIED, "susp.other.denied_before_address");
    refuse(1, (uint64_t)scratch_pages, SBI_ERR_INVALID_PARAM, "susp.other.type_before_denied");
    hart->state = 1;
    while (sbi_call(SBI_HSM, 2, id, 0, 0).value != 1)
        ;
}

static void refusals(void)
{
    uint64_t good = (uint64_t)scratch_pages;
    refuse(1, good, SBI_ERR_INVALID_PARAM, "susp.type.reserved");
    refuse(0x7fffffff, good, SBI_ERR_INVALID_PARAM, "susp.type.last_reserved");
    refuse(0x80000000, good, SBI_ERR_INVALID_PARAM, "susp.type.platform");
    refuse(0, HOLE, SBI_ERR_INVALID_ADDRESS, "susp.address.hole");
    refuse(0, uart_base, SBI_ERR_INVALID_ADDRESS, "susp.address.device");
    refuse(0, ram.base + ram.size, SBI_ERR_INVALID_ADDRESS, "susp.address.after_ram");
    refuse(0, ~0UL, SBI_ERR_INVALID_ADDRESS, "susp.address.last");
    refuse(0, good + 1, SBI_ERR_INVALID_ADDRESS, "susp.address.odd");
    check_equal((uint64_t)sbi_call(SBI_SUSP, 1, 0, good, 0).error, (uint64_t)SBI_ERR_NOT_SUPPORTED,
                "susp.function.unknown");
    if (sibling() != boot_hart)
        refused_to_two_harts(sibling());
}

/* Whatever happens to the capsule meanwhile: paused and resumed, it sleeps on. */
static void sleep_on(void)
{
    struct resume_state found;
    uint64_t due = clock_now() + argument_number("sleep_s", 1) * SECOND;
    alarm_set(due);
    print("# asleep");
    suspend_call(0, &found, SBI_SUSP, 0);
    check(clock_now() >= due, "susp.sleeps_on", "%lu ns early", due - clock_now());
    alarm_taken();
}

/* --- an IPI that comes in the instant in which a hart resumes --- */

/* When the hart's timer resumes it, and how long after that it was there last time; rounds with an
 * IPI. */
static volatile uint64_t due, delay, sent;

/* Some time between the two. */
static void send_one_each_round(struct hart_local *self)
{
    for (uint64_t round = 1; self->state == 0; round++) {
        while (due == 0 && self->state == 0)
            ;
        uint64_t aim = due + delay * (round % 64) / 64;
        while (time_now() < aim)
            ;
        due = 0;
        sbi_call(SBI_IPI, 0, 1, boot_hart, 0);
        sent = round;
    }
    sbi_call(SBI_HSM, 1, 0, 0, 0);
}

/* It is taken for a reason to resume, or it is pending after that. */
static bool comes_in(uint64_t round)
{
    struct resume_state found;
    uint64_t start = time_now();
    start += frequency / 10000;
    sbi_set_timer(start);
    due = start;
    suspend_call(0x80000000, &found, SBI_HSM, 3);
    delay = time_now() - start;
    while (sent < round)
        ;
    start = time_now();
    while (!(csr_read(sip) & SIP_SSIP) && time_now() - start < frequency)
        ;
    bool there = csr_read(sip) & SIP_SSIP;
    csr_clear(sip, SIP_SSIP);
    return there;
}

static void by_timer_and_sibling(uint64_t id)
{
    struct hart_local *hart = &hart_locals[1];
    uint64_t round = 0, start = time_now();
    bool there = true;
    *hart = (struct hart_local){.stack_top = (uint64_t)stack + sizeof stack,
                                .work = send_one_each_round};
    check_equal((uint64_t)sbi_call(SBI_HSM, 0, id, secondary_entry, hart).error, 0,
                "resume.sibling.start");
    csr_write(sie, SIP_STIP);
    while (there && time_now() - start < 2 * frequency)
        there = comes_in(++round);
    check(there, "resume.ipi_meanwhile", "the IPI of round %lu is lost", round);
    hart->state = 1;
    while (sbi_call(SBI_HSM, 2, id, 0, 0).value != 1)
        ;
    sbi_set_timer(~0UL);
    csr_write(sie, SIP_SEIP);
}

void payload_main(void)
{
    const uint32_t *node = fdt_by_compatible("google,goldfish-rtc");
    rtc_base = fdt_reg(node).base;
    rtc_irq = fdt_cell(node, "interrupts", 0);
    alarm_prepare();
    if (argument("sleep_s")) {
        sleep_on();
        return;
    }
    by_wfi();
    by_running();
    by_hart_suspend();
    if (sibling() != boot_hart)
        by_timer_and_sibling(sibling());
    if (!sbi_has(SBI_SUSP)) {
        check_strict(false, "susp.present", "the extension is not there");
        return;
    }
    by_alarm();
    by_timer();
    refusals();
}
