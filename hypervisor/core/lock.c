#include "lock.h"
#include "port.h"

#ifdef DEBUG
#include "hart.h"
#include "log.h"

/* A hart's lock_ranks has bit r set while the hart holds a lock of rank r. Before a hart has its
 * structure (the first lines of boot) it is alone, and nothing is checked. */
static void note_acquire(const struct lock *lock)
{
    struct hart *hart = port_hart();

    if (!hart)
        return;
    if (hart->lock_ranks >> lock->rank)
        panic("lock of rank %d taken while holding ranks 0x%x", (int)lock->rank,
              (unsigned)hart->lock_ranks);
    hart->lock_ranks |= 1U << lock->rank;
}

static void note_release(const struct lock *lock)
{
    struct hart *hart = port_hart();

    if (!hart)
        return;
    if (!(hart->lock_ranks & 1U << lock->rank) ||
        atomic_load_explicit(&lock->held, memory_order_relaxed) == 0)
        panic("lock of rank %d released without being held", (int)lock->rank);
    hart->lock_ranks &= ~(1U << lock->rank);
}
#else
static void note_acquire(const struct lock *lock)
{
    (void)lock;
}

static void note_release(const struct lock *lock)
{
    (void)lock;
}
#endif

/* Waiters read until the lock looks free and only then try to take it, so that they share its cache
 * line while they wait. There is no queue: where harts are threads of an emulator, the first in
 * line may be the one that is not running, and all would wait for it. */
void lock_acquire(struct lock *lock)
{
    note_acquire(lock);
    /* Acquire pairs with the release below: all that the last holder wrote is visible here. */
    while (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire) != 0)
        while (atomic_load_explicit(&lock->held, memory_order_relaxed) != 0)
            port_relax();
}

void lock_release(struct lock *lock)
{
    note_release(lock);
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}
