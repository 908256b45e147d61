/*
 * A second map of who owns each page, in debug builds alone, against which the walls around a
 * capsule are held at each world switch. It shares nothing with the one in memory.c: it has a byte
 * for each page, is told of each change as it was asked for, and panics when a change does not fit
 * what it knows.
 */
#ifndef CORE_OWNERSHIP_H
#define CORE_OWNERSHIP_H

#include "addr.h"
#include <stdbool.h>
#include <stddef.h>

#ifdef DEBUG
/* At boot, one hart. From here on it is told: before the first byte of RAM is known. */
void ownership_watch(void);
/* Once memory can be allocated: makes the map. Without memory for it there is none, which is
 * logged. */
void ownership_begin(void);

bool ownership_is_known(void);

/* Pages of the hypervisor become a capsule's tables, which the hart may read for it, or stop being
 * that. */
void ownership_set_tables(struct hpa base, uint64_t size, int capsule, bool tables);
/* Who that makes their owner, beside those of enum memory_owner. */
int ownership_tables_of(int capsule);

/* Do all pages belong to the owner? If not, *where is the first that does not. The pages asked
 * about must not change hands meanwhile. */
bool ownership_is(struct hpa base, uint64_t size, int owner, struct hpa *where);
/* Bytes of his. */
uint64_t ownership_bytes(int owner);
/* Writes who owns the page, for people. */
void ownership_describe(struct hpa page, char *text, size_t size);
#else
static inline void ownership_watch(void)
{
}
static inline void ownership_begin(void)
{
}
static inline void ownership_set_tables(struct hpa base, uint64_t size, int capsule, bool tables)
{
    (void)base, (void)size, (void)capsule, (void)tables;
}
#endif

#endif
