/* Interrupts and timers at awkward moments; harts that start, stop and suspend each other. */
#include "fuzz.h"

static void store_word(uint64_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

/* Sources, enables, thresholds: mostly those of the serial port and the clock. */
static void program_plic(struct worker *worker)
{
    static const uint32_t sources[] = {10, 10, 11, 1, 8, 31, 32, 63, 95};
    uint32_t source = PICK(worker, sources);
    store_word(plic_base + 4UL * source, (uint32_t)below(worker, 9));
    store_word(plic_base + 0x2000 + 0x80 * worker->plic_context + source / 32 * 4,
               one_in(worker, 4) ? 0 : (uint32_t)any(worker) | 1U << source % 32);
    store_word(plic_base + 0x200000 + 0x1000 * worker->plic_context, (uint32_t)below(worker, 3));
}

/* IER, MCR and FCR make the port ask for attention: nearly always the transmitter is empty. */
static void program_uart(struct worker *worker)
{
    uart_write(1, (uint8_t)below(worker, 16));
    uart_write(4, (uint8_t)any(worker));
    if (one_in(worker, 4))
        uart_write(2, (uint8_t)any(worker));
    if (one_in(worker, 8))
        uart_write(3, (uint8_t)any(worker));
}

/* The clock: an alarm soon, or in the past (goldfish RTC: ALARM_LOW 8, HIGH 0xc, ENABLED 0x10). */
static void program_clock(struct worker *worker)
{
    const uint64_t clock = 0x101000;
    uint64_t now = *(volatile uint32_t *)clock;
    now |= (uint64_t)(*(volatile uint32_t *)(clock + 4)) << 32;
    now += below(worker, 2000000) - 100000;
    store_word(clock + 0xc, (uint32_t)(now >> 32));
    store_word(clock + 8, (uint32_t)now);
    store_word(clock + 0x10, (uint32_t)below(worker, 4));
    if (one_in(worker, 2))
        store_word(clock + 0x1c, 1);
}

void action_interrupt(struct worker *worker)
{
    static void (*const devices[])(struct worker *) = {program_plic, program_uart, program_clock};
    worker->kind = KIND_INTERRUPT;
    PICK(worker, devices)(worker);
    if (one_in(worker, 2))
        sbi_call(SBI_IPI, 0, 1UL << below(worker, hart_count), 0, 0);
    set_alarm(worker, one_in(worker, 4) ? 0 : below(worker, 300));
    worker->state.sie = one_in(worker, 8) ? any(worker) : SIP_SSIP | SIP_STIP | SIP_SEIP;
    if (one_in(worker, 2))
        worker->state.sstatus |= SSTATUS_SPIE; /* taken before the first instruction */
    worker->state.x[0] = (uint64_t)(fuzz_wait + below(worker, 3));
}

/* What the two below may leave behind is put right by check_others() of fuzz.c. */
static void suspend(struct worker *worker, uint64_t *a)
{
    a[0] = below(worker, 2) << 31;
    a[1] = (uint64_t)worker_entry;
    a[6] = 3;
    set_alarm(worker, below(worker, 2000));
}

static void start(struct worker *worker, uint64_t *a)
{
    a[0] = below(worker, hart_count);
    a[1] = one_in(worker, RARELY / 128) && a[0] + 1 == hart_count ? any_address(worker)
                                                                  : (uint64_t)worker_entry;
    a[6] = 0;
}

static bool another_runs(const struct worker *worker)
{
    uint64_t other = (worker->id + 1) % hart_count;
    return other != worker->id && sbi_call(SBI_HSM, 2, other, 0, 0).value == 0;
}

void action_hart(struct worker *worker)
{
    uint64_t *a = worker->state.x + 10;
    worker->kind = KIND_HART;
    worker->is_call = true;
    a[7] = SBI_HSM;
    switch (below(worker, 4)) {
    case 0:
        suspend(worker, a);
        break;
    case 1:
        a[6] = another_runs(worker); /* stop, and it starts this one again */
        a[0] = 0;
        a[1] = (uint64_t)worker_entry;
        break;
    case 2:
        a[7] = SBI_RFENCE;
        a[0] = (1UL << hart_count) - 1;
        a[1] = 0;
        a[6] = below(worker, 3);
        break;
    default:
        start(worker, a);
    }
    worker->state.x[0] = (uint64_t)fuzz_ecall;
}
