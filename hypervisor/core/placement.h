/*
 * Which harts a capsule's vCPUs may run on. Those of all capsules that say nothing share the harts
 * that nobody has to himself; a capsule may be pinned to harts, and may have them exclusively.
 */
#ifndef CORE_PLACEMENT_H
#define CORE_PLACEMENT_H

#include "error.h"
#include "pqueue.h"
#include <stdbool.h>
#include <stdint.h>

struct capsule;

/* vCPUs that may run on the same harts: they have a queue and a clock of their own. LOCK_SCHED. */
struct hart_set {
    uint64_t harts; /* bit i: harts[i]; does not change once guests run */
    struct pqueue ready;
    uint64_t virtual_now; /* never goes back; who wakes up is measured by it */
    uint64_t offset;      /* added to its virtual times where sets are compared */
    struct hart_set *next;
};
/* All sets there are: the one of those that are not pinned is the first. */
extern struct hart_set placement_shared;

/* May its vCPUs run on the hart with this index? */
static inline bool placement_has(const struct hart_set *set, unsigned hart)
{
    return set->harts >> hart & 1;
}

/* Can no other vCPU ever want the hart that one of this capsule's is on? Its harts are its own,
 * there is one for each vCPU, and no cap takes them away. */
bool placement_has_own_harts(const struct capsule *capsule);

/* At boot, harts known: gives a new capsule its set. ERROR_NOT_FOUND, ERROR_BAD_CONFIG, logged
 * with the reason, when its harts are not there or not free for it. */
enum error placement_admit(struct capsule *capsule);

#endif
