/* See faults.h. */
#ifdef DEBUG
#include "faults.h"
#include "bootargs.h"
#include "entry.h"
#include "log.h"
#include "memory.h"
#include "port.h"
#include "serial.h"

static _Atomic uint32_t booted;

void faults_boot_begins(void)
{
    memory_fail(bootargs.fail.allocation);
}

void faults_boot_ends(void)
{
    if (memory_fail(0) != 0)
        log_info("boot has fewer than %lu allocations", bootargs.fail.allocation);
    if (bootargs.fail.serial)
        serial_fail();
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
