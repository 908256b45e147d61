/* A virtual core of a capsule. */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H

#include "pqueue.h"
#include "trace.h"
#include "vcpu_arch.h" /* of the port: struct vcpu_arch */
#include <stdatomic.h>
#include <stdbool.h>
#include <diosix/abi.h>
#include <stdint.h>

struct capsule;

/* What the scheduler does with it. */
enum vcpu_run {
    VCPU_OFF = DIOSIX_VCPU_OFF,         /* stopped by HSM, or its capsule is not running */
    VCPU_READY = DIOSIX_VCPU_READY,     /* waits for a hart, in the ready queue */
    VCPU_RUNNING = DIOSIX_VCPU_RUNNING, /* on a hart */
    VCPU_WAITING = DIOSIX_VCPU_IDLE,    /* waits for an interrupt, an event or its deadline */
    VCPU_CAPPED = DIOSIX_VCPU_CAPPED,   /* its capsule's time is used up: until the next period */
};

/* What the guest knows of it. SBI 3.0, 9.3. */
enum vcpu_hsm {
    HSM_STARTED = 0,
    HSM_STOPPED = 1,
    HSM_START_PENDING = 2,
    HSM_STOP_PENDING = 3,
    HSM_SUSPENDED = 4,
    HSM_SUSPEND_PENDING = 5,
    HSM_RESUME_PENDING = 6,
};

/* What has happened to it, laid out as in struct diosix_vcpu_stats. Changed by the hart that has
 * the vCPU alone, with plain increments, and read by others at any time. */
struct vcpu_counts {
    uint64_t switches, migrations, preemptions, exceptions, fences;
    uint64_t exits[DIOSIX_EXIT_COUNT];
};

struct vcpu {
    struct vcpu_arch arch;     /* first: the trap code finds it by a fixed offset, */
    struct vcpu_counts counts; /* and this */
    struct capsule *capsule;
    unsigned id;     /* the guest's hart id: 0 .. vcpu_count-1 */
    _Atomic int hsm; /* enum vcpu_hsm */

    /* Scheduler; LOCK_SCHED. */
    enum vcpu_run run;
    bool stop;                 /* asked, while running, to go off when it leaves its hart */
    bool block;                /* asked, while running, to wait when it leaves its hart */
    bool yield;                /* asked, while running, to let another run before it */
    bool resting;              /* is on a hart, which idles with it: sched_rest_begin() */
    uint64_t block_until;      /* deadline of that wait */
    _Atomic bool wake_pending; /* woken between asking and waiting */
    struct pqueue_node ready;  /* key: virtual run time */
    struct pqueue_node sleep;  /* key: deadline */
    uint64_t virtual_time;     /* ticks run, scaled by weight */
    struct hart *hart;         /* the one it runs on, last ran on, or sleeps at */
    uint64_t times[DIOSIX_VCPU_STATES]; /* ticks in each state, but for the present one: */
    uint64_t since;                     /* when that began */
#ifdef DEBUG
    uint64_t trap_pc, trap_value; /* of the last exit, for the trace */
#endif
};

/* What it is doing, as others are told. */
static inline enum vcpu_run vcpu_state(const struct vcpu *vcpu)
{
    return vcpu->resting ? VCPU_WAITING : vcpu->run;
}

/* One load and one store: gcc 12 makes an exchange of a relaxed atomic store. */
static inline void vcpu_count(volatile uint64_t *counter)
{
    *counter = *counter + 1;
}

/* To be called once for each exit, by whoever finds out what it is for. */
static inline void vcpu_count_exit(struct vcpu *vcpu, enum diosix_exit reason)
{
    vcpu_count(&vcpu->counts.exits[reason]);
#ifdef DEBUG
    trace_note(reason, vcpu, vcpu->trap_pc, vcpu->trap_value);
#endif
}

#endif
