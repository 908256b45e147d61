/*
 * The fuzz guest's loop; see fuzz.h.
 *
 * Words of its bootargs: `seed=` for all that it does; `life=` to begin with another than life 0;
 * `actions=` in a life, of all workers together. A guest with the property capsule_info learns from
 * the hypervisor which of its lives this is; one without begins each with a number from the
 * device tree's rng-seed. Each life prints its number and, when it ends, the account:
 *
 *     fuzz life 3 seed 0x… begins
 *     fuzz life 3 actions 20011 strays 2, 4 MiB not reached for
 *     fuzz life 3 of sbi 5012/2210/14/3 (done/refused/trapped/interrupted)
 */
#include "fuzz.h"
#include <diosix/abi.h>

#define REPORT_EACH  2000
#define SENVCFG_CBZE (1UL << 7) /* Privileged 1.13, 12.1.10 */
#define STRAYS_MAX   64         /* it has damaged its own code: a life that is of no use any more */

union worker_slot workers[WORKERS_MAX];
static uint8_t stacks[WORKERS_MAX][4096] __attribute__((aligned(16)));
uint64_t arena, arena_end;
uint32_t *shared_code;
uint64_t (*shared_tables)[512];
bool have_sstc, have_senvcfg;

static uint64_t life, life_seed, actions_in_life;
static volatile uint64_t reporting, next_report;

static const struct {
    void (*prepare)(struct worker *worker);
    unsigned weight;
} actions[] = {
    {action_sbi, 20}, {action_service, 6}, {action_device, 20},   {action_pages, 20},
    {action_zero, 6}, {action_csr, 10},    {action_code, 12},     {action_shared, 8},
    {action_jump, 5}, {action_hart, 3},    {action_interrupt, 6},
};

/* --- the account --- */

static uint64_t counted(enum kind kind, enum outcome outcome)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        sum += workers[i].worker.counts[kind][outcome];
    return sum;
}

static uint64_t counted_all(void)
{
    uint64_t sum = 0;
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
            sum += counted(kind, outcome);
    return sum;
}

static void report(void)
{
    static const char *const names[] = {"sbi", "service", "device", "memory",    "zero",
                                        "csr", "code",    "jump",   "interrupt", "hart"};
    _Static_assert(sizeof names / sizeof names[0] == KIND_COUNT, "a kind without a name");
    uint64_t strays = 0;
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        strays += workers[i].worker.strays;
    hold_output(true);
    uint64_t low = gap_low, high = gap_high;
    print("fuzz life %lu actions %lu strays %lu, %lu MiB not reached for", life, counted_all(),
          strays, low < high ? (high - low) >> 20 : 0);
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
        print("fuzz life %lu of %s %lu/%lu/%lu/%lu", life, names[kind], counted(kind, OUTCOME_DONE),
              counted(kind, OUTCOME_REFUSED), counted(kind, OUTCOME_TRAPPED),
              counted(kind, OUTCOME_INTERRUPTED));
    hold_output(false);
}

/* A life ends in one of the ways that there are, most often by a reboot. */
static _Noreturn void end_life(struct worker *worker)
{
    switch (below(worker, 16)) {
    case 0:
        sbi_call(SBI_SRST, 0, 0, 0, 0);
        break;
    case 1: /* the test device's reboot */
        *(volatile uint32_t *)0x100000 = 0x7777;
        break;
    case 2: /* nothing can be executed there: a crash */
        csr_write(stvec, HOLE);
        *(volatile uint8_t *)HOLE;
        break;
    }
    for (;;)
        sbi_call(SBI_SRST, 0, 1 + below(worker, 2), 0, 0);
}

/* One worker at a time; the others go on meanwhile. */
static void account(struct worker *worker)
{
    if (counted_all() < next_report || __atomic_exchange_n(&reporting, 1, __ATOMIC_ACQUIRE))
        return;
    bool ends = counted_all() >= actions_in_life;
    next_report = ends ? ~0UL : counted_all() + REPORT_EACH;
    report();
    if (ends)
        end_life(worker);
    __atomic_store_n(&reporting, 0, __ATOMIC_RELEASE);
}

/* --- around an action --- */

void set_alarm(struct worker *worker, uint64_t ticks)
{
    uint64_t deadline = time_now() + ticks;
    if (hart_count > 1 && one_in(worker, RARELY)) /* the others may wake it */
        deadline = ~0UL;
    if (have_sstc && !one_in(worker, 4))
        __asm__ volatile("csrw 0x14d, %0" ::"r"(deadline));
    else
        sbi_set_timer(deadline);
    worker->state.sie |= SIP_STIP;
    worker->state.sstatus |= SSTATUS_SPIE;
}

static void begin(struct worker *worker)
{
    struct state *state = &worker->state;
    for (unsigned i = 0; i < 4; i++) /* the others keep what they had */
        state->x[1 + below(worker, 31)] = any_value(worker);
    state->satp = 0;
    state->sie = one_in(worker, 4) ? any(worker) : SIP_STIP;
    state->sstatus = SSTATUS_FS | SSTATUS_VS;
    if (one_in(worker, 8))
        state->sstatus = any(worker) & ~(SSTATUS_SPP | SSTATUS_SIE);
    if (!one_in(worker, 5))
        state->sstatus |= SSTATUS_SPP;
    if (!one_in(worker, 4))
        state->sstatus &= ~SSTATUS_SPIE;
    if (have_senvcfg) /* what user mode may: cbo.zero, mostly */
        csr_write(0x10a, one_in(worker, 4) ? any(worker) : SENVCFG_CBZE);
    worker->is_call = worker->is_burst = false;
}

void begin_burst(struct worker *worker, const uint32_t *program, uint64_t size)
{
    uint64_t *x = worker->state.x;
    x[0] = (uint64_t)program;
    x[18] = x[19] = 0; /* s2, s3 */
    x[21] = (uint64_t)worker->records;
    x[22] = x[21] + size;
    worker->is_burst = true;
}

static enum outcome outcome_of(const struct worker *worker)
{
    if (worker->scause & INTERRUPT)
        return OUTCOME_INTERRUPTED;
    if (worker->scause != CAUSE_BREAKPOINT)
        return OUTCOME_TRAPPED;
    return worker->is_call && !worker->is_burst && (int64_t)worker->a0 < 0 ? OUTCOME_REFUSED
                                                                           : OUTCOME_DONE;
}

static void quiet_external(struct worker *worker)
{
    volatile uint32_t *claim =
        (volatile uint32_t *)(plic_base + 0x200004 + 0x1000 * worker->plic_context);
    uint32_t source = *claim;
    if (one_in(worker, 2))
        uart_write(1, 0);
    *(volatile uint32_t *)0x10101c = 1; /* the clock's CLEAR_INTERRUPT */
    if (source != 0 && !one_in(worker, 8))
        *claim = source;
    if (one_in(worker, 2))
        *(volatile uint32_t *)(plic_base + 0x2000 + 0x80 * worker->plic_context) = 0;
}

/* What an action may have left that would disturb the loop, or all others after it. */
static void tidy(struct worker *worker)
{
    csr_write(stvec, fuzz_traps + FUZZ_TRAP_SIZE * worker->id + (worker->id & 1));
    csr_write(scounteren, 7);
    switch (worker->scause) {
    case INTERRUPT | 1:
        csr_clear(sip, SIP_SSIP);
        break;
    case INTERRUPT | 5:
        sbi_set_timer(~0UL);
        break;
    case INTERRUPT | 9:
        quiet_external(worker);
        break;
    }
}

/* The last operation of a burst ended as the whole did, all others before it did not trap. */
static void count(struct worker *worker)
{
    uint64_t *counts = worker->counts[worker->kind];
    counts[outcome_of(worker)]++;
    if (worker->is_burst && worker->burst > 1 && worker->burst <= 8 * BURST &&
        worker->refused < worker->burst) {
        counts[OUTCOME_REFUSED] += worker->refused;
        counts[OUTCOME_DONE] += worker->burst - 1 - worker->refused;
    }
}

/* A burst in which something trapped goes on behind it. */
static bool goes_on(struct worker *worker)
{
    uint64_t *x = worker->state.x, before = x[21];
    if (!worker->is_burst || worker->next <= before || worker->next >= x[22])
        return false;
    x[21] = worker->next;
    x[18] = x[19] = 0;
    if (worker->is_call) /* the next may sleep, too */
        set_alarm(worker, 1000);
    return true;
}

/* What comes when it is first reached for comes without a fault. Where accesses are all that ran,
 * without translation, none of the guest's RAM may have been refused. (One that ends behind it
 * may.) */
static void check_own_ram(const struct worker *worker)
{
    bool accesses = worker->kind == KIND_MEMORY || worker->kind == KIND_ZERO;
    bool refused = worker->scause == CAUSE_LOAD_ACCESS || worker->scause == CAUSE_STORE_ACCESS;
    if (accesses && refused && worker->state.satp == 0 && worker->stval >= ram.base &&
        worker->stval < ram.base + ram.size - PAGE)
        print("not ok own RAM is refused: scause %lu stval 0x%lx sepc 0x%lx", worker->scause,
              worker->stval, worker->sepc);
}

static void act(struct worker *worker)
{
    unsigned sum = 0, chosen = 0;
    for (unsigned i = 0; i < sizeof actions / sizeof actions[0]; i++)
        sum += actions[i].weight;
    for (unsigned at = (unsigned)below(worker, sum); at >= actions[chosen].weight; chosen++)
        at -= actions[chosen].weight;
    begin(worker);
    actions[chosen].prepare(worker);
    if (hart_count == 1 || !one_in(worker, RARELY))
        worker->state.sie |= SIP_STIP;
    do {
        fuzz_enter(worker, &worker->state);
        tidy(worker);
        count(worker);
        check_own_ram(worker);
    } while (goes_on(worker));
}

/* --- the others --- */

/* Starts those that have stopped. One that has not moved for long has lost its way: no hart can
 * get it back, but the life of the guest goes on as long as one of them lives. */
static void check_others(struct worker *worker)
{
    uint64_t id = below(worker, hart_count);
    if (id == worker->id)
        return;
    if (sbi_call(SBI_HSM, 2, id, 0, 0).value == 1)
        sbi_call(SBI_HSM, 0, id, worker_entry, any_value(worker));
    else
        sbi_call(SBI_IPI, 0, 1UL << id, 0, 0); /* if it sleeps */
}

static _Noreturn void loop(struct worker *worker)
{
    for (;;) {
        act(worker);
        worker->alive++;
        if (worker->alive % 8 == 0)
            check_others(worker);
        if (worker->alive % 16 == 0)
            account(worker);
    }
}

void worker_run(struct worker *worker)
{
    csr_write(sie, 0);
    csr_write(satp, 0);
    csr_write(sstatus, SSTATUS_FS | SSTATUS_VS);
    worker->scause = 0;
    tidy(worker);
    worker->inside = 0;
    loop(worker);
}

void worker_stray(struct worker *worker);
void worker_stray(struct worker *worker)
{
    if (++worker->strays % STRAYS_MAX == 0)
        end_life(worker);
    worker_run(worker);
}

/* --- birth --- */

static struct diosix_capsule_info info;

static uint64_t which_life(void)
{
    const uint32_t *seed = fdt_get(fdt_by_name("chosen"), "rng-seed", NULL);
    uint64_t first = argument_number("life", 0);
    for (uint64_t i = 0;; i++) {
        if (sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, i, &info, 0).error)
            break;
        const char *name = argument("name");
        if (!strncmp(name, info.name, strlen(info.name)))
            return first + info.restarts;
    }
    return first != 0 || !seed ? first : seed[0];
}

static void share_memory(void)
{
    arena = ((uint64_t)__image_end + PAGE - 1) & ~(PAGE - 1);
    arena_end = (uint64_t)fdt & ~(PAGE - 1);
    gap_high = arena_end & ~(MEGAPAGE - 1);
    for (unsigned i = 0; i < hart_count; i++) {
        struct worker *worker = &workers[i].worker;
        worker->id = i;
        worker->stack = (uint64_t)(stacks[i] + sizeof stacks[i]);
        worker->random = mix(life_seed + i);
        worker->tables = (void *)arena;
        arena += TABLE_COUNT * PAGE;
        worker->code = (void *)arena;
        arena += CODE_SIZE;
        worker->records = (void *)arena;
        arena += PAGE;
        local()->id = i;
        worker->plic_context = plic_context();
    }
    shared_tables = (void *)arena;
    shared_code = (void *)(arena + PAGE);
    /* What follows is anybody's; by chance they also get at what is before. */
    arena += 2 * PAGE;
    gap_low = (arena + MEGAPAGE - 1) & ~(MEGAPAGE - 1);
}

void payload_main(void)
{
    if (hart_count > WORKERS_MAX)
        hart_count = WORKERS_MAX;
    have_sstc = isa_has("sstc");
    have_senvcfg = !try_instruction(0x10a02573, 0, NULL).trapped; /* csrr a0, senvcfg */
    life = which_life();
    life_seed = mix(mix(argument_number("seed", 1)) + life);
    actions_in_life = argument_number("actions", 20000);
    next_report = REPORT_EACH;
    share_memory();
    print("fuzz life %lu seed 0x%lx begins, %u harts", life, life_seed, hart_count);
    for (unsigned i = 1; i < hart_count; i++)
        sbi_call(SBI_HSM, 0, i, worker_entry, 0);
    worker_run(&workers[0].worker);
}
