/* What machine mode itself may do with memory: self-protection by PMP; see protect.c. */
#ifndef RISCV_PROTECT_H
#define RISCV_PROTECT_H

#include "hart.h"

/* Does this hart have machine mode's and guests' memory apart (Smepmp)? */
static inline bool protect_strictly(const struct hart *hart)
{
    return hart->arch.features.smepmp;
}

/* At boot, on the first hart, when the capsules are known and none has memory yet: from now on the
 * hypervisor's and theirs lie apart, if any hart asks for it. */
void protect_plan(void);
/* Takes from machine mode what it needs not. On each hart, once, before it runs a guest. */
void protect_hart(struct hart *hart);
/* Is this memory for guests? Known where a hart asked for it. */
bool protect_is_guests(uint64_t address);

#endif
