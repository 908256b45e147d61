/*
 * A hart's stack: a guard page below it that machine mode itself cannot touch (a locked PMP entry;
 * Privileged 1.13, 3.7.1.2), and a pattern that tells how deep it has been used.
 */
#ifndef RISCV_STACK_H
#define RISCV_STACK_H

#include "hart.h"

/* Sets the guard of this hart's stack and paints what is unused. On the hart itself, once. */
void stack_guard(struct hart *hart);
/* The most bytes that the hart's stack has held. Any hart. */
uint64_t stack_used(const struct hart *hart);

#endif
