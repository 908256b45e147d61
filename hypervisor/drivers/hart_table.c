/* See hart_table.h: open addressing, so a place that was never used ends the search. */
#include "hart_table.h"
#include "boot_only.h"
#include <stdbool.h>

static uint64_t ids[HART_MAX];
static bool used[HART_MAX];

BOOT_ONLY void hart_table_add(uint64_t id)
{
    for (unsigned i = 0; i < HART_MAX; i++) {
        unsigned place = (id + i) % HART_MAX;

        if (used[place])
            continue;
        used[place] = true;
        ids[place] = id;
        return;
    }
}

int hart_table_find(uint64_t id)
{
    for (unsigned i = 0; i < HART_MAX; i++) {
        unsigned place = (id + i) % HART_MAX;

        if (!used[place])
            return -1; /* it would have been put here */
        if (ids[place] == id)
            return (int)place;
    }
    return -1;
}
