/*
 * The end of boot, and what of it stays: another hart may come in at any time, and each must be in
 * code that stays when the rest goes.
 */
#include "boot_only.h"
#include "driver.h"
#include "entry.h"
#include "faults.h"
#include "features.h"
#include "memory.h"
#include "port.h"
#include "protect.h"
#include "stack.h"
#include "world.h"
#include <string.h>

struct hart *harts[HART_MAX];
unsigned hart_count;
struct hart boot_hart; /* and its stack are there before memory is */
struct hart_features features_common;

extern char boot_only_start[], boot_only_end[];
static _Atomic uint32_t start_gate; /* open: features are settled, run guests */

__attribute__((noreturn)) static void run_hart(struct hart *hart)
{
    stack_paint(hart);
    protect_hart(hart);
    imsic_start(hart->id);
    world_init_hart(hart);
    sched_run(hart);
}

/* From entry.S: another hart than the first comes in. For one that is late the others have settled
 * on what they have seen, and code for it may be gone: it has no part in it. */
__attribute__((noreturn)) CALLS_BOOT_ONLY void boot_secondary(uint64_t hart_id)
{
    struct hart *hart = port_hart();
    (void)hart_id;
    faults_hart_comes(hart);
    if (atomic_exchange(&hart->arch.decided, 1) != 0)
        port_halt();
    boot_hart_comes(hart);
    atomic_store(&hart->online, true); /* from here on its code may go: it is not in it any more */
    while (!atomic_load(&start_gate))
        port_relax();
    run_hart(hart);
}

static void give_back_boot_only(void)
{
    size_t size = (size_t)(boot_only_end - boot_only_start);
#ifdef DEBUG
    memset(boot_only_start, 0xff, size); /* no instruction, no address, no text */
#endif
    memory_free(hpa_of(boot_only_start), size, MEMORY_HYPERVISOR);
}

__attribute__((noreturn)) void start_guests(bool may_give_back)
{
    faults_boot_ends();
    if (may_give_back)
        give_back_boot_only();
    atomic_store(&start_gate, 1);
    run_hart(&boot_hart);
}
