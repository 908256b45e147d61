/*
 * Counts as fast as it can on all its harts between two instants, `from_ms` and `to_ms` of the time
 * CSR, on which all guests of a machine can agree. Prints how far it came and for how long it was
 * kept waiting: with several such guests, what each gets. `yields=yes`: counts turns instead, each
 * given away by Diosix's YIELD, and prints the instructions from one to the next. With the property
 * capsule_info it also prints for how long it ran meanwhile, as Diosix has it.
 */
#include "payload.h"
#include <diosix/abi.h>

static struct record {
    volatile uint64_t count, longest, instructions, done;
} records[HARTS_MAX];
static uint8_t stacks[HARTS_MAX][1024] __attribute__((aligned(16)));
static uint64_t from, to;
static bool yields;

static void wait_for_start(void)
{
    csr_write(sie, SIP_STIP);
    sbi_set_timer(from);
    while (time_now() < from)
        __asm__ volatile("wfi");
    csr_write(sie, 0);
}

static void count(struct record *record)
{
    wait_for_start();
    uint64_t last = from, now, longest = 0, turns = 0;
    uint64_t instructions = csr_read(instret);
    do {
        if (yields)
            sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_YIELD, 0, 0, 0);
        now = time_now();
        if (now - last > longest)
            longest = now - last;
        last = now;
        turns++;
    } while (now < to);
    record->instructions = csr_read(instret) - instructions;
    record->count = turns;
    record->longest = longest;
    __sync_synchronize();
    record->done = 1;
}

/* 0 without capsule_info. */
static uint64_t run_time(void)
{
    static struct diosix_capsule_info info;
    const char *name = argument("name");
    for (uint64_t id = 0; name; id++) {
        if (sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, id, &info, 0).error)
            break;
        if (!strncmp(info.name, name, strlen(info.name)) && name[strlen(info.name)] <= ' ')
            return info.run_time;
    }
    return 0;
}

static void secondary(struct hart_local *self)
{
    count(&records[self->id]);
}

void payload_main(void)
{
    uint64_t total = 0, longest = 0, instructions = 0;
    from = argument_number("from_ms", 1000) * (frequency / 1000);
    to = argument_number("to_ms", 2000) * (frequency / 1000);
    yields = argument("yields");
    for (unsigned i = 1; i < hart_count; i++) {
        hart_locals[i].work = secondary;
        hart_locals[i].stack_top = (uint64_t)(stacks + i + 1);
        sbi_call(SBI_HSM, 0, i, secondary_entry, &hart_locals[i]);
    }
    bool late = time_now() >= from;
    uint64_t ran = run_time();
    count(&records[0]);
    ran = run_time() - ran;
    for (unsigned i = 0; i < hart_count; i++) {
        while (!records[i].done)
            ;
        total += records[i].count;
        instructions += records[i].instructions / records[i].count;
        if (records[i].longest > longest)
            longest = records[i].longest;
    }
    uint64_t microsecond = frequency / 1000000;
    print("share count %lu longest_us %lu instructions %lu ran_us %lu", total,
          longest / microsecond, instructions / hart_count, ran / microsecond);
    check(!late, "share.began_in_time", "it began late");
}
