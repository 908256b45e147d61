/*
 * All harts of a machine at once, 64 of them on two cores for instance (SBI 3.0, chapters 7 to 9):
 * IPIs and fences reach each that runs, waits for its turn, is in `wfi` or suspended, and no call
 * waits for one of these; of many that start the same hart, one does.
 *
 * In each phase the others look at a page, so that its translation is in their harts, and go where
 * the phase has them. The first hart puts another page there, fences and interrupts all, and they
 * look again.
 */
#include "payload.h"

enum phase {
    RUNNING = 1,
    WAITING,
    SUSPENDED,
    CONTEST,
    END
};
static const char *const names[][4] = {
    [RUNNING] = {"running.arrives", "running.fence", "running.ipi", "running.translation"},
    [WAITING] = {"waiting.arrives", "waiting.fence", "waiting.ipi", "waiting.translation"},
    [SUSPENDED] = {"suspended.arrives", "suspended.fence", "suspended.ipi",
                   "suspended.translation"},
};

static struct member {
    volatile uint64_t phase, ipis, seen;
    volatile long start_error;
} members[HARTS_MAX];
static volatile uint64_t phase = RUNNING, root;
static volatile bool open; /* the contest */
static _Atomic unsigned victim_lives;
static unsigned victim; /* by its place in members, as hart_locals has it: the last */
static uint8_t stacks[HARTS_MAX][4096] __attribute__((aligned(16)));
static uint64_t ids[HARTS_MAX]; /* in that order */

static struct member *mine(void)
{
    return &members[local() - hart_locals];
}

static void on_ipi(void)
{
    csr_clear(sip, SIP_SSIP);
    mine()->ipis++;
}

static uint64_t look(void)
{
    return *(volatile uint64_t *)WINDOW;
}

/* No interrupt is taken between the look at the phase and the call or instruction that waits. */
static void stay(uint64_t now)
{
    while (phase == now) {
        if (now == RUNNING)
            continue;
        csr_clear(sstatus, SSTATUS_SIE);
        if (phase == now && now == SUSPENDED)
            sbi_call(SBI_HSM, 3, 0, 0, 0);
        else if (phase == now)
            __asm__ volatile("wfi");
        csr_set(sstatus, SSTATUS_SIE);
    }
}

static void live_again(struct hart_local *hart)
{
    (void)hart;
    victim_lives++;
    csr_write(sie, SIP_SSIP);
    csr_set(sstatus, SSTATUS_SIE);
    stay(CONTEST);
    sbi_call(SBI_HSM, 1, 0, 0, 0);
}

static void take_part(struct hart_local *hart)
{
    struct member *self = mine();
    csr_write(satp, root);
    fence_vma();
    csr_write(sie, SIP_SSIP);
    csr_set(sstatus, SSTATUS_SIE);
    for (uint64_t now = RUNNING; now < CONTEST; now++) {
        look();
        self->phase = now;
        stay(now);
        self->seen = look();
    }
    self->phase = CONTEST;
    if (hart != &hart_locals[victim]) {
        while (!open)
            ;
        self->start_error =
            sbi_call(SBI_HSM, 0, ids[victim], secondary_entry, &hart_locals[victim]).error;
        self->phase = END;
        stay(CONTEST);
    } else {
        hart->work = live_again;
    }
    csr_clear(sstatus, SSTATUS_SIE);
    sbi_call(SBI_HSM, 1, 0, 0, 0);
}

/* The hart that is the last to be as it shall, or 0 when all are. */
static unsigned wait_all(bool (*is_so)(unsigned index, uint64_t what), uint64_t what)
{
    uint64_t give_up = time_now() + 60 * frequency;
    unsigned index = hart_count - 1;
    while (index > 0 && time_now() < give_up)
        index -= is_so(index, what);
    return index;
}

static bool has_come(unsigned index, uint64_t to)
{
    return members[index].phase >= to;
}

static bool has_ipis(unsigned index, uint64_t count)
{
    return members[index].ipis >= count;
}

static bool is_in_state(unsigned index, uint64_t state)
{
    return sbi_call(SBI_HSM, 2, ids[index], 0, 0).value == state;
}

static bool has_lived(unsigned index, uint64_t times)
{
    return index != victim || victim_lives >= times;
}

static void check_all(unsigned missing, const char *name)
{
    check(missing == 0, name, "not hart %lu of %u", ids[missing], hart_count);
}

static void one_phase(uint64_t now)
{
    volatile uint64_t *page = (volatile uint64_t *)(scratch_pages + now % 2 * PAGE);
    unsigned wrong = 0;
    check_all(wait_all(has_come, now), names[now][0]);
    *page = now;
    page_map(WINDOW, (uint64_t)page, PTE_LEAF);
    long fence = sbi_call6(SBI_RFENCE, 1, 0, ~0UL, WINDOW, PAGE, 0, 0).error;
    check(fence == SBI_SUCCESS, names[now][1], "error %ld", fence);
    phase = now + 1;
    sbi_call(SBI_IPI, 0, 0, ~0UL, 0);
    check_all(wait_all(has_ipis, now), names[now][2]);
    wait_all(has_come, now + 1);
    for (unsigned i = 1; i < hart_count; i++)
        wrong += members[i].seen != now;
    check(wrong == 0, names[now][3], "old in %u harts", wrong);
}

/* The last hart stops, and then all others start it. */
static void contest(void)
{
    unsigned won = 0, refused = 0;
    while (!is_in_state(victim, 1))
        ;
    open = true;
    members[victim].phase = END;
    check_all(wait_all(has_come, END), "contest.ends");
    for (unsigned i = 1; i < victim; i++) {
        won += members[i].start_error == SBI_SUCCESS;
        refused += members[i].start_error == SBI_ERR_ALREADY_AVAILABLE;
    }
    check(won == 1, "contest.one_wins", "%u did", won);
    check_strict(won + refused == victim - 1, "contest.others_are_refused", "%u were", refused);
    wait_all(has_lived, 1);
    check(victim_lives == 1, "contest.starts_once", "%u times", victim_lives);
}

void payload_main(void)
{
    unsigned index = 1;
    if (hart_count < 3) {
        skip("crowd", "needs three harts");
        return;
    }
    victim = hart_count - 1;
    interrupt_handlers[1] = on_ipi;
    paging_on();
    page_map(WINDOW, (uint64_t)scratch_pages, PTE_LEAF);
    root = csr_read(satp);
    for (unsigned i = 0; i < hart_count; i++) {
        if (hart_ids[i] == boot_hart)
            continue;
        struct hart_local *hart = &hart_locals[index];
        hart->stack_top = (uint64_t)stacks[index] + sizeof stacks[index];
        hart->work = take_part;
        ids[index] = hart_ids[i];
        sbi_call(SBI_HSM, 0, hart_ids[i], secondary_entry, hart);
        index++;
    }
    for (uint64_t now = RUNNING; now < CONTEST; now++)
        one_phase(now);
    contest();
    phase = END;
    sbi_call(SBI_IPI, 0, 0, ~0UL, 0);
    check_all(wait_all(is_in_state, 1), "all.stop");
    paging_off();
}
