/*
 * Drivers keep what belongs to a hart in arrays of their own, at the hart's place in one table for
 * all of them. A place is found at once for usual ids; ids may have gaps. Only harts that the
 * platform uses have one: there may be others, which drivers have nothing to do with.
 */
#ifndef DRIVERS_HART_TABLE_H
#define DRIVERS_HART_TABLE_H

#include "hart.h" /* HART_MAX */

/* At boot, before any driver's probe; for at most HART_MAX harts, each once. */
void hart_table_add(uint64_t id);
/* The hart's place, 0 .. HART_MAX-1; -1 if it has none. */
int hart_table_find(uint64_t id);

#endif
