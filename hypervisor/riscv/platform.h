/*
 * The physical machine as its device tree describes it. Read once at boot, by one hart, before
 * anything else; afterwards all this is constant.
 */
#ifndef RISCV_PLATFORM_H
#define RISCV_PLATFORM_H

#include "hart_arch.h"
#include "isa.h"
#include "serial.h"
#include <stdbool.h>
#include <stdint.h>

/* Reads the tree: memory and reservations go into the memory map, drivers are bound, harts listed.
 * False, and logged where that can be seen, when the machine cannot be used: the tree is damaged,
 * has no memory, no hart, no timer or no timebase, or reserves more pieces of memory than the map
 * has room for. */
bool platform_init(const void *fdt);

struct platform_hart {
    uint64_t id;
    bool has_mmu; /* so it may run guests; features.h finds out for sure */
};

/* The harts that the tree says are usable, in its order. */
unsigned platform_hart_count(void);
const struct platform_hart *platform_hart(unsigned index);

/* Ticks a second of mtime and the time CSR: from 1000 to 2^32 - 1. */
uint64_t platform_timebase(void);
const char *platform_bootargs(void); /* in the tree; "" when there are none */
/* Where the tree is, which nothing here needs any more. Like the initrd it lies in memory that is
 * the hypervisor's, but for pages at its ends that firmware needs, too. */
const void *platform_fdt(void);
/* The initrd that a boot loader passed. */
bool platform_initrd(uint64_t *start, uint64_t *size);

/* What all harts that run guests were found to have. Call it before the first guest's device tree
 * is made. */
void platform_set_hart_features(const struct hart_features *common);
/* The extensions that guests may use: no more than the tree and those features allow. */
const struct isa *platform_guest_extensions(void);

/* For people: by which controller the serial port interrupts. */
const char *platform_serial_controller(void);
/* On the hart that took an external interrupt: the source that asks for it, 0 for none or no more;
 * and that it has been seen to. */
unsigned platform_claim(uint64_t hart_id);
void platform_complete(uint64_t hart_id, unsigned source);
/* It asks no more. */
void platform_mask(uint64_t hart_id, unsigned source);

/* Turns the machine off. Returns if it has no device for that. */
void platform_power_off(void);

/* How platform_tree.c tells platform.c all this. */
#define PLATFORM_FALLBACK_TIMEBASE 10000000 /* so that nobody divides by 0 before it is known */
struct platform {
    uint64_t timebase;
    const struct interrupt_driver *controller; /* that has the serial port's source; NULL: none */
    const struct power_driver *power;
    struct isa guest_extensions;
    unsigned mmu_type;        /* the smallest among the harts */
    uint32_t cbop_block_size; /* of the harts that say it; 0 when they differ */
    uint32_t cboz_block_size; /* as found by trying */
};
extern struct platform platform;

/* Device-tree names of what guests may use for address translation, the smallest first. */
#define PLATFORM_MMU_TYPES 3
extern const char *const platform_mmu_types[PLATFORM_MMU_TYPES];

#endif
