/*
 * Who gets a guest's illegal instructions: they go straight to it (medeleg) while none of them can
 * be our business. They are our business where the loaded vCPU's first use of FP registers traps
 * (fpu.h), where a hart has no `time` register, and, on harts without H, where `wfi` is one of them
 * (mstatus.TW) because it gives the hart away.
 *
 * So on a hart without H they are the guest's for good only if it has the hart for itself. Of
 * others we look at each, but for bursts: after two that came shortly after one another, those of
 * the next moment are the guest's, and so is `wfi` meanwhile. That moment counts as run time even
 * if the guest waits in it, and so it is short.
 */
#ifndef RISCV_ILLEGAL_H
#define RISCV_ILLEGAL_H

#include "hart.h"
#include "vcpu.h"
#include <stdbool.h>

/* From now on they are the guest's, if the hart can do that. */
void illegal_delegate(const struct hart *hart, bool delegate);
/* In a fast answer, with mstatus as the guest will have it: one has been given back, and may be the
 * second of a burst; the hart's timer has fired, and a burst may be over. */
void illegal_given_back(struct hart *hart, const struct vcpu *vcpu);
void illegal_burst_over(struct hart *hart);
/* The vCPU leaves the hart, with its mstatus in its structure. */
void illegal_leave(struct hart *hart, struct vcpu *vcpu);

#endif
