/*
 * Debug builds hold the walls around a capsule, as they are in the hart, against the second map of
 * owners (ownership.h).
 */
#ifndef RISCV_WALL_CHECK_H
#define RISCV_WALL_CHECK_H

#include "capsule.h"
#include "hart.h"

#ifdef DEBUG
/* On a hart that is about to run the capsule; panics when the capsule could reach what is not its
 * own or not filled yet, or when PMP behind a G-stage keeps it from some of its own. */
void wall_check(const struct hart *hart, const struct capsule *capsule);
#else
static inline void wall_check(const struct hart *hart, const struct capsule *capsule)
{
    (void)hart, (void)capsule;
}
#endif

#endif
