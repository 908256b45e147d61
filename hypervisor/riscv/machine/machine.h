/*
 * The computer that a capsule sees: it looks like QEMU's `virt` board, so that what was built for
 * that board runs unchanged. One file per device, all reached through machine_mmio(); one file per
 * SBI extension, all reached through sbi_call() (sbi.h).
 *
 * A device's state is guarded by its capsule's lock, which machine_mmio() takes. Devices don't
 * know which back end confines the capsule.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include "capsule.h"
#include "vcpu.h"
#include <stdbool.h>
#include <stdint.h>

/* The map of QEMU's `virt` (hw/riscv/virt.c): base, size. */
#define MACHINE_SYSCON_BASE  0x00100000UL
#define MACHINE_SYSCON_SIZE  0x1000UL
#define MACHINE_RTC_BASE     0x00101000UL
#define MACHINE_RTC_SIZE     0x1000UL
#define MACHINE_PLIC_BASE    0x0c000000UL
#define MACHINE_PLIC_SIZE    0x600000UL
#define MACHINE_UART_BASE    0x10000000UL
#define MACHINE_UART_SIZE    0x100UL
#define MACHINE_VIRTIO_BASE  0x10001000UL
#define MACHINE_VIRTIO_SIZE  0x1000UL
#define MACHINE_VIRTIO_COUNT 8
#define MACHINE_FLASH_BASE   0x20000000UL
#define MACHINE_FLASH_SIZE   0x2000000UL /* of each bank */
#define MACHINE_RAM_BASE     0x80000000UL

/* Interrupt sources at the PLIC, as on `virt`. */
#define MACHINE_IRQ_VIRTIO 1 /* 1 .. 8 */
#define MACHINE_IRQ_UART   10
#define MACHINE_IRQ_RTC    11

/* An access to a device register. */
struct mmio {
    uint64_t offset; /* from the device's base */
    unsigned size;   /* 1, 2, 4 or 8 bytes, naturally aligned */
    bool write;
    uint64_t value; /* what is written, or room for what is read (zero-extended) */
};

/* Carries out an access of the vCPU that runs on this hart. False when nothing answers at the
 * address, or not with this size or alignment: the guest gets an access fault. */
bool machine_mmio(struct vcpu *vcpu, struct gpa address, unsigned size, bool write,
                  uint64_t *value);
/* Reads a register of at most 32 bits whose reading changes nothing: neither the device nor an
 * interrupt line, so that nothing has to follow. MACHINE_NO_LOOK where machine_mmio() must decide.
 */
#define MACHINE_NO_LOOK (-1)
int64_t machine_look(struct vcpu *vcpu, struct gpa address, unsigned size);
/* The same as machine_mmio() for an atomic operation (funct5 as decode.h has it): *value is the
 * register's, and what the device held afterwards. */
bool machine_amo(struct vcpu *vcpu, struct gpa address, unsigned size, unsigned funct5,
                 uint64_t *value);

/* Made with the capsule's memory, at a place of machine_size() bytes, all zero, and freed with it;
 * ERROR_NO_MEMORY. Holding LOCK_CAPSULE. */
size_t machine_size(void);
enum error machine_create(struct capsule *capsule, void *place);
void machine_destroy(struct capsule *capsule);
/* All devices as after power-on. Holding LOCK_CAPSULE. */
void machine_reset(struct capsule *capsule);
/* A step of filling what the machine's memories hold at first; true when all is done. */
bool machine_prepare(struct capsule *capsule);
/* Console output has drained or input has come. Holding LOCK_CAPSULE. */
void machine_console_event(struct capsule *capsule);

/* The timer of this hart has fired: alarms of clocks that it keeps may be due. No locks held. */
struct hart;
void machine_alarms(struct hart *hart);

/* Writes the device tree of the capsule's machine (Devicetree 0.4) into `buffer`. The ISA strings
 * say what the capsule's vCPUs can do on the present harts. ERROR_NO_MEMORY when it is too small.
 */
enum error machine_fdt(struct capsule *capsule, void *buffer, size_t size, uint64_t initrd_start,
                       uint64_t initrd_end);

/* What guests' clocks show when port_time() is 0, in seconds since 1970: 2026-01-01T00:00:00Z, for
 * the host's own clock is not asked. */
#define MACHINE_RTC_START UINT64_C(1767225600)

/* The extensions that a guest may use, for its device tree: isa_format() in isa.h. */
struct machine_isa {
    char base[1024];       /* as riscv,isa: "rv64imafdc_zicsr_…" */
    char extensions[1024]; /* as riscv,isa-extensions: NUL-separated, ends with an empty string */
};
/* What machine_fdt needs to know of the physical machine; platform.c provides it: "riscv,sv39", …
 */
const char *platform_mmu_type(void);
/* In bytes, of a prefetch (Zicbop); 0 where the harts do not say it, or not the same. */
uint32_t platform_cbop_block_size(void);
/* In bytes, of a cbo.zero, where guests may have it (Zicboz). */
uint32_t platform_cboz_block_size(void);

#endif
