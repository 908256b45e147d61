/*
 * Calls of the SBI and of the hypervisor's own extension. Most are nearly right: sensible arguments
 * with at most one of them wild; those with none right fail at the first check.
 */
#include "fuzz.h"
#include <diosix/abi.h>

/* SBI 3.0, chapters 4 to 19, and what has no meaning. */
static const uint64_t extensions[] = {
    SBI_BASE,   SBI_TIME,   SBI_TIME, SBI_IPI,    SBI_IPI,    SBI_RFENCE, SBI_RFENCE,
    SBI_HSM,    SBI_HSM,    SBI_SRST, SBI_DBCN,   SBI_DBCN,   SBI_SUSP,   0x504D55,
    0x43505043, 0x4E41434C, 0x535441, 0x535345,   0x46574654, 0x44425452, 0x4D505859,
    0,          1,          2,        3,          4,          5,          6,
    7,          8,          9,        0x0A000000, 0x08000005, 0x09000005, 0x0A000006,
};

#define LEGACY_PUTCHAR  1
#define LEGACY_SHUTDOWN 8

/* Bytes that it prints at most: what comes out must not drown what the canaries say. */
#define PRINT_MAX 8
#define FLOOD     256 /* but once in so many times it does, to see a full console */

static uint64_t hart_mask(struct worker *worker)
{
    return one_in(worker, 3) ? any_value(worker) : below(worker, 1UL << hart_count);
}

static uint64_t hart_base(struct worker *worker)
{
    static const uint64_t bases[] = {0, 0, 0, 1, 2, 63, 64, 65, ~0UL, ~0UL};
    return PICK(worker, bases);
}

static uint64_t deadline(struct worker *worker)
{
    static const int64_t distances[] = {-1000, 0, 1, 10, 100, 1000, 10000, 100000};
    return one_in(worker, 4) ? any_value(worker) : time_now() + (uint64_t)PICK(worker, distances);
}

static uint64_t reset_type(struct worker *worker)
{
    return one_in(worker, RARELY / 8) ? below(worker, 3) : any_value(worker) | 0x80;
}

/* What the caller does not survive, or only with the help of others, is done rarely. */
static bool is_deadly(struct worker *worker, uint64_t extension, uint64_t function)
{
    if (extension == LEGACY_SHUTDOWN)
        return !one_in(worker, RARELY / 8);
    return extension == SBI_HSM && function == 1 && !one_in(worker, hart_count > 1 ? 512 : RARELY);
}

static void arguments(struct worker *worker, uint64_t extension, uint64_t *a)
{
    uint64_t function = a[6];
    switch (extension) {
    case SBI_TIME:
    case 0:
        a[0] = deadline(worker);
        break;
    case SBI_IPI:
    case SBI_RFENCE:
        a[0] = hart_mask(worker);
        a[1] = hart_base(worker);
        a[2] = one_in(worker, 2) ? 0 : any_value(worker);
        a[3] = one_in(worker, 2) ? ~0UL * below(worker, 2) : any_value(worker);
        break;
    case SBI_HSM:
        a[0] = function == 3 ? below(worker, 2) << 31 : below(worker, hart_count + 1);
        a[1] = (uint64_t)worker_entry;
        break;
    case SBI_SRST:
        a[0] = reset_type(worker);
        a[1] = below(worker, 3);
        break;
    case SBI_SUSP:
        a[0] = 0;
        a[1] = (uint64_t)worker_entry;
        break;
    case SBI_DBCN:
        a[0] = below(worker, PRINT_MAX) + below(worker, 2) * (function == 1 ? 4096 : 0);
        a[1] = arena_address(worker, 4096 + PRINT_MAX);
        a[2] = 0;
        break;
    case SBI_BASE:
        a[0] = PICK(worker, extensions);
        break;
    default: /* legacy: hart masks in memory */
        a[0] = one_in(worker, 4) ? 0 : any_address(worker);
    }
}

/* A buffer of DBCN that the wildness has made large and valid would print megabytes. */
static void keep_quiet(struct worker *worker, uint64_t extension, uint64_t *a)
{
    if (extension == SBI_DBCN && a[6] != 1 && a[0] > PRINT_MAX && a[0] <= ram.size)
        a[0] = one_in(worker, FLOOD) ? 16384 : a[0] + ram.size;
}

/* A buffer that ends, or begins, where the guest's memory does, or what of it has come, or not
 * quite. */
static void straddle(struct worker *worker, uint64_t *address)
{
    static const uint64_t distances[] = {0, 1, 2, 8, 64, 4096};
    uint64_t edges[] = {ram.base, ram.base + ram.size, gap_low, gap_high};
    uint64_t edge = PICK(worker, edges);
    *address = edge - PICK(worker, distances);
}

static void make_call(struct worker *worker, uint64_t *a)
{
    uint64_t extension = PICK(worker, extensions);
    a[6] = one_in(worker, 8) ? any_value(worker) : below(worker, 5);
    if (extension == LEGACY_PUTCHAR && !one_in(worker, 8))
        extension++;
    if (is_deadly(worker, extension, a[6]))
        extension = SBI_RFENCE;
    if (!one_in(worker, 8))
        arguments(worker, extension, a);
    if (one_in(worker, 4))
        a[below(worker, 4)] = any_value(worker);
    if (extension == SBI_DBCN && one_in(worker, 4))
        straddle(worker, &a[1]);
    if (extension == SBI_SRST)
        a[0] = reset_type(worker);
    keep_quiet(worker, extension, a);
    a[7] = one_in(worker, 32) ? any_value(worker) | 0x100 : extension;
    if (extension == SBI_HSM || extension == SBI_SUSP) /* it may sleep */
        set_alarm(worker, 1000);
}

static unsigned buffer_argument(uint64_t function)
{
    switch (function) {
    case DIOSIX_VCPU_STATS:
        return 2;
    case DIOSIX_CAPSULE_INFO:
    case DIOSIX_HART_STATS:
    case DIOSIX_TRACE_READ:
        return 1;
    default:
        return 0;
    }
}

/* Of what the guest has the properties for, the hypervisor does; the rest it must refuse. */
static void make_service_call(struct worker *worker, uint64_t *a)
{
    uint64_t function = below(worker, DIOSIX_FUNCTION_COUNT + 1);
    a[0] = arena_address(worker, 70000);
    a[1] = one_in(worker, 2) ? below(worker, 300) : below(worker, 70000);
    a[2] = below(worker, 8);
    switch (function) {
    case DIOSIX_REGISTER_SERVICE:
    case DIOSIX_PUTC:
        a[0] = below(worker, 4) * below(worker, 100);
        a[1] = below(worker, 8);
        break;
    case DIOSIX_CONSOLE_WRITE:
        a[1] = below(worker, PRINT_MAX);
        break;
    case DIOSIX_WAIT:
        a[0] = below(worker, 8);
        a[1] = deadline(worker);
        break;
    case DIOSIX_CAPSULE_INFO:
        a[0] = below(worker, 8);
        a[1] = arena_address(worker, 4096);
        break;
    case DIOSIX_VCPU_STATS:
        a[0] = below(worker, 8);
        a[1] = below(worker, 4);
        a[2] = arena_address(worker, 4096);
        a[3] = one_in(worker, 2) ? below(worker, 4096) : any_value(worker);
        break;
    case DIOSIX_HART_STATS:
    case DIOSIX_TRACE_READ:
        a[0] = below(worker, 3);
        a[1] = arena_address(worker, 4096);
        a[2] = one_in(worker, 2) ? below(worker, 4096) : any_value(worker);
        a[3] = one_in(worker, 2) ? below(worker, 4096) : any_value(worker);
        break;
    case DIOSIX_CAPSULE_CONTROL:
        a[0] = below(worker, 8);
        a[1] = below(worker, DIOSIX_CONTROL_COUNT + 1);
        break;
    }
    if (one_in(worker, 4))
        a[below(worker, 3)] = any_value(worker);
    if (one_in(worker, 4))
        straddle(worker, &a[buffer_argument(function)]);
    if (function == DIOSIX_CONSOLE_WRITE && a[1] > PRINT_MAX && a[1] <= ram.size)
        a[1] += ram.size;
    a[6] = one_in(worker, 32) ? any_value(worker) : function;
    if (a[6] == DIOSIX_WAIT)
        set_alarm(worker, 1000);
    a[7] = DIOSIX_SBI_EXTENSION;
}

/* One call, with the registers full of anything; or many in a row, for less of the loop between. */
static void call(struct worker *worker, void (*make)(struct worker *, uint64_t *))
{
    worker->is_call = true;
    if (one_in(worker, 4)) {
        worker->state.x[0] = (uint64_t)fuzz_ecall;
        make(worker, worker->state.x + 10);
        return;
    }
    for (unsigned i = 0; i < BURST; i++)
        make(worker, worker->records[i]);
    begin_burst(worker, fuzz_calls, 64 * BURST);
}

void action_sbi(struct worker *worker)
{
    worker->kind = KIND_SBI;
    call(worker, make_call);
}

void action_service(struct worker *worker)
{
    worker->kind = KIND_SERVICE;
    call(worker, make_service_call);
}
