/* A physical core as the core sees it. */
#ifndef CORE_HART_H
#define CORE_HART_H

#include "hart_arch.h" /* of the port: struct hart_arch */
#include "pqueue.h"
#include "trace.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef HART_MAX
#define HART_MAX 64
#endif

struct vcpu;

struct hart {
    struct hart_arch arch;   /* first: the trap code finds it by a fixed offset, */
    uint64_t guest_deadline; /* and this: of the running guest's timer; this hart's alone */
    unsigned index;          /* 0 .. hart_count-1, in the order of the device tree */
    uint64_t id;             /* what the hardware calls it: mhartid */
    bool runs_guests;        /* false for a maintenance hart: one without supervisor mode */
    _Atomic bool online;
    /* Scheduler; LOCK_SCHED but for the atomics. */
    struct vcpu *current;    /* NULL while idle */
    _Atomic bool reschedule; /* leave the guest and choose again */
    bool called;             /* it was idle, and has been kicked to take a vCPU */
    uint64_t next_look[2];   /* not before that it looks again what others have had: wake.c */
    uint64_t started;        /* when `current` was put on the hart */
    uint64_t granted;        /* ticks of `current`'s capsule's budget that it has been given */
    uint64_t busy_time;      /* ticks spent in vCPUs */
    uint64_t switches;       /* vCPUs put on the hart */
    uint64_t kicks;          /* how often other harts' schedulers interrupted its vCPUs */
    uint64_t timers;         /* interrupts of its own timer; this hart's alone */
    struct pqueue sleepers;  /* vCPUs that wait; they ran here last. Key: deadline */
    /* What else this hart's timer must not miss. Written under LOCK_SCHED, read without. */
    _Atomic uint64_t slice_end;      /* when `current` must make room; UINT64_MAX: nobody waits */
    _Atomic uint64_t first_deadline; /* of the sleepers */
    uint32_t lock_ranks;             /* debug: locks held, by rank */
#ifdef DEBUG
    struct trace trace;
#endif
};

extern struct hart *harts[HART_MAX];
extern unsigned hart_count;

/* Has it come in, and are there vCPUs for it to run? Any hart. */
static inline bool hart_takes_guests(const struct hart *hart)
{
    return hart->runs_guests && atomic_load(&hart->online);
}

#endif
