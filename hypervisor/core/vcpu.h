/* A virtual core of a capsule. */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H

#include "pqueue.h"
#include "vcpu_arch.h" /* of the port: struct vcpu_arch */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct capsule;

/* What the scheduler does with it. */
enum vcpu_run {
    VCPU_OFF,     /* takes no part: stopped by HSM, or its capsule is not running */
    VCPU_READY,   /* waits for a hart, in the ready queue */
    VCPU_RUNNING, /* on a hart */
    VCPU_WAITING, /* waits for an interrupt, an event or its deadline */
    VCPU_CAPPED,  /* could run, but its capsule's time is used up: waits for the next period */
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

struct vcpu {
    struct vcpu_arch arch; /* first: the trap code finds it by a fixed offset */
    struct capsule *capsule;
    unsigned id;     /* the guest's hart id: 0 .. vcpu_count-1 */
    _Atomic int hsm; /* enum vcpu_hsm */

    /* Scheduler; LOCK_SCHED. */
    enum vcpu_run run;
    bool stop;                 /* asked, while running, to go off when it leaves its hart */
    bool block;                /* asked, while running, to wait when it leaves its hart */
    bool yield;                /* asked, while running, to let another run before it */
    uint64_t block_until;      /* deadline of that wait */
    _Atomic bool wake_pending; /* woken between asking and waiting */
    struct pqueue_node ready;  /* key: virtual run time */
    struct pqueue_node sleep;  /* key: deadline */
    uint64_t virtual_time;     /* ticks run, scaled by weight */
    struct hart *hart;         /* the one it runs on, last ran on, or sleeps at */
    uint64_t run_time;         /* ticks */
    uint64_t steal_time;       /* ticks ready but not running */
    uint64_t ready_since;
};

#endif
