/*
 * The hypervisor's log: a ring of text that a service with hv_log_read reads. While no such
 * service is registered as the console, the serial port shows each line at once; the text stays
 * unread in the ring nevertheless, for the service's own record. When nobody reads, the newest
 * text takes the place of the oldest.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes one line (a newline is added) with a time stamp. Any hart, holding at most LOCK_CAPSULE;
 * takes LOCK_CONSOLE, then wakes the reader. */
__attribute__((format(printf, 1, 2))) void log_write(const char *format, ...);

#define log_info(...)  log_write(__VA_ARGS__)
#define log_error(...) log_write("error: " __VA_ARGS__)
#ifdef DEBUG
#define log_debug(...) log_write("debug: " __VA_ARGS__)
#else
#define log_debug(...) ((void)0)
#endif

/* Takes up to `size` bytes of the oldest unread text; returns their number. *shown: the serial
 * port has shown all of them already, else it has shown none of them. Takes LOCK_CONSOLE. */
size_t log_read(char *buffer, size_t size, bool *shown);
/* Is there unread text? No lock. */
bool log_pending(void);
/* Shows on the serial port what it has not shown yet: for when the reader has gone. */
void log_flush(void);

/* The last words: writes to the serial port past every lock, then stops the machine. Any context.
 */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

#endif
