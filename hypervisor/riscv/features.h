/* Finding out what a hart can do. */
#ifndef RISCV_FEATURES_H
#define RISCV_FEATURES_H

#include "hart_arch.h"

/* Fills `features` for the hart that runs this, by trying. At boot, before any guest: it spoils
 * mepc, mcause, mtval, PMP, VS-mode's registers and the page `scratch`, and leaves stimecmp
 * silent. */
void features_probe(struct hart_features *features, void *scratch);

/* What every hart that runs guests has, once boot has found that out. The hart that boots may be
 * one that runs none, and have less or more: what is made for guests goes by this. */
extern struct hart_features features_common;

/* Can a vCPU that began on a hart with the one run on a hart with the other? */
bool features_fit(const struct hart_features *one, const struct hart_features *other);

/* Reduces `common` to what both have; they fit. */
void features_intersect(struct hart_features *common, const struct hart_features *other);

#endif
