/* Raising in a guest the exceptions that the hardware would raise. */
#ifndef RISCV_INJECT_H
#define RISCV_INJECT_H

#include "vcpu.h"
#include <stdbool.h>
#include <stdint.h>

/* The guest takes a trap to its supervisor mode at its present pc: sepc, scause, stval, sstatus
 * and the new pc as the hart would set them (Privileged 1.13, 12.1.1). For the loaded vCPU. */
void inject_exception(struct vcpu *vcpu, uint64_t cause, uint64_t tval);
/* The same, but where inject_exception() would end the capsule it does nothing and returns false.
 */
bool inject_if_possible(struct vcpu *vcpu, uint64_t cause, uint64_t tval);
/* An illegal instruction, tval the instruction's bits. */
void inject_illegal_instruction(struct vcpu *vcpu, uint32_t instruction);

#endif
