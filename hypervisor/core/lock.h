/*
 * Spinlocks and their order. A hart takes locks only downwards in this table:
 *
 *   rank               what it guards
 *   LOCK_CAPSULE       one capsule's life cycle and devices
 *   LOCK_SERVICE       who is registered as a service, and which capsules wait for events
 *   LOCK_SCHED         run queues, sleepers, run states of all vCPUs
 *   LOCK_MEMORY        the map of who owns physical memory
 *   LOCK_CONSOLE       the byte rings between capsules, the log and the serial port
 *   LOCK_SERIAL        the physical serial port
 *
 * The hypervisor runs with interrupts off, so no lock needs to mask them. A debug build panics
 * when the order is broken or a lock is released by a hart that does not hold it. Two locks of one
 * rank are never held together.
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

enum lock_rank {
    LOCK_CAPSULE = 1,
    LOCK_SERVICE,
    LOCK_SCHED,
    LOCK_MEMORY,
    LOCK_CONSOLE,
    LOCK_SERIAL,
};

struct lock {
    _Atomic uint32_t held; /* 0 or 1 */
    enum lock_rank rank;
};

#define LOCK_INITIALIZER(r)                                                                        \
    {                                                                                              \
        .rank = (r)                                                                                \
    }

void lock_acquire(struct lock *lock);
void lock_release(struct lock *lock);

#endif
