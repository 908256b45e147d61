/*
 * Floating-point and vector registers belong to their vCPU: several of these on one hart would see
 * each other's values if they ever mixed. `seed=` makes instances differ; `rounds=`, `round_ms=`.
 */
#include "payload.h"

extern void fp_fill(uint64_t seed), fp_set_rounding(uint64_t mode), vector_fill(uint64_t seed);
extern uint64_t fp_check(uint64_t seed), fp_rounding(void), fp_harmonic(uint64_t terms);
extern uint64_t vector_check(uint64_t seed, uint8_t *buffer);

static uint8_t vector_buffer[8192] __attribute__((aligned(64)));

/* Waits without touching a register that matters: by wfi in odd rounds, busily in even ones. */
static void wait(uint64_t ticks, bool sleeping)
{
    uint64_t end = time_now() + ticks;
    csr_write(sie, SIP_STIP);
    sbi_set_timer(end);
    while (time_now() < end)
        if (sleeping)
            __asm__ volatile("wfi");
    sbi_set_timer(~0UL);
}

/* The rounding mode alone changes between two waits: no FP instruction says so. */
static unsigned lost_modes(uint64_t rounds, uint64_t ticks)
{
    unsigned lost = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t mode = i % 5;
        fp_set_rounding(mode);
        wait(ticks, true);
        lost += fp_rounding() != mode;
    }
    fp_set_rounding(0);
    return lost;
}

/* With FS off, an FP instruction is illegal; it is on demand that a kernel switches it on. */
static void off(void)
{
    csr_clear(sstatus, SSTATUS_FS);
    struct trap trap = try_instruction(0xf2000053, 0, NULL); /* fmv.d.x ft0, zero */
    check(trap.trapped && trap.scause == CAUSE_ILLEGAL, "fs_off.illegal", "trapped %lu scause %lu",
          trap.trapped, trap.scause);
    csr_set(sstatus, SSTATUS_FS);
    csr_clear(sstatus, 2UL << 13); /* initial */
    trap = try_instruction(0xf2000053, 0, NULL);
    check(!trap.trapped, "fs_initial.works", "scause %lu", trap.scause);
    check((csr_read(sstatus) & SSTATUS_FS) == SSTATUS_FS, "fs_dirty_after_write", "sstatus 0x%lx",
          csr_read(sstatus));
}

void payload_main(void)
{
    if (!isa_has("f") || !isa_has("d")) {
        skip("fp", "no F and D");
        return;
    }
    bool vector = isa_has("v");
    uint64_t seed = argument_number("seed", 1) << 32, rounds = argument_number("rounds", 40);
    uint64_t ticks = argument_number("round_ms", 20) * (frequency / 1000);
    off();
    csr_set(sstatus, SSTATUS_FS | SSTATUS_VS);
    uint64_t mode = argument_number("seed", 1) % 5, expected = fp_harmonic(1000);
    unsigned wrong = 0, wrong_mode = 0, wrong_vector = 0, wrong_sum = 0;
    for (uint64_t i = 0; i < rounds; i++, seed += 100) {
        wrong_sum += fp_harmonic(1000) != expected;
        fp_set_rounding(mode);
        fp_fill(seed);
        if (vector)
            vector_fill(seed);
        wait(ticks, i % 2);
        wrong += fp_check(seed) != 0;
        wrong_mode += fp_rounding() != mode;
        if (vector)
            wrong_vector += vector_check(seed, vector_buffer) != 0;
        fp_set_rounding(0);
    }
    unsigned lost = lost_modes(rounds, ticks);
    check(!lost, "fp.rounding_mode.alone", "lost in %u rounds", lost);
    check(!wrong, "fp.registers", "wrong in %u rounds", wrong);
    check(!wrong_mode, "fp.rounding_mode", "wrong in %u rounds", wrong_mode);
    check(!wrong_sum, "fp.arithmetic", "wrong in %u rounds", wrong_sum);
    if (vector)
        check(!wrong_vector, "vector.registers", "wrong in %u rounds", wrong_vector);
    else
        skip("vector", "no V");
}
