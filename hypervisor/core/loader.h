/*
 * The loader works out, from a capsule's kernel, initramfs and blobs, what its RAM holds at reset:
 * a list of segments that don't overlap, in order of address. It changes nothing; filling the RAM
 * accordingly is capsule_memory_fill()'s work.
 *
 * Kernels: ELF (ET_EXEC at its physical addresses, ET_DYN where it is linked if that is RAM, else
 * at the start of RAM), Linux `Image` (as far behind the start of RAM as its header says), any
 * other bytes at config->load, which is by default 0x8020_0000, where QEMU's `virt` starts a
 * supervisor program. A capsule without a kernel starts from its flash.
 */
#ifndef CORE_LOADER_H
#define CORE_LOADER_H

#include "addr.h"
#include "error.h"
#include <stdbool.h>
#include <stddef.h>

#define LOAD_ELF_MAX     15                     /* segments of a kernel */
#define LOAD_SEGMENT_MAX (LOAD_ELF_MAX + 1 + 8) /* and the initramfs, and blobs */

/* Room for the guest's device tree; with several harts, a page more for each of the others. */
#define LOAD_FDT_SIZE (64UL * 1024)

/* Where QEMU's `virt` starts what is in flash (hw/riscv/virt.c). */
#define LOAD_FLASH_ADDRESS 0x20000000UL

struct capsule_config;

struct load_segment {
    struct gpa start;
    uint64_t size;    /* bytes in memory */
    const void *data; /* the first data_size bytes; the rest is zero */
    uint64_t data_size;
};

struct load_plan {
    struct load_segment segments[LOAD_SEGMENT_MAX];
    unsigned count;
    struct gpa entry;
    uint64_t fdt_size;
    struct gpa fdt;                    /* fdt_size bytes, page-aligned, no segment there */
    uint64_t initrd_start, initrd_end; /* GPA; both 0 without an initramfs */
};

/* Must the capsule's RAM hold one address, because its kernel is linked there, or because a blob is
 * to be there? If so, *lowest is the lowest such address. Otherwise it is how far behind the start
 * of RAM a board's loader would put the kernel, or 0 if that says nothing. ERROR_BAD_IMAGE with
 * *reason for people. */
enum error loader_wants(const struct capsule_config *config, bool *fixed, struct gpa *lowest,
                        const char **reason);

/* Fills the plan for RAM of `size` bytes at `base`. ERROR_BAD_IMAGE, or ERROR_NO_MEMORY when
 * it does not fit; *reason says what and why. */
enum error loader_plan(const struct capsule_config *config, struct gpa base, uint64_t size,
                       struct load_plan *plan, const char **reason);

#endif
