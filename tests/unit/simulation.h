/*
 * Harts that run the real scheduler in simulated time. Each hart is a thread, but only one thread
 * runs at any time: a hart that would execute a guest, or sleep, hands over to the simulator, which
 * moves time on and wakes harts whose timer fires or that were kicked. So every run repeats
 * exactly.
 *
 * A guest computes, or if its vCPU has a `burst`, waits after each burst: for `pause` ticks, or
 * until it is woken; on its hart, if nobody else wants that.
 */
#ifndef UNIT_SIMULATION_H
#define UNIT_SIMULATION_H

#include "capsule.h"
#include "hosted.h"
#include "sched.h"

#define SECOND      HOSTED_FREQUENCY
#define MILLISECOND (SECOND / 1000)

#define SIMULATION_STEP 1000UL /* ticks: 0.1 ms */
/* As the scheduler's: the longest slice, and what each may run before it must make room. */
#define SIMULATION_SLICE (HOSTED_FREQUENCY / 100)
#define SIMULATION_LEAST (HOSTED_FREQUENCY / 1000)

struct guest {
    uint64_t burst; /* ticks of work before it waits; 0: it never waits */
    uint64_t pause; /* UINT64_MAX: until woken */
    bool stops;     /* asks to be stopped instead of waiting */
    bool yields;    /* gives its hart away at every chance */
    bool spins;     /* waits for what another may have to do first */

    /* Filled in: */
    uint64_t left;        /* of this burst */
    uint64_t bursts;      /* done */
    uint64_t runnable_at; /* when its pause was over or it was woken; 0: noted already */
    uint64_t worst_delay; /* from there to its running */
    unsigned entries;     /* how often it was put on a hart */
    unsigned rests;       /* how often it waited without leaving one */
    uint64_t harts;       /* bit i: on hart i */
};

extern struct guest guests[CAPSULE_MAX][CAPSULE_VCPU_MAX];

/* A capsule's configuration, with a name, 2 MiB of RAM and a kernel. */
struct capsule_config simulation_config(unsigned cpus, unsigned weight);
/* Makes such a capsule and starts it; its memory is prepared by the first hart that takes it. All
 * its vCPUs take part, as after a guest's HSM calls. */
struct capsule *simulation_add(const struct capsule_config *config);
/* Ticks that its vCPUs have run, up to this instant. */
uint64_t simulation_run_time(const struct capsule *capsule);

/* Guests leave their hart to wait, even if nobody wants it. */
extern bool simulation_never_rests;
/* The clocks of all harts but the first are a tick behind its own. */
extern bool simulation_clocks_differ;

/* Makes this many harts, the first `maintenance` of them without supervisor mode. */
void simulation_start(unsigned count, unsigned maintenance);
/* Lets `ticks` pass. */
void simulation_run(uint64_t ticks);
/* Ends the harts' threads. */
void simulation_end(void);
struct hart *simulation_hart(unsigned index);
/* An interrupt for the vCPU, from nowhere: as a device would raise it. */
void simulation_interrupt(struct vcpu *vcpu);

#endif
