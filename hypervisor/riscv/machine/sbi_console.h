/*
 * Where the SBI's consoles (DBCN and the legacy one) lead: to the capsule's own console, or for a
 * capsule with console_write or console_read to the serial port itself.
 */
#ifndef MACHINE_SBI_CONSOLE_H
#define MACHINE_SBI_CONSOLE_H

#include "sbi.h"

/* Both move up to `count` bytes, never wait, and return how many they moved. */
size_t sbi_console_write(struct capsule *capsule, const uint8_t *bytes, size_t count);
size_t sbi_console_read(struct capsule *capsule, uint8_t *bytes, size_t count);
/* Writes one byte, however long that takes: the call is repeated until there is room. */
void sbi_console_write_blocking(struct sbi_call *call, uint8_t byte);

#endif
