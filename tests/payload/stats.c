/*
 * Makes a known number of exits of each kind and finds exactly these in its own counters; sleeps,
 * works and finds its time where it belongs, with illegal instructions before, too. Of a second
 * vCPU: what its sibling asks of it. `own_wfi=yes`: it has a hart for itself, so its `wfi` is no
 * exit, and all its time is run time.
 */
#include "payload.h"
#include <diosix/abi.h>

#define TIMES 5

static struct diosix_vcpu_stats before, after;
static bool own_wfi;

static bool read_stats(uint64_t vcpu, struct diosix_vcpu_stats *stats)
{
    struct sbi_return result = sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_VCPU_STATS, DIOSIX_SELF, vcpu,
                                         (uint64_t)stats, sizeof *stats, 0, 0);
    return !result.error && result.value == sizeof *stats;
}

/* What others cause: interrupts of the hart, and with them FP state that has to come back; faults
 * that are tried again, because memory has been filled on another hart. */
static bool comes_from_outside(unsigned reason)
{
    return reason == DIOSIX_EXIT_TIMER || reason == DIOSIX_EXIT_KICK ||
           reason == DIOSIX_EXIT_EXTERNAL || reason == DIOSIX_EXIT_UNITS ||
           reason == DIOSIX_EXIT_MEMORY;
}

/* `act`, five times, is so many exits for this reason and none for another. */
static void check_exits(const char *name, unsigned reason, uint64_t wanted, void (*act)(void))
{
    read_stats(0, &before);
    for (unsigned i = 0; i < TIMES; i++)
        act();
    read_stats(0, &after);
    before.exits[reason] += wanted;
    before.exits[DIOSIX_EXIT_SBI_DIOSIX]++; /* the first look, seen by the second with its own */
    unsigned odd = 0;
    while (odd < DIOSIX_EXIT_ROOM &&
           ((comes_from_outside(odd) && odd != reason) || after.exits[odd] == before.exits[odd]))
        odd++;
    check(odd == DIOSIX_EXIT_ROOM, name, "exits for reason %u: %lu, expected %lu", odd,
          after.exits[odd % DIOSIX_EXIT_ROOM], before.exits[odd % DIOSIX_EXIT_ROOM]);
}

/* --- the kinds --- */

static void base_version(void)
{
    sbi_call(SBI_BASE, 0, 0, 0, 0);
}

static void base_probe(void)
{
    sbi_call(SBI_BASE, 3, SBI_TIME, 0, 0);
}

static void time_far(void)
{
    sbi_set_timer(~0UL);
}

static void time_unknown(void)
{
    sbi_call(SBI_TIME, 1, 0, 0, 0);
}

static void ipi_self(void)
{
    sbi_call(SBI_IPI, 0, 1, 0, 0);
    csr_clear(sip, SIP_SSIP);
}

static void ipi_nobody(void)
{
    sbi_call(SBI_IPI, 0, 0, 0, 0);
}

static void fence_self(void)
{
    sbi_call(SBI_RFENCE, 0, 1, 0, 0);
}

static void fence_range(void)
{
    sbi_call6(SBI_RFENCE, 1, 1, 0, PAGE, PAGE, 0, 0);
}

static void hsm_status(void)
{
    sbi_call(SBI_HSM, 2, 0, 0, 0);
}

static void hsm_nobody(void)
{
    sbi_call(SBI_HSM, 2, 1000, 0, 0);
}

static void dbcn_nothing(void)
{
    sbi_call(SBI_DBCN, 0, 0, scratch_pages, 0);
}

static void system_nothing(void)
{
    sbi_call(SBI_SUSP, 0, 77, 0, 0); /* a reserved sleep type */
}

static void legacy_clear_ipi(void)
{
    sbi_call(3, 0, 0, 0, 0);
}

static void diosix_nothing(void)
{
    sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_FUNCTION_COUNT, 0, 0, 0);
}

static void unknown_extension(void)
{
    sbi_call(0x08ffffff, 0, 0, 0, 0);
}

static void uart_line_status(void)
{
    uart_read(5);
}

static void plic_read(void)
{
    (void)*plic_priority(uart_irq);
}

static void load_word(uint64_t address)
{
    (void)*(volatile uint32_t *)address;
}

static void rtc_read(void)
{
    load_word(fdt_reg(fdt_by_compatible("google,goldfish-rtc")).base);
}

/* By an instruction that is no plain load: the long way to a device. */
static void rtc_compressed_store(void)
{
    __asm__ volatile("sw %0, 0(%1)" ::"r"(0UL),
                     "r"(fdt_reg(fdt_by_compatible("google,goldfish-rtc")).base + 0x14)
                     : "memory");
}

static void virtio_read(void)
{
    load_word(fdt_reg(fdt_by_compatible("virtio,mmio")).base);
}

static void syscon_read(void)
{
    load_word(fdt_reg(fdt_by_compatible("sifive,test1")).base);
}

/* The first time it is filled, and an exit; then it is there. */
static void new_memory_read(void)
{
    const uint64_t megapage = 2UL << 20;
    load_word((ram.base + megapage - 1) / megapage * megapage + megapage);
}

static void hole_read(void)
{
    try_load(HOLE, 4, NULL);
}

static void kinds(void)
{
    check_exits("exits.base", DIOSIX_EXIT_SBI_BASE, TIMES, base_version);
    check_exits("exits.base.probe", DIOSIX_EXIT_SBI_BASE, TIMES, base_probe);
    check_exits("exits.time", DIOSIX_EXIT_SBI_TIME, TIMES, time_far);
    check_exits("exits.time.unknown", DIOSIX_EXIT_SBI_TIME, TIMES, time_unknown);
    check_exits("exits.ipi", DIOSIX_EXIT_SBI_IPI, TIMES, ipi_self);
    check_exits("exits.ipi.nobody", DIOSIX_EXIT_SBI_IPI, TIMES, ipi_nobody);
    check_exits("exits.rfence", DIOSIX_EXIT_SBI_RFENCE, TIMES, fence_self);
    check_exits("exits.rfence.range", DIOSIX_EXIT_SBI_RFENCE, TIMES, fence_range);
    check_exits("exits.hsm", DIOSIX_EXIT_SBI_HSM, TIMES, hsm_status);
    check_exits("exits.hsm.nobody", DIOSIX_EXIT_SBI_HSM, TIMES, hsm_nobody);
    check_exits("exits.dbcn", DIOSIX_EXIT_SBI_DBCN, TIMES, dbcn_nothing);
    check_exits("exits.system", DIOSIX_EXIT_SBI_SYSTEM, TIMES, system_nothing);
    check_exits("exits.legacy", DIOSIX_EXIT_SBI_LEGACY, TIMES, legacy_clear_ipi);
    check_exits("exits.diosix", DIOSIX_EXIT_SBI_DIOSIX, TIMES, diosix_nothing);
    check_exits("exits.unknown", DIOSIX_EXIT_SBI_UNKNOWN, TIMES, unknown_extension);
    check_exits("exits.uart", DIOSIX_EXIT_UART, TIMES, uart_line_status);
    check_exits("exits.plic", DIOSIX_EXIT_PLIC, TIMES, plic_read);
    check_exits("exits.rtc", DIOSIX_EXIT_RTC, TIMES, rtc_read);
    check_exits("exits.rtc.store", DIOSIX_EXIT_RTC, TIMES, rtc_compressed_store);
    check_exits("exits.virtio", DIOSIX_EXIT_VIRTIO, TIMES, virtio_read);
    check_exits("exits.syscon", DIOSIX_EXIT_SYSCON, TIMES, syscon_read);
    check_exits("exits.memory", DIOSIX_EXIT_MEMORY, 1, new_memory_read);
    uint64_t exceptions = after.exceptions;
    check_exits("exits.fault", DIOSIX_EXIT_FAULT, TIMES, hole_read);
    check_equal(after.exceptions - exceptions, TIMES, "exceptions");
    check_exits("exits.wfi", DIOSIX_EXIT_WFI, own_wfi ? 0 : TIMES, wait_for_nothing);
}

/* --- illegal instructions --- */

#define MANY 1000

static uint64_t illegal_exits(unsigned count)
{
    read_stats(0, &before);
    for (unsigned i = 0; i < count; i++) {
        struct trap trap = try_instruction(0xffffffff, 0, NULL);
        if (trap.scause != CAUSE_ILLEGAL || trap.sepc != (uint64_t)instruction_buffer)
            check(false, "illegal", "scause %lu sepc 0x%lx", trap.scause, trap.sepc);
    }
    read_stats(0, &after);
    return after.exits[DIOSIX_EXIT_ILLEGAL] - before.exits[DIOSIX_EXIT_ILLEGAL];
}

/* A hart that has H, or is the guest's alone, gives them to the guest; others do in a burst. With
 * `sip=hidden` this is a QEMU that spoils those that a hart with H gives to a guest. */
static void illegal_instructions(void)
{
    illegal_exits(1); /* it may be the first use of FP that it is taken for */
    uint64_t exits = illegal_exits(MANY);
    if (argument("sip"))
        check_equal(exits, MANY, "illegal.all");
    else if (own_wfi)
        check_equal(exits, 0, "illegal.own");
    else
        check(exits < MANY, "illegal.burst", "each of %u was an exit", MANY);
}

/* --- time --- */

static void sleep_until(uint64_t deadline)
{
    csr_write(sie, SIP_STIP);
    sbi_set_timer(deadline);
    while (time_now() < deadline)
        __asm__ volatile("wfi");
    csr_write(sie, 0);
}

static uint64_t age(const struct diosix_vcpu_stats *stats)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < DIOSIX_VCPU_STATES; i++)
        sum += stats->times[i];
    return sum;
}

static uint64_t spent(unsigned state)
{
    return after.times[state] - before.times[state];
}

/* A hart may stand still for any time (an emulator's, on a busy machine), and then there is nothing
 * left to sleep for: so it sleeps until it has slept enough. */
static void sleep_some(uint64_t part)
{
    for (unsigned i = 0; i < 100 && (i == 0 || spent(DIOSIX_VCPU_IDLE) < part / 2); i++) {
        sleep_until(time_now() + part);
        read_stats(0, &after);
        if (own_wfi)
            return;
    }
}

static void times(void)
{
    uint64_t part = frequency / 20;
    read_stats(0, &before);
    check_equal(before.state, DIOSIX_VCPU_RUNNING, "state");
    illegal_exits(MANY); /* a burst of them is over soon, and `wfi` an exit again */
    sleep_some(part);
    check_equal(age(&after) - age(&before), after.now - before.now, "times.sum");
    if (own_wfi) {
        check_equal(spent(DIOSIX_VCPU_RUNNING), after.now - before.now, "times.own_wfi");
        check_equal(after.exits[DIOSIX_EXIT_WFI], before.exits[DIOSIX_EXIT_WFI], "exits.own_wfi");
        return;
    }
    check(spent(DIOSIX_VCPU_IDLE) >= part / 2, "times.idle", "idle %lu, ready %lu, running %lu",
          spent(DIOSIX_VCPU_IDLE), spent(DIOSIX_VCPU_READY), spent(DIOSIX_VCPU_RUNNING));
    before = after;
    wait_until(time_now() + part);
    read_stats(0, &after);
    check(spent(DIOSIX_VCPU_RUNNING) + spent(DIOSIX_VCPU_READY) >= part, "times.running",
          "of %lu ticks, it ran %lu and was ready %lu", part, spent(DIOSIX_VCPU_RUNNING),
          spent(DIOSIX_VCPU_READY));
    check(spent(DIOSIX_VCPU_RUNNING) > 0, "times.running.some", "none");
    check_equal(spent(DIOSIX_VCPU_IDLE), 0, "times.running.idle");
    check_equal(age(&after) - age(&before), after.now - before.now, "times.running.sum");
}

/* --- a sibling --- */

static volatile uint64_t secondary_runs;

static void stay(struct hart_local *self)
{
    (void)self;
    for (;;)
        secondary_runs++;
}

static void sibling(void)
{
    static uint8_t stack[1024] __attribute__((aligned(16)));
    if (hart_count < 2)
        return;
    read_stats(1, &before);
    check_equal(before.state, DIOSIX_VCPU_OFF, "sibling.off");
    hart_locals[1].work = stay;
    hart_locals[1].stack_top = (uint64_t)(stack + sizeof stack);
    sbi_call(SBI_HSM, 0, 1, secondary_entry, &hart_locals[1]);
    while (secondary_runs == 0)
        ;
    read_stats(1, &before);
    check(before.switches >= 1, "sibling.switches", "it has never come to a hart");
    for (unsigned i = 0; i < TIMES; i++)
        sbi_call(SBI_RFENCE, 0, 2, 0, 0);
    uint64_t runs = secondary_runs;
    while (secondary_runs == runs) /* it has entered, and paid what it owed */
        ;
    read_stats(1, &after);
    check(after.fences > before.fences && after.fences <= before.fences + TIMES, "sibling.fences",
          "%lu for the %u that were asked of it", after.fences - before.fences, TIMES);
}

void payload_main(void)
{
    if (!in_diosix) {
        skip("stats", "not on Diosix");
        return;
    }
    if (!check(read_stats(0, &before), "read", "its own counters are closed to it"))
        return;
    own_wfi = argument("own_wfi");
    kinds();
    illegal_instructions();
    times();
    sibling();
}
