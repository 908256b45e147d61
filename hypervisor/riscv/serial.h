/*
 * The physical serial port, behind the port_serial_* functions of core/port.h: bytes go out as they
 * are, and what comes in is taken from it at once (core/console.c). A port that jams never holds
 * anybody up for long.
 */
#ifndef RISCV_SERIAL_H
#define RISCV_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

/* At boot: tries the drivers on the node; false when none can work with it. */
bool serial_init(const void *fdt, int node);
/* At boot: characters that come in raise this source at the interrupt controller, and it was
 * routed to a hart. Without this, the port is polled. */
void serial_set_interrupt_source(unsigned source);

/* 0 when the port has none. */
unsigned serial_interrupt_source(void);

/* Without an interrupt, one hart looks from time to time: its timer must not be later than
 * serial_poll_deadline() of what it would be, and when it has looked it calls serial_polled(). */
bool serial_needs_poll(void);
uint64_t serial_poll_deadline(uint64_t deadline);
void serial_polled(void);

#ifdef DEBUG
/* For tests: from now on the port takes nothing and gives nothing, and its interrupt stays raised.
 */
void serial_fail(void);
#endif

#endif
