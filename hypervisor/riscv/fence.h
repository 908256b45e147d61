/*
 * Fences that one vCPU asks of others of its capsule (SBI 3.0, chapter 8). A vCPU that does not
 * execute guest code this instant notes the debt and pays before it next does; one that executes
 * on another hart is made to leave, and the caller waits for that alone.
 */
#ifndef RISCV_FENCE_H
#define RISCV_FENCE_H

#include "vcpu.h"

/* `kinds`: FENCE_* of vcpu_arch.h. Any hart, no locks held. On return no vCPU uses a translation
 * or an instruction from before the call. `target` may be the caller's own vCPU. */
void fence_request(struct vcpu *target, uint32_t kinds);
/* The same for every vCPU of the capsule whose vCPU, on this hart, is answered; before that one
 * goes on, it has paid. */
void fence_capsule(struct vcpu *vcpu, uint32_t kinds);

#endif
