/*
 * How late it is woken from wfi: by its timer, and where it has two harts, by an IPI. The worst of
 * `rounds=` each is printed, and must not be above `bound_us=` where that is given. With `busy_us=`
 * it computes instead until its timer strikes: how long it still had the hart after the deadline
 * must not be above that.
 */
#include "payload.h"

static uint8_t stack[1024] __attribute__((aligned(16)));
static volatile uint64_t fired_at, sent_at;
static volatile uint64_t worst_ipi, ipis;

static void on_timer(void)
{
    fired_at = time_now();
    sbi_set_timer(~0UL);
}

static void on_ipi(void)
{
    uint64_t late = time_now() - sent_at;
    csr_clear(sip, SIP_SSIP);
    if (late > worst_ipi)
        worst_ipi = late;
    ipis++;
}

/* Interrupts are off but for this: none is taken between the look and the wfi. */
static void sleep_once(void)
{
    __asm__ volatile("wfi");
    csr_set(sstatus, SSTATUS_SIE);
    csr_clear(sstatus, SSTATUS_SIE);
}

/* Returns how late it was. */
static uint64_t sleep_until(uint64_t deadline)
{
    fired_at = 0;
    sbi_set_timer(deadline);
    while (!fired_at)
        sleep_once();
    return fired_at - deadline;
}

static void judge(const char *what, uint64_t worst, uint64_t bound)
{
    uint64_t worst_us = worst / (frequency / 1000000);
    print("latency %s worst_us %lu", what, worst_us);
    check(!bound || worst_us <= bound, what, "%lu us, above %lu", worst_us, bound);
}

/* Returns how long after the deadline it last saw the time: it had the hart, and no interrupt. With
 * calls the hypervisor often looks at the timer itself. */
static uint64_t compute_until(uint64_t deadline, bool calls)
{
    uint64_t seen = 0;
    fired_at = 0;
    sbi_set_timer(deadline - frequency / 50000);
    sbi_set_timer(deadline); /* put off by 20 us */
    csr_set(sstatus, SSTATUS_SIE);
    while (!fired_at) {
        seen = time_now();
        if (calls)
            sbi_call(SBI_BASE, 3, SBI_TIME, 0, 0);
    }
    csr_clear(sstatus, SSTATUS_SIE);
    return seen <= deadline || seen >= fired_at ? 0 : seen - deadline;
}

/* Deadlines in this slice, and in a later one. */
static void compute(uint64_t rounds, uint64_t bound)
{
    uint64_t worst = 0;
    unsigned early = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t deadline = time_now() + frequency / 1000 * (1 + i * 7 % 45);
        uint64_t late = compute_until(deadline, i % 2);
        if (late > worst)
            worst = late;
        early += fired_at < deadline;
    }
    judge("busy", worst, bound);
    check(!early, "busy.never_early", "%u of %lu were early", early, rounds);
}

static void receive(struct hart_local *self)
{
    (void)self;
    csr_write(sie, SIP_SSIP);
    for (;;)
        sleep_once();
}

void payload_main(void)
{
    uint64_t rounds = argument_number("rounds", 200), bound = argument_number("bound_us", 0);
    uint64_t period = argument_number("period_us", 20000) * (frequency / 1000000);
    uint64_t worst = 0;
    interrupt_handlers[5] = on_timer;
    interrupt_handlers[1] = on_ipi;
    csr_write(sie, SIP_STIP);
    if (argument("busy_us")) {
        compute(rounds, argument_number("busy_us", 0));
        return;
    }
    if (hart_count > 1) {
        hart_locals[1].work = receive;
        hart_locals[1].stack_top = (uint64_t)(stack + sizeof stack);
        sbi_call(SBI_HSM, 0, 1, secondary_entry, &hart_locals[1]);
    }
    sleep_until(time_now() + frequency); /* its start has cost it time that it has not had since */
    worst_ipi = ipis = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t late = sleep_until(time_now() + period + i * 7919 % period / 4);
        if (late > worst)
            worst = late;
        sent_at = time_now();
        if (hart_count > 1)
            sbi_call(SBI_IPI, 0, 2, 0, 0);
    }
    sleep_until(time_now() + period);
    judge("timer", worst, bound);
    if (hart_count > 1) {
        check_equal(ipis, rounds, "latency.ipis");
        judge("ipi", worst_ipi, bound);
    }
}
