/*
 * A flash bank with contents that the test has made: words that say their number, a function at
 * 0x100, a trap handler at 0x140, at 0x180 what other harts begin with. What a guest can do with
 * it, and that all its harts see the same when it changes between its contents and the answers to
 * commands.
 */
#include "payload.h"

#define BLOCK    0x40000UL
#define READY    0x00800080U
#define FUNCTION 0x100
#define HANDLER  0x140
#define START    0x180
#define BOTH(c)  ((uint32_t)(c) << 16 | (c))

/* What the code at START finds in a1: where to go, and with what there. */
struct start {
    void (*entry)(void);
    struct hart_local *local;
};

static volatile uint32_t *words; /* of the bank */
static struct start starts[HARTS_MAX];
static uint8_t stacks[HARTS_MAX][1024] __attribute__((aligned(16)));

/* The rounds of all harts: even ones look at the contents, odd ones at the status. */
static volatile uint64_t round;
static volatile uint64_t seen[HARTS_MAX];
static volatile uint64_t wrong;
static volatile uint64_t arrived; /* harts other than the first, out of the flash */

static void command(uint64_t offset, unsigned code)
{
    words[offset / 4] = BOTH(code);
}

static uint32_t expected(unsigned number)
{
    return 0x5a000000U + number;
}

static void contents(void)
{
    bool same = true;
    for (unsigned i = 0; i < FUNCTION / 4; i++)
        same &= words[i] == expected(i);
    check(same, "contents.words", "word 1 is 0x%x", words[1]);
    check_equal(((volatile uint8_t *)words)[7], 0x5a, "contents.byte");
    check_equal(*(volatile uint64_t *)(words + 2), (uint64_t)expected(3) << 32 | expected(2),
                "contents.eight_bytes");
    check_equal(words[BLOCK], 0, "contents.rest_is_zero");
    long (*function)(void) = (long (*)(void))((uint64_t)words + FUNCTION);
    check_equal((uint64_t)function(), 42, "contents.executed");
}

/* As firmware does it: the handler in flash goes on behind the load. */
static void handled_in_flash(void)
{
    uint64_t old, went_on = 0;
    __asm__ volatile("csrrw %0, stvec, %2\n\t"
                     ".option push\n\t"
                     ".option norvc\n\t"
                     "ld t0, (%3)\n\t"
                     ".option pop\n\t"
                     "li %1, 1\n\t"
                     "csrw stvec, %0"
                     : "=&r"(old), "+&r"(went_on)
                     : "r"((uint64_t)words + HANDLER), "r"(HOLE)
                     : "t0", "memory");
    check_equal(went_on, 1, "handler.in_flash");
    check_equal(csr_read(scause), CAUSE_LOAD_ACCESS, "handler.cause");
}

static void faults(void)
{
    uint64_t old = 0, address = (uint64_t)words;
    struct trap trap = try_amo(address, 4, 1, &old);
    check(!trap.trapped && old == expected(0), "amo.reads_and_writes", "cause %lu, 0x%lx",
          trap.scause, old);
    if (isa_has("zicboz")) {
        trap = try_zero(address);
        check(trap.trapped && trap.scause == CAUSE_STORE_ACCESS, "zicboz.fault", "cause %lu",
              trap.scause);
    }
    command(0, 0x70);
    trap = try_execute(address + FUNCTION);
    check(trap.trapped && trap.scause == CAUSE_FETCH_ACCESS, "status.fetch_fault", "cause %lu",
          trap.scause);
    command(0, 0xff);
    check_equal(words[1], expected(1), "faults.change_nothing");
}

static void query(void)
{
    command(0x55 * 4, 0x98);
    check(words[0x10] == BOTH('Q') && words[0x11] == BOTH('R') && words[0x12] == BOTH('Y'),
          "query.qry", "0x%x", words[0x10]);
    check_equal(words[0x13], BOTH(1), "query.command_set");
    command(0, 0xff);
}

static void program(void)
{
    command(BLOCK, 0x20);
    command(BLOCK, 0xd0);
    check_equal(words[0], READY, "erase.status");
    command(BLOCK + 8, 0x40);
    words[BLOCK / 4 + 2] = 0x12345678;
    command(BLOCK, 0xe8);
    command(BLOCK, 1);
    words[BLOCK / 4 + 4] = 0xa5a5a5a5;
    words[BLOCK / 4 + 5] = 0x5a5a5a5a;
    command(BLOCK, 0xd0);
    check_equal(words[0], READY, "program.status");
    command(0, 0xff);
    check_equal(words[BLOCK / 4], UINT32_MAX, "erase.contents");
    check_equal(words[BLOCK / 4 + 2], 0x12345678, "program.word");
    check_equal(words[BLOCK / 4 + 4], 0xa5a5a5a5, "program.buffer");
    check_equal(words[BLOCK / 4 + 5], 0x5a5a5a5a, "program.buffer");
    check_equal(words[1], expected(1), "program.leaves_the_rest");
}

static void look(uint64_t number)
{
    if (words[1] != (number % 2 ? READY : expected(1)))
        __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

static void follow(struct hart_local *self)
{
    uint64_t index = (uint64_t)(self - hart_locals), last = argument_number("rounds", 20);
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
    for (uint64_t number = 1; number <= last; number++) {
        while (__atomic_load_n(&round, __ATOMIC_ACQUIRE) < number)
            ;
        look(number);
        __atomic_store_n(&seen[index], number, __ATOMIC_RELEASE);
    }
}

/* As firmware does it that was itself started in flash. */
static unsigned start_others(void)
{
    unsigned index = 1;
    for (unsigned i = 0; i < hart_count; i++) {
        if (hart_ids[i] == boot_hart)
            continue;
        hart_locals[index].work = follow;
        hart_locals[index].stack_top = (uint64_t)stacks[index] + sizeof stacks[index];
        starts[index] = (struct start){secondary_entry, &hart_locals[index]};
        struct sbi_return answer =
            sbi_call(SBI_HSM, 0, hart_ids[i], (uint64_t)words + START, &starts[index]);
        if (!check_equal((uint64_t)answer.error, 0, "harts.started_in_flash"))
            continue;
        index++;
    }
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < index - 1)
        ;
    return index;
}

/* Each round waits for all harts, so none is looking while the mode changes. */
static void all_harts(void)
{
    unsigned harts = start_others();
    uint64_t last = argument_number("rounds", 20);
    for (uint64_t number = 1; number <= last; number++) {
        command(0, number % 2 ? 0x70 : 0xff);
        __atomic_store_n(&round, number, __ATOMIC_RELEASE);
        look(number);
        for (unsigned i = 1; i < harts; i++)
            while (__atomic_load_n(&seen[i], __ATOMIC_ACQUIRE) < number)
                ;
    }
    check_equal(wrong, 0, "harts.see_the_same");
}

void payload_main(void)
{
    const uint32_t *node = fdt_by_compatible("cfi-flash");
    if (!check(node != NULL, "node", "no cfi-flash in the device tree"))
        return;
    words = (volatile uint32_t *)fdt_reg(node).base;
    check_equal(fdt_cell(node, "bank-width", 0), 4, "node.bank_width");
    contents();
    handled_in_flash();
    faults();
    query();
    program();
    all_harts();
}
