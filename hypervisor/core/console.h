/*
 * Characters between guests, the console service and the serial port.
 *
 * Each capsule has a ring for what it prints and one for what it is sent. With a console service,
 * the service empties the first and fills the second; while it restarts, the rings keep what is in
 * them. Without one, output goes straight to the serial port and input to the first guest.
 * Full rings push back: a writer is told how much was taken and tries the rest later.
 *
 * A capsule with property service_console is the console: what it prints as any guest would (its
 * runtime's last words, say) goes straight to the serial port, for it could not show it itself.
 */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include "ring.h"
#include <stdbool.h>
#include <stddef.h>

#define CONSOLE_OUTPUT_SIZE 8192
#define CONSOLE_INPUT_SIZE  1024

struct capsule;

struct capsule_console {
    struct ring output, input; /* `output` has no buffer where nobody would read it */
    uint8_t input_bytes[CONSOLE_INPUT_SIZE];
};

void console_init_capsule(struct capsule *capsule);
/* Will there be a service that reads what the capsule prints, and has it no ring for that yet? */
bool console_needs_output(const struct capsule *capsule);
/* Gives it one, of CONSOLE_OUTPUT_SIZE bytes, for good. */
void console_set_output(struct capsule *capsule, uint8_t *bytes);

/* A guest prints; returns how many bytes were taken. May hold its capsule's lock. */
size_t console_write(struct capsule *capsule, const uint8_t *bytes, size_t count);
/* How many bytes console_write would take now. */
size_t console_space(struct capsule *capsule);
/* A guest reads what it was sent; returns how many. May hold its capsule's lock. */
size_t console_read(struct capsule *capsule, uint8_t *bytes, size_t count);
bool console_has_input(const struct capsule *capsule);

/* The service's side, no locks held. After these the capsule's port_console_event() is due, which
 * they call: the guest's UART may have to interrupt.
 * What is shown to the service stays in the ring until it says that it has it (by its next call),
 * so that its next life finds what this one may not have shown. */
size_t console_show_output(struct capsule *capsule, uint8_t *bytes, size_t count);
void console_acknowledge(void);
/* The service has ended: what it has not acknowledged is to be shown again. May hold a capsule's
 * lock. */
void console_forget_shown(void);
size_t console_send_input(struct capsule *capsule, const uint8_t *bytes, size_t count);
/* The next capsule with unread output, round robin; NULL when there is none. */
struct capsule *console_next_output(void);
bool console_has_output(void); /* a hint, without the lock */

/* Takes what was typed at the serial port; no locks held. */
size_t console_take_serial(uint8_t *bytes, size_t count);
bool console_has_serial(void);

/* The serial port may have input (its interrupt says so, or it is polled); no locks held: takes it
 * and tells the console service, or without one gives it to the first running guest. */
void console_serial_input(void);
/* The console service has gone for good: shows on the serial port what the rings still hold.
 * Nothing while console_has_service(). No locks held but the ended capsule's. */
void console_flush(void);
/* Is somebody (a live console service, or one that will be started again) looking after the guests'
 * output and the log? */
bool console_has_service(void);

#endif
