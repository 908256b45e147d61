/*
 * The whole state of the FP and vector units of every vCPU, kept through whatever happens to it:
 * being preempted, put on another hart, asleep, with the units off, and interrupted by a handler
 * that computes with the same registers. Several instances with several vCPUs each, on fewer harts,
 * would see each other's values if any of it ever mixed. `seed=`, `rounds=`, `round_ms=`.
 *
 * In each round a vCPU loads a state that nobody else has, of registers and control registers, lets
 * time pass without touching it, stores it and compares. Meanwhile its timer strikes some times.
 */
#include "payload.h"

extern void fp_store(uint64_t registers[32]), fp_load(const uint64_t registers[32]);
extern void vector_store(uint8_t *registers, uint64_t vlenb);
extern void vector_load(const uint8_t *registers, uint64_t vlenb);
extern void vector_set_type(uint64_t vl, uint64_t vtype);
extern uint64_t fp_harmonic(uint64_t terms), vector_harmonic(uint64_t terms);

#define VLENB_MAX 128 /* VLEN of 1024 */
#define CLEAN     (2UL << 13 | 2UL << 9)
#define STRIKES   3 /* of the timer in each round */

struct state {
    uint64_t f[32];
    uint64_t fcsr, vstart, vl, vtype, vcsr;
    uint8_t v[32 * VLENB_MAX];
} __attribute__((aligned(16)));

/* What each hart of this machine works with. */
static struct work {
    struct state given, found, interrupted;
    uint64_t seed, random, strike_ticks;
    uint64_t harmonic, vector_harmonic; /* what they were when nothing had happened yet */
    unsigned strikes, wrong_sums;
    unsigned wrong[7]; /* rounds, by what was wrong: names[] */
    volatile bool done;
} works[HARTS_MAX];
static const char *const names[7] = {"f", "fcsr", "v", "vstart", "vl", "vtype", "vcsr"};
static bool vector;
static uint64_t vlenb, rounds, round_ticks;
static uint8_t stacks[HARTS_MAX][8192] __attribute__((aligned(16)));

static struct work *mine(void)
{
    return &works[local() - hart_locals];
}

static uint64_t next_random(struct work *work)
{
    work->random ^= work->random << 13;
    work->random ^= work->random >> 7;
    work->random ^= work->random << 17;
    return work->random;
}

/* A state that means something in every field: vl within VLMAX, vstart below vl (Vector 1.0, 3). */
static void make(struct work *work, struct state *state)
{
    uint64_t random = next_random(work), sew = random % 4, lmul = random / 4 % 4;
    uint64_t most = vlenb << lmul >> sew;
    for (unsigned i = 0; i < 32; i++)
        state->f[i] = next_random(work);
    state->fcsr = random / 16 % 5 << 5 | random / 128 % 32;
    for (unsigned i = 0; i < 32 * vlenb; i++)
        state->v[i] = (uint8_t)next_random(work);
    state->vtype = (random / 4096 % 4) << 6 | sew << 3 | lmul;
    state->vl = vector ? 1 + next_random(work) % most : 0;
    state->vstart = vector ? next_random(work) % state->vl : 0;
    state->vcsr = random / 65536 % 8;
}

static void load(const struct state *state)
{
    fp_load(state->f);
    csr_write(fcsr, state->fcsr);
    if (!vector)
        return;
    csr_write(vstart, 0);
    vector_load(state->v, vlenb);
    vector_set_type(state->vl, state->vtype);
    csr_write(0xf, state->vcsr);
    csr_write(vstart, state->vstart);
}

static void store(struct state *state)
{
    fp_store(state->f);
    state->fcsr = csr_read(fcsr);
    if (!vector)
        return;
    state->vstart = csr_read(vstart);
    state->vl = csr_read(0xc20);
    state->vtype = csr_read(0xc21);
    state->vcsr = csr_read(0xf);
    csr_write(vstart, 0);
    vector_store(state->v, vlenb);
    csr_write(vstart, state->vstart);
}

static bool same(const void *left, const void *right, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)left)[i] != ((const uint8_t *)right)[i])
            return false;
    return true;
}

static void compare(struct work *work)
{
    const struct state *given = &work->given, *found = &work->found;
    work->wrong[0] += !same(given->f, found->f, sizeof given->f);
    work->wrong[1] += given->fcsr != found->fcsr;
    if (!vector)
        return;
    work->wrong[2] += !same(given->v, found->v, 32 * vlenb);
    work->wrong[3] += given->vstart != found->vstart;
    work->wrong[4] += given->vl != found->vl;
    work->wrong[5] += given->vtype != found->vtype;
    work->wrong[6] += given->vcsr != found->vcsr;
}

static void strike_later(struct work *work)
{
    sbi_set_timer(work->strikes < STRIKES ? time_now() + work->strike_ticks : ~0UL);
}

/* As a kernel does: the units are on in a handler whatever they were before, and it leaves
 * everything as it was. */
static void timer(void)
{
    struct work *work = mine();
    uint64_t units = csr_read(sstatus) & (SSTATUS_FS | SSTATUS_VS);
    csr_set(sstatus, SSTATUS_FS | SSTATUS_VS);
    store(&work->interrupted);
    csr_write(fcsr, 0);
    work->wrong_sums += fp_harmonic(200) != work->harmonic;
    if (vector) {
        csr_write(vstart, 0);
        work->wrong_sums += vector_harmonic(200) != work->vector_harmonic;
    }
    load(&work->interrupted);
    csr_clear(sstatus, SSTATUS_FS | SSTATUS_VS);
    csr_set(sstatus, units);
    work->strikes++;
    strike_later(work);
}

/* Nothing here touches the units. The timer strikes at places that the hypervisor does not choose.
 */
static void pass(struct work *work, uint64_t ticks, bool sleeping)
{
    uint64_t end = time_now() + ticks;
    work->strikes = 0;
    work->strike_ticks = ticks / (STRIKES + 1);
    strike_later(work);
    csr_set(sie, SIP_STIP);
    csr_set(sstatus, SSTATUS_SIE);
    while (work->strikes < STRIKES || (!sleeping && time_now() < end)) {
        if (!sleeping)
            continue;
        csr_clear(sstatus, SSTATUS_SIE); /* none is taken between the look and the wfi */
        if (work->strikes < STRIKES)
            __asm__ volatile("wfi");
        csr_set(sstatus, SSTATUS_SIE);
    }
    csr_clear(sstatus, SSTATUS_SIE);
}

/* In one round of four the vCPU is busy, in one asleep, and in the other two the units are off,
 * which must not lose what is in them. */
static void one_round(struct work *work, unsigned number)
{
    make(work, &work->given);
    load(&work->given);
    if (number & 2)
        csr_clear(sstatus, SSTATUS_FS | SSTATUS_VS);
    pass(work, round_ticks, number & 1);
    if (number & 2)
        csr_set(sstatus, CLEAN);
    store(&work->found);
    compare(work);
}

static void run(struct hart_local *hart)
{
    struct work *work = &works[hart - hart_locals];
    csr_set(sstatus, SSTATUS_FS | (vector ? SSTATUS_VS : 0));
    csr_write(fcsr, 0);
    work->harmonic = fp_harmonic(200);
    if (vector) {
        csr_write(vstart, 0);
        work->vector_harmonic = vector_harmonic(200);
    }
    for (unsigned i = 0; i < rounds; i++) {
        csr_set(sstatus, SSTATUS_FS | (vector ? SSTATUS_VS : 0));
        one_round(work, i);
    }
    work->done = true;
}

static void start(unsigned index, uint64_t id)
{
    struct hart_local *hart = &hart_locals[index];
    hart->work = run;
    hart->stack_top = (uint64_t)stacks[index] + sizeof stacks[index];
    sbi_call(SBI_HSM, 0, id, secondary_entry, hart);
}

static void report(unsigned index)
{
    struct work *work = &works[index];
    while (!work->done)
        wait_until(time_now() + frequency / 100);
    check(work->wrong_sums == 0, "context.arithmetic", "%u wrong sums in hart %u's handler",
          work->wrong_sums, index);
    for (unsigned i = 0; i < (vector ? 7 : 2); i++)
        check(work->wrong[i] == 0, names[i], "wrong in %u rounds of hart %u", work->wrong[i],
              index);
}

void payload_main(void)
{
    if (!isa_has("f") || !isa_has("d")) {
        skip("context", "no F and D");
        return;
    }
    vector = isa_has("v");
    rounds = argument_number("rounds", 40);
    round_ticks = argument_number("round_ms", 20) * (frequency / 1000);
    csr_set(sstatus, SSTATUS_FS | SSTATUS_VS);
    vlenb = vector ? csr_read(0xc22) : 0;
    if (vlenb > VLENB_MAX) {
        skip("context", "VLEN is more than this knows");
        return;
    }
    interrupt_handlers[5] = timer;
    for (unsigned i = 0; i < hart_count; i++)
        works[i].random = (argument_number("seed", 1) * HARTS_MAX + i) * 0x9e3779b97f4a7c15UL;
    for (unsigned i = 0, index = 1; i < hart_count; i++)
        if (hart_ids[i] != boot_hart)
            start(index++, hart_ids[i]);
    run(local());
    for (unsigned i = 0; i < hart_count; i++)
        report(i);
    print("vlen %lu", vlenb * 8);
}
