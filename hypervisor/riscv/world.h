/* Moving a vCPU's supervisor state between its structure and a hart. */
#ifndef RISCV_WORLD_H
#define RISCV_WORLD_H

#include "hart.h"
#include "vcpu.h"

/* After this the hart is the vCPU's but for its general registers. On the vCPU's hart. */
void world_load(struct hart *hart, struct vcpu *vcpu);
/* After this the vCPU is complete in memory and may go to another hart. */
void world_unload(struct hart *hart, struct vcpu *vcpu);
/* The hart's own settings, once: delegation, what guests may read, what traps. */
void world_init_hart(struct hart *hart);

#endif
