/* Breaking the rules from inside, in debug builds: see violate.c. */
#ifndef RISCV_VIOLATE_H
#define RISCV_VIOLATE_H

#include "vcpu.h"

#ifdef DEBUG
/* Does what the boot word `violate=` asks for, if anything. The vCPU is loaded on this hart. */
void violate(struct vcpu *vcpu);
#else
static inline void violate(struct vcpu *vcpu)
{
    (void)vcpu;
}
#endif

#endif
