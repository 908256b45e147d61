/*
 * A capsule's cap: how much time its vCPUs may use together, in per cent of one hart's. It is a
 * budget for each period of 100 ms. What a vCPU is about to use is taken from the budget before it
 * runs, and what it did not use is given back after: so many vCPUs on many harts cannot use more
 * than there is. What is left at the end of a period is lost; what was used too much, because an
 * exit took its time, is owed by the next. All under LOCK_SCHED.
 */
#ifndef CORE_CAP_H
#define CORE_CAP_H

#include "capsule.h"

/* For a capsule with a cap: has it time left? */
bool cap_has_time(struct capsule *capsule, uint64_t now);

/* May one of its vCPUs run now? If not, again at capsule->period_end. */
static inline bool cap_allows(struct capsule *capsule, uint64_t now)
{
    return capsule->config.cap == 0 || cap_has_time(capsule, now);
}

/* It may: takes up to `ticks` from the budget. */
static inline uint64_t cap_take(struct capsule *capsule, uint64_t ticks)
{
    if (capsule->config.cap == 0)
        return ticks;
    if ((int64_t)ticks > capsule->budget)
        ticks = (uint64_t)capsule->budget;
    capsule->budget -= (int64_t)ticks;
    return ticks;
}

/* Of the `taken` ticks, this many were used. */
static inline void cap_settle(struct capsule *capsule, uint64_t taken, uint64_t used)
{
    if (capsule->config.cap != 0)
        capsule->budget += (int64_t)(taken - used);
}

#endif
