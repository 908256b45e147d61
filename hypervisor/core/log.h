/*
 * The hypervisor's log: a ring of text that a service with hv_log_read reads, and until one does,
 * or when there is none, the serial port shows.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stddef.h>
#include <stdint.h>

/* Writes one line (a newline is added) with a time stamp. Any hart; takes LOCK_CONSOLE. */
__attribute__((format(printf, 1, 2))) void log_write(const char *format, ...);

#define log_info(...)  log_write(__VA_ARGS__)
#define log_error(...) log_write("error: " __VA_ARGS__)
#ifdef DEBUG
#define log_debug(...) log_write("debug: " __VA_ARGS__)
#else
#define log_debug(...) ((void)0)
#endif

/* Takes up to `size` bytes of the oldest unread text; returns their number. Takes LOCK_CONSOLE. */
size_t log_read(char *buffer, size_t size);
/* Is there unread text? No lock. */
int log_pending(void);

/* The last words: writes to the serial port past every lock, then stops the machine. */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

#endif
