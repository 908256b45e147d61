/* What the RISC-V port keeps of a physical hart. */
#ifndef RISCV_HART_ARCH_H
#define RISCV_HART_ARCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct capsule;

/* What this hart can do, found out by trying at boot: a device tree may promise too much. */
struct hart_features {
    bool s, h, f, d, v;
    bool time;  /* the `time` CSR can be read */
    bool sstc;  /* stimecmp, menvcfg.STCE */
    bool svadu; /* page tables' A and D bits are set by the hart where menvcfg.ADUE says so */
    bool zawrs;
    bool menvcfg, mcounteren, stateen, smepmp;
    bool delegates_illegal; /* an illegal instruction reaches the guest as what it is */
    bool pmp;          /* without a rule of PMP's that lets it through, a guest reaches nothing */
    bool pmp_open;     /* one that firmware has locked lets guests through */
    uint32_t unlisted; /* registers that guests can reach and are not told of: unlisted.h */
    unsigned pmp_entries;     /* up to those that firmware has locked */
    uint64_t pmp_granularity; /* bytes */
    uint64_t vlenb;           /* bytes in a vector register, of V or of Zve*; 0: none */
    unsigned vmid_bits;
    unsigned zero_block; /* bytes that cbo.zero clears, and with menvcfg for guests; 0: none */
};

struct hart_arch {
    /* entry.S knows the offsets of these; static_asserts in exit.c hold them. */
    uint64_t stack_high;
    uint64_t hart_id;  /* mhartid */
    uint64_t levels;   /* interrupt levels that are in the hart: interrupt.c */
    uint64_t timer;    /* what mtimecmp is set to, which may be earlier than need be */
    uint64_t mtimecmp; /* its address; 0: it takes the driver to set it, or to tell the time */

    uint64_t msip;        /* the address of the register for kicks; 0: it takes the driver */
    uint64_t reservation; /* for world.c to drop a guest's on */

    struct hart_features features;
    uint64_t stack_low;
    struct vcpu *loaded;     /* whose supervisor CSRs are in the hart; NULL none */
    struct vcpu *fp_owner;   /* whose FP and vector registers are in the hart */
    bool fp_loaded;          /* the loaded vCPU may use them: illegal instructions are its own */
    uint64_t environment;    /* what menvcfg and henvcfg were set to: the last vCPU's */
    bool own_wfi;            /* the loaded vCPU may execute `wfi` */
    uint64_t pmp_fixed;      /* what pmpcfg0 holds for good: protect.c */
    struct capsule *open;    /* whose memory the hart reaches just now: isolation_open() */
    uint64_t isolation;      /* generation of the PMP and G-stage setting in the hart; 0 none */
    uint64_t gstage_flushes; /* how many of the flushes that all harts owe it has done */
    uint64_t shows;          /* of RAM on a G-stage, that it has seen: isolation.c */
    struct vcpu *last_of_capsule[64]; /* by capsule: who left translations here */
    uint64_t alarm; /* when it must look at capsules' clocks, in ticks: machine/rtc.c */
    uint64_t illegal_seen, burst_end; /* ticks: illegal.h */
    bool polls_serial; /* the serial port has no interrupt, and this hart looks after it */
    /* Does it take part? Set by the hart that comes in, or by the one that waits for it no longer:
     * whoever is first decides. */
    _Atomic uint32_t decided;
};

#endif
