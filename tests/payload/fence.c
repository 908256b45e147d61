/*
 * What a remote fence is for: when the call returns, no hart that it names uses an old translation.
 * Each hart's translation of a page is in its TLB when the first hart maps another page there and
 * fences, and then says "look". No interrupt comes to help those that run, and none but the one
 * that wakes those that sleep. Every form of the call, with and without the caller itself.
 */
#include "payload.h"

#define TIMES 6
#define PLACE (WINDOW + 0x55 * PAGE)
#define SELF  (1UL << 0)
#define OTHER (1UL << 1)

static const struct form {
    const char *name;
    uint64_t extension, function, start, size;
} forms[] = {
    {"page", SBI_RFENCE, 1, PLACE, PAGE},
    {"some_bytes", SBI_RFENCE, 1, PLACE + 8, 8},
    {"last_of_many", SBI_RFENCE, 1, PLACE - 15 * PAGE, 16 * PAGE},
    {"no_range", SBI_RFENCE, 1, 0, 0},
    {"whole_space", SBI_RFENCE, 1, 0, ~0UL},
    {"asid.page", SBI_RFENCE, 2, PLACE, PAGE},
    {"asid.no_range", SBI_RFENCE, 2, 0, 0},
    {"legacy.page", 6, 0, PLACE, PAGE},
    {"legacy.no_range", 6, 0, 0, 0},
    {"legacy.asid.page", 7, 0, PLACE, PAGE},
};

extern uint64_t fence_look(volatile uint64_t *go, uint64_t round, const volatile uint64_t *window,
                           const void *slow);

enum state {
    RUNS,
    SLEEPS,
    SUSPENDED,
};

static struct {
    volatile uint64_t go, ready, seen, done;
    volatile enum state state;
} other;
static uint64_t other_id, root, rounds;
static uint8_t stack[4096] __attribute__((aligned(16)));

static uint64_t look(void)
{
    return *(volatile uint64_t *)PLACE;
}

/* With interrupts off, so that none is taken between the look and what waits. */
static uint64_t look_when_woken(uint64_t round)
{
    while (other.go != round)
        if (other.state == SUSPENDED)
            sbi_call(SBI_HSM, 3, 0, 0, 0);
        else
            __asm__ volatile("wfi");
    csr_clear(sip, SIP_SSIP);
    return look();
}

static void be_the_other(struct hart_local *self)
{
    (void)self;
    csr_write(satp, root);
    fence_vma();
    csr_write(sie, SIP_SSIP);
    for (uint64_t round = 1;; round++) {
        look();
        other.ready = round;
        if (other.state != RUNS)
            other.seen = look_when_woken(round);
        else
            other.seen = fence_look(&other.go, round, (const volatile uint64_t *)PLACE,
                                    scratch_pages + PAGE - 4);
        other.done = round;
    }
}

static void wait_for(const volatile uint64_t *what, uint64_t round)
{
    uint64_t give_up = time_now() + 60 * frequency;
    while (*what != round && time_now() < give_up)
        ;
}

/* Legacy calls take the address of the mask. A base of -1 is all harts. */
static long fence(const struct form *form, uint64_t whom)
{
    static volatile uint64_t mask;
    mask = (whom & SELF ? 1UL << boot_hart : 0) | (whom & OTHER ? 1UL << other_id : 0);
    if (form->extension != SBI_RFENCE)
        return sbi_call6(form->extension, 0, (uint64_t)&mask, form->start, form->size, 0, 0, 0)
            .error;
    uint64_t base = whom == OTHER ? other_id : whom == SELF ? boot_hart : ~0UL;
    return sbi_call6(SBI_RFENCE, form->function, 1, base, form->start, form->size, 0, 0).error;
}

/* Which of them saw the old page after the fence. */
static uint64_t stale_after(const struct form *form, uint64_t whom)
{
    static uint64_t pages[2][512] __attribute__((aligned(4096)));
    uint64_t round = ++rounds, stale = 0;
    wait_for(&other.ready, round);
    if (other.state != RUNS)
        wait_until(time_now() + frequency / 500);
    look();
    pages[round % 2][0] = round;
    page_leaves[PLACE / PAGE % 512] = pte((uint64_t)pages[round % 2], PTE_LEAF);
    if (fence(form, whom) != SBI_SUCCESS)
        return SELF | OTHER;
    other.go = round;
    if (whom & SELF && look() != round)
        stale |= SELF;
    if (other.state != RUNS)
        sbi_call(SBI_IPI, 0, 1, other_id, 0);
    wait_for(&other.done, round);
    if (whom & OTHER && other.seen != round)
        stale |= OTHER;
    fence_vma();
    return stale;
}

/* From its next round but one on: now it waits as before. */
static void become(enum state state)
{
    wait_for(&other.ready, rounds + 1);
    other.state = state;
    stale_after(&forms[0], OTHER);
}

static void all_forms(const char *name, uint64_t whom)
{
    for (unsigned i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        unsigned wrong = 0;
        for (unsigned time = 0; time < TIMES; time++)
            wrong += stale_after(&forms[i], whom) != 0;
        check(wrong == 0, name, "%s: old in %u of %u", forms[i].name, wrong, TIMES);
    }
}

void payload_main(void)
{
    if (hart_count < 2) {
        skip("fence", "needs two harts");
        return;
    }
    paging_on();
    page_map(PLACE, (uint64_t)scratch_pages, PTE_LEAF);
    root = csr_read(satp);
    other_id = hart_ids[hart_ids[0] == boot_hart];
    hart_locals[1].work = be_the_other;
    hart_locals[1].stack_top = (uint64_t)stack + sizeof stack;
    sbi_call(SBI_HSM, 0, other_id, secondary_entry, &hart_locals[1]);
    all_forms("runs", OTHER);
    all_forms("runs.all", SELF | OTHER);
    all_forms("self", SELF);
    become(SLEEPS);
    all_forms("sleeps", OTHER);
    all_forms("sleeps.all", SELF | OTHER);
    become(SUSPENDED);
    all_forms("suspended", OTHER);
    all_forms("suspended.all", SELF | OTHER);
    paging_off();
}
