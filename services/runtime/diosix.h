/*
 * What a C service is written against: the calls of the service ABI (diosix/abi.h, docs/abi.md) as
 * functions, the standard SBI calls that a service needs, and its beginning and end.
 *
 * A service defines main() and may use picolibc's string.h and snprintf. It runs on one hart, in
 * supervisor mode, without address translation: a pointer is a guest-physical address. Returning
 * 0 from main() shuts the capsule down; returning anything else, or any trap, crashes it, which
 * restarts it if it has property auto_crash_restart.
 */
#ifndef RUNTIME_DIOSIX_H
#define RUNTIME_DIOSIX_H

#include <diosix/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIOSIX_FOREVER UINT64_MAX

/* The calls return DIOSIX_OK or a count, or one of DIOSIX_ERR_* (negative). Reads and writes may
 * do less than asked, also nothing. Reads never wait: diosix_wait() does. */
void diosix_yield(void);
long diosix_register_service(enum diosix_service type);
/* *capsule is whose output it is, when the count isn't 0. */
long diosix_output_read(void *buffer, size_t size, unsigned *capsule);
long diosix_input_write(const void *bytes, size_t size, unsigned capsule);
/* *shown: the serial port has already shown this text. */
long diosix_log_read(void *buffer, size_t size, bool *shown);
long diosix_console_write(const void *bytes, size_t size);
long diosix_console_read(void *buffer, size_t size);
/* Waits until one of the events (DIOSIX_EVENT_*) is pending, or until `deadline` in ticks of
 * diosix_time(). Returns the pending ones, 0 when the deadline has come. */
long diosix_wait(uint64_t events, uint64_t deadline);
long diosix_capsule_info(unsigned capsule, struct diosix_capsule_info *info);
long diosix_capsule_control(unsigned capsule, enum diosix_control action);
/* `capsule` may be DIOSIX_SELF. */
long diosix_vcpu_stats(unsigned long capsule, unsigned vcpu, struct diosix_vcpu_stats *stats);
long diosix_hart_stats(unsigned hart, struct diosix_hart_stats *stats);
/* Entries from number *first on, which is set to the first that is still there. Returns how many:
 * 0 at the end. */
long diosix_trace_read(unsigned hart, struct diosix_trace_entry *entries, size_t count,
                       uint64_t *first);

/* The time CSR; struct diosix_capsule_info has its frequency. */
uint64_t diosix_time(void);

/* Prints by SBI DBCN, as a guest does: to the capsule's own console. */
void diosix_print(const char *text);
/* The capsule shuts down (SBI SRST): it has finished. */
__attribute__((noreturn)) void diosix_shutdown(void);
/* The capsule ends with a crash record. Says why first. */
__attribute__((noreturn)) void diosix_crash(const char *reason);

int main(void);

#endif
