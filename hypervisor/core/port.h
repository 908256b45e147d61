/*
 * What the core needs from the architecture below it. hypervisor/riscv implements it on the
 * machine, hypervisor/hosted on the build machine for tests. The core knows nothing else of either.
 */
#ifndef CORE_PORT_H
#define CORE_PORT_H

#include "addr.h"
#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capsule;
struct vcpu;
struct hart;

/* Time. Ticks count up steadily on all harts alike. */
uint64_t port_time(void);
uint64_t port_frequency(void); /* ticks a second; never 0 */

/* The hart that runs this. */
struct hart *port_hart(void);
/* Makes another hart leave its guest or its sleep and look at what has changed. */
void port_kick(struct hart *hart);
/* Makes this hart's timer interrupt it at `deadline` (ticks; UINT64_MAX never). */
void port_set_timer(uint64_t deadline);
/* The same at the latest: if it is set to an earlier time, it stays so. */
void port_advance_timer(uint64_t deadline);
/* Sleeps until an interrupt is pending, then handles it; may return early. No locks held. */
void port_idle(void);
void port_relax(void); /* a breath in a spin loop */

/* This hart reaches the memory of a capsule, that which runs on it or is being prepared on it,
 * only between these two; never a second one meanwhile. */
void port_memory_open(struct capsule *capsule);
void port_memory_close(void);

/* At boot, harts known: settles what of them a new capsule may use. An error, logged, where its
 * configuration asks for what cannot be. */
enum error port_capsule_admit(struct capsule *capsule);

/* A capsule's confinement and virtual machine. The capsule's RAM is allocated and is already
 * in place, and there are port_capsule_size() bytes, all zero, for the port, which stay as long as
 * these; ERROR_NO_MEMORY when tables don't fit. Called with the capsule not running. */
size_t port_capsule_size(void);
enum error port_capsule_create(struct capsule *capsule, void *place);
void port_capsule_destroy(struct capsule *capsule);
/* Puts the virtual devices in their reset state, and the RAM out of the guest's reach. */
void port_capsule_reset(struct capsule *capsule);
/* Lets the guest reach its RAM from one address to another (GPA; megapages, or as far as RAM goes),
 * which capsule_memory() gives already. Any hart; the guest may run on others. */
void port_capsule_show(struct capsule *capsule, uint64_t from, uint64_t to);
/* After a reset: a short step of filling memory that the machine has beside its RAM. True when
 * there is nothing left to fill. Nothing of the capsule runs. */
bool port_capsule_prepare(struct capsule *capsule);
/* Where a capsule's RAM may lie. */
struct port_ram {
    uint64_t align;    /* of its host-physical base */
    bool identity;     /* no translation: the guest sees it at its host-physical address */
    struct gpa base;   /* where a guest expects RAM to begin, whatever is there with identity */
    uint64_t firmware; /* and how much at its start is the hypervisor's own then */
};
struct port_ram port_capsule_ram(void);
/* Room for the guest's console output has appeared, or input has: its UART may have to interrupt.
 * No locks held; takes LOCK_CAPSULE. Nothing if the capsule has no machine. */
void port_console_event(struct capsule *capsule);
/* Writes the device tree of the capsule's machine into `buffer` of `size` bytes. */
enum error port_capsule_fdt(struct capsule *capsule, void *buffer, size_t size,
                            uint64_t initrd_start, uint64_t initrd_end);

/* Bytes that a vCPU needs beyond struct vcpu (vector registers, say). */
size_t port_vcpu_extra(void);
/* Puts a vCPU in its reset state: it will enter at `entry` with a0 and a1 (SBI 3.0, 9.1). */
void port_vcpu_reset(struct vcpu *vcpu, struct gpa entry, uint64_t a0, uint64_t a1);
/* Runs a vCPU on this hart until the scheduler should choose again. No locks held. */
void port_vcpu_run(struct vcpu *vcpu);
/* When an interrupt is pending that it has enabled, so that `wfi` ends: 0 if one is, or else when
 * its own timer will be one; UINT64_MAX never. */
uint64_t port_vcpu_wakes_at(const struct vcpu *vcpu);

/* The physical serial port. Bytes written may be queued. Takes LOCK_SERIAL. */
void port_serial_write(const char *bytes, size_t count);
/* As many of them as the port takes without being waited for; the rest is to be tried again. What a
 * jam would keep for ever is taken, in the end, and lost. */
size_t port_serial_put(const char *bytes, size_t count);
size_t port_serial_read(char *bytes, size_t count); /* what has come; 0: nothing */
/* For panic() alone: writes past every lock and returns when all is sent. */
void port_panic_write(const char *bytes, size_t count);

__attribute__((noreturn)) void port_halt(void);      /* stops the machine after a panic */
__attribute__((noreturn)) void port_power_off(void); /* when nothing is left to run */

#endif
