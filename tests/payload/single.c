/*
 * FP registers of a hart with F and without D belong to their vCPU, too. Several of these on one
 * hart would see each other's. `seed=`, `rounds=`.
 */
#include "payload.h"

extern void single_fill(uint64_t seed);
extern uint64_t single_check(uint64_t seed);

void payload_main(void)
{
    if (!isa_has("f")) {
        skip("single", "no F");
        return;
    }
    uint64_t seed = argument_number("seed", 1) << 16;
    unsigned wrong = 0;
    csr_set(sstatus, SSTATUS_FS);
    for (uint64_t i = 0; i < argument_number("rounds", 40); i++, seed += 100) {
        single_fill(seed);
        wait_until(time_now() + frequency / 50);
        wrong += single_check(seed) != 0;
    }
    check(!wrong, "single.registers", "wrong in %u rounds", wrong);
}
