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
        atomic_load_explicit(&lock->next, memory_order_relaxed) ==
            atomic_load_explicit(&lock->serving, memory_order_relaxed))
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

void lock_acquire(struct lock *lock)
{
    note_acquire(lock);
    /* Drawing a ticket orders nothing; seeing it served does: acquire pairs with the release
     * below, so all that the last holder wrote is visible here. */
    uint32_t ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);

    while (atomic_load_explicit(&lock->serving, memory_order_acquire) != ticket)
        port_relax();
}

void lock_release(struct lock *lock)
{
    note_release(lock);
    /* Only the holder writes `serving`, so no read-modify-write is needed. */
    uint32_t served = atomic_load_explicit(&lock->serving, memory_order_relaxed);

    atomic_store_explicit(&lock->serving, served + 1, memory_order_release);
}
