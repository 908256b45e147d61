/*
 * The interface between a capsule and the hypervisor beyond the SBI standard.
 *
 * A capsule calls the hypervisor as it calls any SBI extension: a7 holds the extension, a6 the
 * function, a0..a5 the arguments; a0 returns an SBI error and a1 (and a2, where named) a value.
 * Functions 0 to 4 keep the numbers of the first Diosix. The bulk calls exist because one call a
 * character is slow. Buffers are given by guest-physical address and must lie in the caller's RAM.
 *
 * Each call needs the property named beside it and answers DIOSIX_ERR_DENIED without it.
 * This header is shared by the hypervisor, the services and the tests.
 */
#ifndef DIOSIX_ABI_H
#define DIOSIX_ABI_H

#define DIOSIX_SBI_EXTENSION 0x0A000005UL
#define DIOSIX_SBI_IMPL_ID   5UL /* SBI 3.0, 4.1, table of implementation IDs */

/* Errors (a0): SBI 3.0, 3.1, table of standard errors. */
#define DIOSIX_OK                    0
#define DIOSIX_ERR_FAILED            (-1)
#define DIOSIX_ERR_NOT_SUPPORTED     (-2) /* no such function */
#define DIOSIX_ERR_INVALID_PARAM     (-3)
#define DIOSIX_ERR_DENIED            (-4) /* the caller lacks the property */
#define DIOSIX_ERR_INVALID_ADDRESS   (-5) /* the buffer isn't all in the caller's RAM */
#define DIOSIX_ERR_ALREADY_AVAILABLE (-6) /* there is a service of this type */
#define DIOSIX_ERR_INVALID_STATE     (-10)

#define DIOSIX_NO_CAPSULE (-1UL) /* where a capsule's number is answered and there is none */
#define DIOSIX_SELF       (-1UL) /* the caller's own, where VCPU_STATS asks for a number */

/* Functions (a6), and behind the semicolon the property that a caller needs; "the console service":
 * it has the property and has registered. docs/abi.md describes each. */
enum diosix_function {
    DIOSIX_YIELD = 0,            /* gives the hart away once; any capsule */
    DIOSIX_REGISTER_SERVICE = 1, /* a0 = enum diosix_service; service_console */
    DIOSIX_PUTC = 2,     /* a0 = character, a1 = capsule: into its input; the console service */
    DIOSIX_GETC = 3,     /* -> a1 = character or -1, a2 = capsule; the console service */
    DIOSIX_LOG_GETC = 4, /* -> a1 = character or -1, a2 = shown; hv_log_read */
    /* Any capsule's output. a0 = buffer, a1 = bytes -> a1 = bytes, a2 = capsule; the console
     * service */
    DIOSIX_OUTPUT_READ = 5,
    /* A capsule's input. a0 = buffer, a1 = bytes, a2 = capsule -> a1 = taken; the console
     * service */
    DIOSIX_INPUT_WRITE = 6,
    /* a0 = buffer, a1 = bytes -> a1 = bytes, a2 = 1 when the serial port has shown all of them
     * already (before the console service registered), 0 when none of them; hv_log_read */
    DIOSIX_LOG_READ = 7,
    /* The serial port. a0 = buffer, a1 = bytes -> a1 = taken; console_write */
    DIOSIX_CONSOLE_WRITE = 8,
    /* The serial port. a0 = buffer, a1 = bytes -> a1 = bytes; console_read */
    DIOSIX_CONSOLE_READ = 9,
    /* a0 = events, a1 = deadline (time CSR; -1 never) -> a1 = pending events; any capsule */
    DIOSIX_WAIT = 10,
    /* a0 = capsule, a1 = buffer: struct diosix_capsule_info; capsule_info */
    DIOSIX_CAPSULE_INFO = 11,
    /* a0 = capsule, a1 = enum diosix_control; capsule_control */
    DIOSIX_CAPSULE_CONTROL = 12,
    /* a0 = capsule, a1 = vCPU, a2 = buffer: struct diosix_vcpu_stats, a3 = its size -> a1 = bytes;
     * of other capsules than the caller's: stats_read */
    DIOSIX_VCPU_STATS = 13,
    /* a0 = hart's index, a1 = buffer: struct diosix_hart_stats, a2 = its size -> a1 = bytes;
     * stats_read */
    DIOSIX_HART_STATS = 14,
    /* a0 = hart's index, a1 = buffer: struct diosix_trace_entry[], a2 = its bytes, a3 = number of
     * the first entry that is wanted -> a1 = bytes, a2 = number of the first that was there;
     * stats_read. A release build of the hypervisor has no trace. */
    DIOSIX_TRACE_READ = 15,
    DIOSIX_FUNCTION_COUNT
};

enum diosix_service {
    DIOSIX_SERVICE_CONSOLE = 0
};

enum diosix_control {
    DIOSIX_CONTROL_STOP = 0,
    DIOSIX_CONTROL_START = 1,
    DIOSIX_CONTROL_RESTART = 2,
    DIOSIX_CONTROL_PAUSE = 3,
    DIOSIX_CONTROL_RESUME = 4,
    DIOSIX_CONTROL_COUNT
};

/* Events of DIOSIX_WAIT. Each is level: pending as long as there is something to read. An event
 * whose property the caller lacks is never pending. */
#define DIOSIX_EVENT_OUTPUT  (1UL << 0) /* a capsule has output to read */
#define DIOSIX_EVENT_LOG     (1UL << 1) /* the hypervisor log has grown */
#define DIOSIX_EVENT_CONSOLE (1UL << 2) /* the serial port has input */

/* Properties of a capsule, as bits; the manifest spells them in lower case without the prefix. */
#define DIOSIX_PROPERTY_AUTO_CRASH_RESTART (1UL << 0)
#define DIOSIX_PROPERTY_SERVICE_CONSOLE    (1UL << 1)
#define DIOSIX_PROPERTY_CONSOLE_WRITE      (1UL << 2)
#define DIOSIX_PROPERTY_CONSOLE_READ       (1UL << 3)
#define DIOSIX_PROPERTY_HV_LOG_READ        (1UL << 4)
#define DIOSIX_PROPERTY_CAPSULE_INFO       (1UL << 5)
#define DIOSIX_PROPERTY_CAPSULE_CONTROL    (1UL << 6)
#define DIOSIX_PROPERTY_STATS_READ         (1UL << 7)

#define DIOSIX_NAME_MAX        32 /* bytes of a capsule's name with its final NUL */
#define DIOSIX_DESCRIPTION_MAX 64

/* States of a capsule as DIOSIX_CAPSULE_INFO reports them. */
enum diosix_capsule_state {
    DIOSIX_CAPSULE_CREATED = 0, /* has its configuration, not yet its memory */
    DIOSIX_CAPSULE_RUNNING = 1,
    DIOSIX_CAPSULE_PAUSED = 2,
    DIOSIX_CAPSULE_STOPPED = 3, /* its memory is given back; `start` builds it anew */
    DIOSIX_CAPSULE_CRASHED = 4, /* stopped by a fault; the crash record is in the log */
};

struct diosix_capsule_info {
    unsigned int id;
    unsigned int state;      /* enum diosix_capsule_state */
    unsigned int is_service; /* 0 or 1 */
    unsigned int vcpus;
    unsigned int weight;
    unsigned int restarts; /* since boot, whatever the reason */
    unsigned long properties;
    unsigned long ram;       /* bytes */
    unsigned long run_time;  /* all vCPUs together, in ticks of the time CSR */
    unsigned long frequency; /* ticks a second of the time CSR */
    char name[DIOSIX_NAME_MAX];
    char description[DIOSIX_DESCRIPTION_MAX];
};

/* Why a vCPU left its guest for the hypervisor. New ones come at the end. */
enum diosix_exit {
    DIOSIX_EXIT_OTHER = 0,
    DIOSIX_EXIT_TIMER = 1,    /* the hart's timer interrupt */
    DIOSIX_EXIT_KICK = 2,     /* a software interrupt from another hart */
    DIOSIX_EXIT_EXTERNAL = 3, /* a device's interrupt; on harts with an IMSIC kicks, too */
    DIOSIX_EXIT_SBI_BASE = 4, /* SBI calls, by extension */
    DIOSIX_EXIT_SBI_TIME = 5,
    DIOSIX_EXIT_SBI_IPI = 6,
    DIOSIX_EXIT_SBI_RFENCE = 7,
    DIOSIX_EXIT_SBI_HSM = 8,
    DIOSIX_EXIT_SBI_DBCN = 9,
    DIOSIX_EXIT_SBI_SYSTEM = 10, /* SRST and SUSP */
    DIOSIX_EXIT_SBI_LEGACY = 11,
    DIOSIX_EXIT_SBI_DIOSIX = 12,  /* DIOSIX_SBI_EXTENSION */
    DIOSIX_EXIT_SBI_UNKNOWN = 13, /* an extension that is not there */
    DIOSIX_EXIT_UART = 14,        /* accesses to virtual devices */
    DIOSIX_EXIT_PLIC = 15,
    DIOSIX_EXIT_RTC = 16,
    DIOSIX_EXIT_SYSCON = 17,
    DIOSIX_EXIT_FLASH = 18,
    DIOSIX_EXIT_VIRTIO = 19,
    DIOSIX_EXIT_WFI = 20,
    DIOSIX_EXIT_WRS = 21,        /* wrs.nto, when it has waited long */
    DIOSIX_EXIT_UNITS = 22,      /* first use of FP or vector registers since it came to the hart */
    DIOSIX_EXIT_READ_TIME = 23,  /* rdtime, where the hart has no such register */
    DIOSIX_EXIT_MISALIGNED = 24, /* a misaligned access */
    DIOSIX_EXIT_ILLEGAL = 25,    /* an illegal instruction, given back */
    DIOSIX_EXIT_FAULT = 26,      /* an access fault, given back */
    DIOSIX_EXIT_EXCEPTION = 27,  /* another exception, given back */
    DIOSIX_EXIT_MEMORY = 28,     /* RAM that it first reached for, and that had to be filled */
    DIOSIX_EXIT_COUNT
};

/* How many there is room for in the structure below; those that don't exist yet are 0. */
#define DIOSIX_EXIT_ROOM 48

/* What a vCPU is doing. */
enum diosix_vcpu_state {
    DIOSIX_VCPU_OFF = 0,     /* stopped, or its capsule is paused */
    DIOSIX_VCPU_READY = 1,   /* waits for a hart */
    DIOSIX_VCPU_RUNNING = 2, /* on a hart */
    DIOSIX_VCPU_IDLE = 3,    /* waits for an interrupt or an event */
    DIOSIX_VCPU_CAPPED = 4,  /* its capsule has used up its time in this period */
    DIOSIX_VCPU_STATES
};

/* All counts since the capsule was last started from nothing; a restart doesn't clear them. */
struct diosix_vcpu_stats {
    unsigned long now;  /* when this was written, in ticks of the time CSR */
    unsigned int state; /* enum diosix_vcpu_state */
    unsigned int hart;  /* the one that it runs on, or ran on last: its index */
    unsigned long times[DIOSIX_VCPU_STATES]; /* ticks in each state, up to now */
    unsigned long switches;                  /* how often it was put on a hart */
    unsigned long migrations;                /* of these, on another hart than before */
    unsigned long preemptions;               /* how often it had to leave one for others */
    unsigned long exceptions;                /* that the hypervisor gave it */
    unsigned long fences;                    /* that siblings asked of it, when it entered */
    unsigned long exits[DIOSIX_EXIT_ROOM];   /* by enum diosix_exit */
};

#define DIOSIX_NOTHING (-1U) /* in the two structures below, where there is no capsule or vCPU */

struct diosix_hart_stats {
    unsigned long now;        /* when this was written, in ticks of the time CSR */
    unsigned long id;         /* what the hardware calls it */
    unsigned int online;      /* 0: it has never come in */
    unsigned int runs_guests; /* 0: it only looks after the machine */
    unsigned int capsule;     /* whose vCPU is on it; DIOSIX_NOTHING: it is idle */
    unsigned int vcpu;
    unsigned long busy_time; /* ticks that vCPUs have been on it, up to now */
    unsigned long switches;  /* vCPUs put on it */
    unsigned long kicks;     /* how often it was interrupted to look at its queue anew */
    unsigned long timers;    /* interrupts of its own timer */
};

/* What a trace tells, beside exits (enum diosix_exit). */
enum diosix_trace {
    DIOSIX_TRACE_ENTER = 64,     /* a vCPU comes to the hart */
    DIOSIX_TRACE_LEAVE = 65,     /* it leaves; value: its state from then on */
    DIOSIX_TRACE_WAKE = 66,      /* this hart has woken a vCPU; value: the hart that it was on */
    DIOSIX_TRACE_KICK = 67,      /* this hart has interrupted another; value: its index */
    DIOSIX_TRACE_EXCEPTION = 68, /* the hypervisor gives the vCPU an exception; value: its cause */
};

struct diosix_trace_entry {
    unsigned long time;     /* ticks */
    unsigned int event;     /* enum diosix_exit or enum diosix_trace */
    unsigned short capsule; /* 65535: none */
    unsigned short vcpu;
    unsigned long pc;    /* of an exit or exception: where in the guest */
    unsigned long value; /* of an exit: what the hart says of it (mtval), as a fault's address */
};

#endif
