/* What the RISC-V port keeps of a physical hart. */
#ifndef RISCV_HART_ARCH_H
#define RISCV_HART_ARCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* What this hart can do, found out by trying at boot: a device tree may promise too much. */
struct hart_features {
    bool s, h, f, d, v;
    bool time;   /* the `time` CSR can be read */
    bool sstc;   /* stimecmp, menvcfg.STCE */
    bool menvcfg, mcounteren, stateen, smepmp;
    unsigned pmp_entries;
    uint64_t pmp_granularity; /* bytes */
    uint64_t vlenb;           /* bytes in a vector register; 0 without V */
    unsigned vmid_bits;
};

struct hart_arch {
    struct hart_features features;
    uint64_t stack_low, stack_high; /* its stack; the lowest bytes are a guard */
    struct vcpu *loaded;   /* whose supervisor CSRs are in the hart; NULL none */
    struct vcpu *fp_owner; /* whose FP and vector registers are in the hart */
    struct capsule *isolated; /* whose PMP or G-stage setting is in the hart */
    uint64_t timer; /* what mtimecmp was set to */
    _Atomic bool kicked;
};

#endif
