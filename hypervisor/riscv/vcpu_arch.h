/*
 * The state of a vCPU that the architecture defines. A guest's supervisor registers live in the
 * hart while the vCPU is loaded on it (world.c moves them) and here while it is not.
 */
#ifndef RISCV_VCPU_ARCH_H
#define RISCV_VCPU_ARCH_H

#include "addr.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct hart;

/* What the guest finds in its supervisor CSRs; on a hart with H these are the vs* ones. */
struct supervisor_state {
    uint64_t sstatus; /* H only: vsstatus. Without H, mstatus below holds it */
    uint64_t sie, stvec, sscratch, sepc, scause, stval, satp, scounteren, senvcfg;
    uint64_t stimecmp; /* where the hart has Sstc */
};

struct fp_state {
    uint64_t f[32];
    uint64_t fcsr;
};

/* Followed in memory by 32 registers of vlenb bytes: port_vcpu_extra(). */
struct vector_state {
    uint64_t vstart, vl, vtype, vcsr;
    uint8_t *registers;
};

/* Where it goes on after a non-retentive suspend: sbi_hsm.c. */
struct suspend {
    bool retentive;
    struct gpa resume;
    uint64_t opaque;
};

/* Fences that others asked of this vCPU and it still owes: see fence.h. */
#define FENCE_I   (1U << 0)
#define FENCE_VMA (1U << 1)
#define FENCE_G   (1U << 2)

struct vcpu_arch {
    /* entry.S knows the offsets of these; static_asserts in exit.c hold them. */
    uint64_t x[32];   /* x[0] is the pc */
    uint64_t mstatus; /* as it is in mstatus while the guest runs */
    uint64_t host_sp, host_tp;
    uint64_t cause, tval; /* of the last exit: mcause, mtval */
    uint8_t timer_csr;    /* TIMER_CSR_* of offsets.h, for the hart that it is loaded on */
    bool virtual;         /* entered in VS-mode or VU-mode */
    bool sstc;            /* it may use stimecmp */
    bool own_wfi;         /* its `wfi` is the hart's: nobody else could use the hart meanwhile */
    uint64_t timer; /* when STIP is to rise, in ticks, where there is no Sstc; UINT64_MAX never */

    uint64_t units;       /* of mstatus.FS and VS, those that it may switch on */
    uint64_t environment; /* menvcfg and henvcfg, where a hart has them */

    uint64_t tval2, tinst; /* of the last exit: mtval2, mtinst */

    struct supervisor_state supervisor;
    struct hart *loaded_on; /* the hart that last held all this; NULL after a reset */
    struct hart *fp_on; /* the hart whose FP and vector registers are this vCPU's, or were last */
    struct fp_state fp;
    struct vector_state vector;
    struct suspend suspend;

    /* From here on what others may change at any time: vcpu_begin() leaves it alone.
     *
     * Interrupt lines into the guest, by their bit in sip: SSIP is a pulse that the guest clears,
     * STIP (where there is no Sstc) and SEIP are levels. interrupt.h raises and lowers them. */
    _Atomic uint64_t interrupts;
    _Atomic bool resume; /* an IPI has come since it was suspended: sbi_hsm.c */
    _Atomic uint32_t fences;
    _Atomic uint8_t presence; /* enum vcpu_presence */
};

/* Where it is this instant, as far as others must know who want something of it. */
enum vcpu_presence {
    VCPU_AWAY,    /* will look at its interrupt lines and its debts before it executes anything */
    VCPU_RESTS,   /* the same, but idles on its hart: for a line that was raised, kick that */
    VCPU_IN_GUEST /* executes guest code, or is about to; looks when its hart is kicked */
};

#endif
