/*
 * Interrupt lines into a guest, by their RISC-V numbers (Privileged 1.13, 12.1.3): 1 software,
 * 5 timer, 9 external. Any hart; holding at most LOCK_CAPSULE; takes LOCK_SCHED.
 */
#ifndef RISCV_INTERRUPT_H
#define RISCV_INTERRUPT_H

#include "vcpu.h"

#define IRQ_S_SOFT     1
#define IRQ_S_TIMER    5
#define IRQ_S_EXTERNAL 9

/* Raises the line and wakes the vCPU if it waits or runs on another hart. */
void interrupt_raise(struct vcpu *vcpu, unsigned irq);
/* Lowers it. A vCPU running on another hart may still see it for an instant, as on a real bus. */
void interrupt_lower(struct vcpu *vcpu, unsigned irq);
/* Is one pending that a vCPU has enabled which is not loaded? */
bool interrupt_is_pending(const struct vcpu *vcpu);

/* The software interrupt of the vCPU that runs on this hart is no longer pending. Was it? */
bool interrupt_clear_software(struct vcpu *vcpu);

/* The supervisor timer of the vCPU that runs on this hart fires at `deadline` (ticks of the time
 * CSR; UINT64_MAX never): SBI 3.0, 6.1. The pending interrupt is cleared if it lies ahead. */
void interrupt_set_timer(struct vcpu *vcpu, uint64_t deadline);

#endif
