/*
 * Registers of extensions that no guest is told of, but that a guest can reach: without Smstateen a
 * hart has no switch for them. They are not a vCPU's state; they are emptied when another vCPU
 * comes, so that nothing passes from one guest to the next. On harts with Smstateen they stay
 * closed, and this costs nothing there or on harts that have none of them.
 */
#ifndef RISCV_UNLISTED_H
#define RISCV_UNLISTED_H

#include "hart_arch.h"

/* Which of them this hart, of which H, F and Smstateen are known, has and guests can reach, as
 * bits; at boot. It leaves them empty. */
uint32_t unlisted_probe(const struct hart_features *features);
/* Empties those. */
void unlisted_clear(uint32_t registers);

#endif
