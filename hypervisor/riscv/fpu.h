/*
 * FP and vector registers belong to a vCPU and move only when another vCPU needs them on a hart.
 *
 * With H, mstatus.FS and VS are ours alone (the guest has those of vsstatus): a vCPU whose state
 * is not in the hart starts with both off, its first use traps, and only then its state is
 * loaded; when it leaves, only what it has changed is saved. Without H the guest's FS and VS are
 * the hart's, so a use cannot be seen: its state is loaded before it runs, unless it is still
 * there, and saved when it leaves.
 */
#ifndef RISCV_FPU_H
#define RISCV_FPU_H

#include "hart.h"
#include "vcpu.h"
#include <stdbool.h>

/* The vCPU comes to this hart, before it first enters; sets FS and VS in its mstatus. */
void fpu_enter(struct hart *hart, struct vcpu *vcpu);
/* It leaves: after this its state is complete in memory, and may also still be in the hart. */
void fpu_leave(struct hart *hart, struct vcpu *vcpu);
/* Would the loaded vCPU's next use of these registers be its first, and trap? */
static inline bool fpu_waits(const struct hart *hart)
{
    return hart->arch.features.h && !hart->arch.fp_loaded;
}
/* An illegal instruction trapped. True: it was the first use of these registers, which are there
 * now; execute it again. */
bool fpu_first_use(struct hart *hart, struct vcpu *vcpu);
/* One FP register of the loaded vCPU, for an access of it that is emulated. Its registers are
 * loaded if they are not in the hart. */
uint64_t fpu_get(struct hart *hart, struct vcpu *vcpu, unsigned number);
void fpu_set(struct hart *hart, struct vcpu *vcpu, unsigned number, uint64_t value);

#endif
