/* What the RISC-V port keeps of a capsule: its confinement and its virtual machine. */
#ifndef RISCV_CAPSULE_ARCH_H
#define RISCV_CAPSULE_ARCH_H

#include "addr.h"
#include "isa.h"
#include <stdatomic.h>
#include <stdint.h>

struct machine;

struct capsule_arch {
    struct isa isa;          /* what it may use, and its device tree lists */
    struct machine *machine; /* the virtual devices; NULL while the capsule has no memory */
    /* flash.c: what the guest may read and execute beside its RAM; size 0 when there is none */
    struct hpa rom_host;
    uint64_t rom_size;
    /* gstage.c */
    struct hpa gstage_root;
    uint64_t gstage_size; /* of the table, root included, in bytes */
    uint64_t hgatp;
    /* Differs for each life and each map of each capsule: harts notice. */
    _Atomic uint64_t generation;
};

#endif
