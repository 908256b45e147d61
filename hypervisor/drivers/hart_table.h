/* Finds what a driver keeps for a hart by the hart's id, at once for usual ids: ids may have
 * gaps, and there may be harts that the driver does not know. */
#ifndef DRIVERS_HART_TABLE_H
#define DRIVERS_HART_TABLE_H

#include "driver.h"

struct hart_table {
    uint64_t ids[DRIVER_HART_MAX];
    bool used[DRIVER_HART_MAX];
};

/* The hart's place in the table, 0 .. DRIVER_HART_MAX-1; -1 if it has none and, when `add`
 * is set, there is no room for one. */
static inline int hart_table_find(struct hart_table *table, uint64_t id, bool add)
{
    for (unsigned i = 0; i < DRIVER_HART_MAX; i++) {
        unsigned place = (id + i) % DRIVER_HART_MAX;

        if (table->used[place] && table->ids[place] == id)
            return place;
        if (table->used[place])
            continue;
        if (!add)
            return -1; /* it would have been put here */
        table->used[place] = true;
        table->ids[place] = id;
        return place;
    }
    return -1;
}

#endif
