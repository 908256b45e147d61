/*
 * Capsules: hardware-isolated virtual machines and their life cycle.
 *
 *            start            pause/resume
 *   CREATED ------> RUNNING <-------------> PAUSED
 *      ^ start        |  \  stop, guest's power-off
 *   STOPPED <---------+   \
 *   CRASHED <--- fatal fault (auto_crash_restart starts it again after a pause)
 *
 * A capsule is made once, at boot, from the image, and its structure stays; its memory, vCPUs and
 * machine come with `start` and are given back when it ends. To change state, its vCPUs must leave
 * their harts first: a request is noted, sched_halt() takes the vCPUs out, and the hart that the
 * last of them leaves carries the request out in capsule_quiescent().
 */
#ifndef CORE_CAPSULE_H
#define CORE_CAPSULE_H

#include "addr.h"
#include "capsule_arch.h" /* of the port: struct capsule_arch */
#include "console.h"
#include "error.h"
#include "loader.h"
#include "lock.h"
#include "placement.h"
#include "vcpu.h"
#include <diosix/abi.h>

#define CAPSULE_MAX      64
#define CAPSULE_VCPU_MAX 64
#define CAPSULE_WEIGHT   100  /* the default; 1 .. 10000 */
#define CAPSULE_CAP_MAX  6400 /* per cent: all of 64 harts */
#define CAPSULE_PINS_MAX 64

/* A piece of the image: stays where it is, never written. */
struct blob {
    const void *data; /* NULL when absent */
    size_t size;
    const char *name;
};

#define CAPSULE_BLOB_MAX   8
#define CAPSULE_FLASH_MAX  2
#define CAPSULE_FLASH_SIZE (32UL << 20) /* of each bank */

/* One that the capsule's RAM holds at reset, at a guest-physical address. */
struct placed_blob {
    struct blob blob;
    uint64_t address;
};

/* What the manifest says of a capsule. */
struct capsule_config {
    char name[DIOSIX_NAME_MAX];
    char description[DIOSIX_DESCRIPTION_MAX];
    bool is_service;
    uint64_t properties; /* DIOSIX_PROPERTY_* */
    uint64_t ram;        /* bytes, a multiple of MEGAPAGE_SIZE */
    unsigned cpus, weight;
    unsigned cap; /* per cent of a hart's time, for all vCPUs together; 0: no cap */
    uint32_t pinned[CAPSULE_PINS_MAX]; /* ids of the only harts that its vCPUs may run on */
    unsigned pinned_count;             /* 0: on all that are not another's alone */
    bool exclusive;                    /* and no other capsule's */
    const char *bootargs;              /* in the image; never NULL */
    /* Abilities of its harts that it goes without, in the port's words; never NULL. */
    const char *isa;
    struct blob kernel, initramfs;
    uint64_t load; /* where a kernel without a header goes (GPA); 0 for the usual place */
    struct placed_blob blobs[CAPSULE_BLOB_MAX];
    unsigned blob_count;
    struct blob flash[CAPSULE_FLASH_MAX]; /* first contents of a bank; the rest of it is zero */
};

static inline bool capsule_has_flash(const struct capsule_config *config)
{
    return config->flash[0].data || config->flash[1].data;
}

enum capsule_state {
    CAPSULE_CREATED = DIOSIX_CAPSULE_CREATED,
    CAPSULE_RUNNING = DIOSIX_CAPSULE_RUNNING,
    CAPSULE_PAUSED = DIOSIX_CAPSULE_PAUSED,
    CAPSULE_STOPPED = DIOSIX_CAPSULE_STOPPED,
    CAPSULE_CRASHED = DIOSIX_CAPSULE_CRASHED,
};

enum capsule_request {
    REQUEST_NONE,
    REQUEST_STOP,
    REQUEST_RESTART,
    REQUEST_PAUSE,
    REQUEST_CRASH
};

/* What is kept of a fatal fault; the port fills it in. */
struct crash_record {
    unsigned vcpu;
    const char *cause;  /* the cause's name in the specification's words */
    uint64_t pc, value; /* and the port's fault value: on RISC-V, mtval */
    uint64_t registers[32];
};

struct capsule {
    struct capsule_arch arch;
    int id;        /* also the owner of its pages in the memory map */
    bool prepared; /* it may run */
    /* Scheduler; LOCK_SCHED. */
    unsigned running;              /* vCPUs on harts */
    bool halted;                   /* none may be chosen */
    struct hart_set *set, own_set; /* where its vCPUs may run */
    int64_t budget;                /* ticks that its cap leaves; below 0: owed */
    uint64_t period_end;           /* when there is more */
    struct capsule_config config;
    struct lock lock; /* LOCK_CAPSULE: all below, and the devices in arch */
    enum capsule_state state;
    enum capsule_request request;
    struct vcpu *vcpus[CAPSULE_VCPU_MAX];
    unsigned vcpu_count;
    struct gpa ram_base; /* as the guest sees it */
    struct hpa ram_host;
    uint64_t ram_size;
    _Atomic uint64_t ram_low, ram_high; /* GPA: from the one to the other it is not filled */
    _Atomic uint32_t ram_filling;       /* 1: a hart fills it just now */
    struct load_plan plan;
    uint64_t restart_at; /* not before this time, after a crash */
    unsigned restarts, crashes_in_a_row;
    uint64_t started_at;
    uint64_t past_run_time;         /* ticks run in earlier lives */
    struct capsule_console console; /* LOCK_CONSOLE */
    struct crash_record crash;
};

extern struct capsule *capsules[CAPSULE_MAX];
extern unsigned capsule_count;

/* At boot: makes a capsule from its configuration, in state CREATED, if there are harts for it.
 * What goes wrong is logged. */
enum error capsule_create(const struct capsule_config *config, struct capsule **capsule);

/* Where the capsule's RAM will end if it is to be the first of the board's, because there is no
 * translation and its kernel is linked to an address there; else 0. At boot. */
uint64_t capsule_board_ram_end(const struct capsule *capsule);

/* The life cycle, as the console service's commands ask for it. Any hart; takes LOCK_CAPSULE and
 * those below. ERROR_BAD_STATE where the state does not allow it; restart of a stopped capsule
 * starts it. Stop, restart and pause may be carried out a little later, by another hart. */
enum error capsule_start(struct capsule *capsule);
enum error capsule_stop(struct capsule *capsule);
enum error capsule_restart(struct capsule *capsule);
enum error capsule_pause(struct capsule *capsule);
enum error capsule_resume(struct capsule *capsule);
/* A fatal fault of the vCPU that runs on this hart: notes the record, ends or restarts it. */
void capsule_crash(struct vcpu *vcpu, const struct crash_record *record);

#ifdef DEBUG
/* Is told that a start begins, without locks; NULL: nobody is. */
extern void (*capsule_start_watcher)(void);
#endif

/* Called by the scheduler, without locks, when a halted capsule's last vCPU has left its hart. */
void capsule_quiescent(struct capsule *capsule);
/* May its vCPUs run? If not, one step towards it is for the chosen vCPU's hart. */
bool capsule_is_prepared(const struct capsule *capsule);
void capsule_prepare_step(struct vcpu *vcpu);

/* Is [address, address + size) all in the capsule's RAM? */
bool capsule_has_memory(const struct capsule *capsule, struct gpa address, uint64_t size);
/* The one checked way to that memory: where it is, or NULL when any of it is outside the RAM or not
 * filled yet. It is the guest's: read a value once. What is there may be touched between
 * port_memory_open() and port_memory_close(). */
void *capsule_memory(const struct capsule *capsule, struct gpa address, uint64_t size);
/* If any of it is RAM that is not filled, brings that one step nearer and returns true: what needed
 * it is to be tried again. Takes as long as it takes to fill a megapage. The hart that handles an
 * exit of the capsule's; no locks; its memory not open. */
bool capsule_memory_fill(struct capsule *capsule, struct gpa address, uint64_t size);
/* What is not filled, [from, to); both are the end of RAM when all is. It only gets smaller while
 * the capsule runs, so who compares it with something else looks at that first. */
struct gpa_range {
    uint64_t from, to;
};
struct gpa_range capsule_memory_gap(const struct capsule *capsule);
/* Is any of [address, address + size), which does not wrap, in there? */
bool capsule_memory_gap_has(const struct capsule *capsule, struct gpa address, uint64_t size);
/* Nothing is, from here on. Nothing of the capsule runs. */
void capsule_memory_reset(struct capsule *capsule);

const char *capsule_state_name(enum capsule_state state);

#endif
