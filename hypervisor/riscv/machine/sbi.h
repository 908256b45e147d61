/*
 * The SBI of a capsule's machine (RISC-V SBI 3.0). One file per extension, and one table of them in
 * sbi.c: adding an extension is one file and one line.
 */
#ifndef MACHINE_SBI_H
#define MACHINE_SBI_H

#include "machine.h"

/* SBI 3.0, 3.1, table of standard errors. */
#define SBI_SUCCESS               0
#define SBI_ERR_FAILED            (-1)
#define SBI_ERR_NOT_SUPPORTED     (-2)
#define SBI_ERR_INVALID_PARAM     (-3)
#define SBI_ERR_DENIED            (-4)
#define SBI_ERR_INVALID_ADDRESS   (-5)
#define SBI_ERR_ALREADY_AVAILABLE (-6)
#define SBI_ERR_ALREADY_STARTED   (-7)
#define SBI_ERR_ALREADY_STOPPED   (-8)
#define SBI_ERR_NO_SHMEM          (-9)
#define SBI_ERR_INVALID_STATE     (-10)
#define SBI_ERR_BAD_RANGE         (-11)
#define SBI_ERR_TIMEOUT           (-12)
#define SBI_ERR_IO                (-13)
#define SBI_ERR_DENIED_LOCKED     (-14)

/* Where a call's registers are in vcpu->arch.x. */
enum {
    A0 = 10,
    A1,
    A2,
    A3,
    A4,
    A5,
    A6,
    A7
};

struct sbi_call {
    struct vcpu *vcpu;  /* the caller; it runs on this hart */
    uint64_t extension; /* a7 */
    uint64_t function;  /* a6 */
    uint64_t args[6];   /* a0 .. a5, read once */
    /* Answered by the handler: */
    long error;     /* to a0; SBI_SUCCESS unless the handler says otherwise */
    uint64_t value; /* to a1 */
    bool legacy;    /* a v0.1 call: only a0 is written (SBI 3.0, chapter 5) */
    bool extra_set; /* extension 0x0A000005 alone also answers in a2: */
    uint64_t extra;
    bool again;    /* write nothing, leave the pc at the ecall: it is repeated, after a wait say */
    bool replaced; /* the call does not return (a stop, a fault given instead): write nothing */
};

struct sbi_extension {
    uint64_t first, last;  /* extension IDs that it answers */
    enum diosix_exit exit; /* what its calls are counted as */
    void (*handle)(struct sbi_call *call);
};

/* Carries out the call in the vCPU's registers and advances its pc. No locks held. */
void sbi_call(struct vcpu *vcpu);
/* Is this extension there? For BASE's probe_extension. */
bool sbi_probe(uint64_t extension);

/* The vCPU of the caller's capsule with this guest hart id, or NULL. */
struct vcpu *sbi_target(const struct sbi_call *call, uint64_t hart_id);
/* Calls `act` for each vCPU in a hart mask (SBI 3.0, 3.2). SBI_ERR_INVALID_PARAM, and nothing
 * done, when the mask names a hart that is not there; base -1 means all. */
long sbi_each_hart(struct sbi_call *call, uint64_t mask, uint64_t base,
                   void (*act)(struct sbi_call *call, struct vcpu *target));

/* Hart states follow a vCPU on and off its hart. port_vcpu_run() calls these: the first before the
 * vCPU's registers are loaded (a suspended vCPU resumes; false: it has no reason to yet, and has
 * asked to wait on), the second when they are all unloaded (a stopping vCPU is stopped from then
 * on, and may be started anew at once). No locks held. */
bool sbi_hsm_enter(struct vcpu *vcpu);
void sbi_hsm_leave(struct vcpu *vcpu);

/* Can a hart begin to execute there? At least one instruction must be in RAM or flash. A bank that
 * answers commands instead just then is still memory, which no protection closes (SBI 3.0, 9.1). */
bool sbi_is_entry(const struct capsule *capsule, uint64_t address);
/* Suspends the calling vCPU until an interrupt that it has enabled is pending. */
struct suspend;
long sbi_hsm_suspend(struct vcpu *vcpu, const struct suspend *suspend);

extern const struct sbi_extension sbi_base, sbi_time, sbi_ipi, sbi_rfence, sbi_hsm, sbi_srst,
    sbi_susp, sbi_dbcn, sbi_legacy, sbi_diosix;

#endif
