/*
 * What a debug build does wrong on purpose, as words of its boot arguments ask for (bootargs.h), so
 * that tests can see it borne. A release build knows none of these words.
 */
#ifndef RISCV_FAULTS_H
#define RISCV_FAULTS_H

#include "hart.h"

#ifdef DEBUG
/* From here on the n-th allocation fails, until boot ends. */
void faults_boot_begins(void);
/* All capsules that can be started are; harts are about to run them. */
void faults_boot_ends(void);
/* On a hart that was called in: it may stay away, or come too late. */
void faults_hart_comes(const struct hart *hart);
#else
static inline void faults_boot_begins(void)
{
}
static inline void faults_boot_ends(void)
{
}
static inline void faults_hart_comes(const struct hart *hart)
{
    (void)hart;
}
#endif

#endif
