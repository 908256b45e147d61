/* See faults.h. */
#ifdef DEBUG
#include "faults.h"
#include "bootargs.h"
#include "capsule.h"
#include "entry.h"
#include "features.h"
#include "isolation.h"
#include "log.h"
#include "memory.h"
#include "port.h"
#include "serial.h"

static _Atomic uint32_t booted;

void faults_boot_begins(void)
{
    memory_fail(bootargs.fail.allocation);
}

static void refuse_pmp(unsigned entry, uint64_t *when)
{
    if (*when == 0 || features_common.pmp_entries > entry)
        return;
    log_error("fail=pmp%u is not possible: these harts have %u PMP entries", entry,
              features_common.pmp_entries);
    *when = 0;
}

/* What these harts do not have cannot go wrong. */
static void refuse_impossible(void)
{
    refuse_pmp(1, &bootargs.fail.pmp1);
    refuse_pmp(3, &bootargs.fail.pmp3);
    refuse_pmp(6, &bootargs.fail.pmp6);
    if (bootargs.fail.gstage == 0 || isolation_translates())
        return;
    log_error("fail=gstage is not possible: isolation is %s", isolation_name());
    bootargs.fail.gstage = 0;
}

/* The n-th start after boot goes without the n-th allocation from there up to the next start, so
 * what follows it counts, too. When there is no n-th, nothing more fails. Tests start one capsule
 * at a time. */
static void next_start(void)
{
    static uint64_t n;

    if (memory_fail(0) == 0) {
        memory_fail(++n);
        return;
    }
    log_info("a start and what follows has fewer than %lu allocations", n);
    capsule_start_watcher = NULL;
}

void faults_boot_ends(void)
{
    refuse_impossible();
    if (memory_fail(0) != 0)
        log_info("boot has fewer than %lu allocations", bootargs.fail.allocation);
    if (bootargs.fail.serial)
        serial_fail();
    if (bootargs.fail.start)
        capsule_start_watcher = next_start;
    atomic_store(&booted, 1);
}

void faults_hart_comes(const struct hart *hart)
{
    const struct hart *last = harts[hart_count - 1];
    if (hart != (last == &boot_hart ? harts[0] : last))
        return;
    if (bootargs.fail.hart_away)
        port_halt();
    while (bootargs.fail.hart_late && !atomic_load(&booted))
        port_relax();
}
#endif
