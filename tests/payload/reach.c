/*
 * Two vCPUs reach for the same new memory at the same time, megapage after megapage: by plain
 * accesses, by one that clears a block, by the mask of a legacy SBI call, which the hypervisor
 * reads for the guest, and by fetching. It is new memory that holds zeros, and never a fault. Or
 * the one makes a page table of it, and the other uses that, with a load that is not compressed.
 */
#include "payload.h"

#define MEGAPAGE       (2UL << 20)
#define LEGACY_IPI     4
#define CAUSE_ILLEGAL  2
#define LEFT_TO_OTHERS 4 /* megapages at each end of RAM: the program's, the device tree's */

static uint8_t stack[4096] __attribute__((aligned(16)));
static volatile uint64_t go, done, table;
static unsigned faults, not_zero;

/* A fault of the mask comes as if the call had made it. */
static struct trap send_ipi(uint64_t mask_at)
{
    register uint64_t a0 __asm__("a0") = mask_at;
    register uint64_t a7 __asm__("a7") = LEGACY_IPI;
    local()->trap = (struct trap){0};
    __asm__ volatile("lla t0, 1f\n\t"
                     "sd t0, 0(tp)\n\t" /* where a trap continues */
                     "ecall\n\t"
                     ".balign 4\n"
                     "1:\n\t"
                     "sd zero, 0(tp)"
                     : "+r"(a0)
                     : "r"(a7)
                     : "t0", "ra", "a1", "memory");
    return local()->trap;
}

static struct trap make_table(uint64_t at)
{
    struct trap trap = try_store(at, 8, pte((uint64_t)scratch_pages, PTE_LEAF));
    page_middle[1] = pte(at, PTE_V);
    __sync_synchronize();
    table = at;
    return trap;
}

static struct trap use_table(uint64_t at, uint64_t *value)
{
    while (table != at)
        ;
    paging_on();
    struct trap trap = try_load(WINDOW + MEGAPAGE, 4, value);
    paging_off();
    return trap;
}

static struct trap store(uint64_t at, bool block)
{
    return block && isa_has("zicboz") ? try_zero(at) : try_store(at, 8, 0);
}

static void reach(uint64_t round, bool first)
{
    uint64_t at = ram.base + (LEFT_TO_OTHERS + round) * MEGAPAGE + 0x1000, value = 0;
    struct trap trap;
    if (round % 4 == 0)
        trap = first ? store(at + 8, round % 8 == 0) : try_load(at, 8, &value);
    else if (round % 4 == 1)
        trap = send_ipi(at);
    else if (round % 4 == 2)
        trap = try_execute(at); /* zeros are illegal */
    else
        trap = first ? make_table(at) : use_table(at, &value);
    bool expected = round % 4 == 2 && trap.scause == CAUSE_ILLEGAL;
    not_zero += value != 0;
    if (trap.trapped && !expected) {
        __atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
        print("# round %lu: scause %lu stval 0x%lx", round, trap.scause, trap.stval);
    }
}

static void follow(struct hart_local *self)
{
    (void)self;
    for (uint64_t round = 0;; round++) {
        while (go <= round)
            ;
        reach(round, false);
        __sync_synchronize();
        done = round + 1;
    }
}

void payload_main(void)
{
    uint64_t rounds = ram.size / MEGAPAGE - 2 * LEFT_TO_OTHERS;
    unsigned other = hart_ids[0] == boot_hart ? 1 : 0;
    hart_locals[1].work = follow;
    hart_locals[1].stack_top = (uint64_t)(stack + sizeof stack);
    sbi_call(SBI_HSM, 0, hart_ids[other], secondary_entry, &hart_locals[1]);
    for (uint64_t round = 0; round < rounds; round++) {
        go = round + 1;
        for (volatile uint64_t delay = round * 37 % 101 * 3; delay > 0; delay--)
            ;
        reach(round, true);
        while (done != round + 1)
            ;
    }
    check(faults == 0, "no_fault", "%u in %lu rounds", faults, rounds);
    check(not_zero == 0, "zero", "%u were something else", not_zero);
}
