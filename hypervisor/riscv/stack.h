/*
 * A hart's stack: a guard page below it (protect.c), and a pattern that tells how deep it has been
 * used.
 */
#ifndef RISCV_STACK_H
#define RISCV_STACK_H

#include "hart.h"

/* Paints what is unused of this hart's stack. On the hart itself, once. */
void stack_paint(struct hart *hart);
/* The most bytes that the hart's stack has held. Any hart. */
uint64_t stack_used(const struct hart *hart);

#endif
