/*
 * The port interface on the build machine, for tests of the core: time stands still until a test
 * moves it, harts are structures that a test makes current, the serial port is two buffers.
 */
#ifndef HOSTED_H
#define HOSTED_H

#include "hart.h"
#include "port.h"

#define HOSTED_FREQUENCY   10000000UL /* ticks a second, unless a test says otherwise */
#define HOSTED_SERIAL_SIZE 65536

/* Everything below in its first state; call it before each test. */
void hosted_reset(void);

/* Backs `size` bytes of RAM with the build machine's memory, aligned to MEGAPAGE_SIZE, and adds
 * them to the memory map. Returns where they are. */
struct hpa hosted_add_ram(uint64_t size);

extern uint64_t hosted_time, hosted_frequency;
extern __thread uint64_t hosted_lag;         /* ticks that this thread's clock is behind that */
extern __thread struct capsule *hosted_open; /* whose memory may be touched */
extern __thread struct hart *hosted_hart;    /* the hart that this thread is */

/* Where capsules' RAM may lie: what port_capsule_ram answers. */
extern struct port_ram hosted_capsule_ram;
/* What port_capsule_create and port_capsule_fdt answer. */
extern enum error hosted_create_error, hosted_fdt_error;
extern unsigned hosted_live_capsules; /* created and not destroyed */

/* Called by port_vcpu_run, port_idle, port_halt and port_power_off; NULL does nothing, and aborts
 * in the two last ones. They may leave by longjmp. */
extern void (*hosted_run)(struct vcpu *vcpu);
extern void (*hosted_idle)(void);
extern void (*hosted_halt)(void);
extern void (*hosted_power_off)(void);

/* What was written to the serial port, with a final NUL, and what is to be read from it. */
extern char hosted_serial_output[HOSTED_SERIAL_SIZE];
extern size_t hosted_serial_written;
extern size_t hosted_serial_room; /* bytes that port_serial_put() takes: all, or what a test sets */
void hosted_serial_send(const char *bytes, size_t count);

#endif
