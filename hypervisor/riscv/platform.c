/* What of the machine's device tree is asked for after boot; platform_tree.c reads it. */
#include "platform.h"
#include "driver.h"
#include "machine.h"

struct platform platform = {.timebase = PLATFORM_FALLBACK_TIMEBASE};

const char *const platform_mmu_types[PLATFORM_MMU_TYPES] = {"riscv,sv39", "riscv,sv48",
                                                            "riscv,sv57"};

uint64_t platform_timebase(void)
{
    return platform.timebase;
}

const struct isa *platform_guest_extensions(void)
{
    return &platform.guest_extensions;
}

const char *platform_mmu_type(void)
{
    return platform_mmu_types[platform.mmu_type];
}

uint32_t platform_cbop_block_size(void)
{
    return platform.cbop_block_size;
}

uint32_t platform_cboz_block_size(void)
{
    return platform.cboz_block_size;
}

unsigned platform_claim(uint64_t hart_id)
{
    if (platform.controller)
        return platform.controller->claim(hart_id);
    while (imsic_claim(hart_id) != 0) /* kicks */
        ;
    return 0;
}

void platform_complete(uint64_t hart_id, unsigned source)
{
    platform.controller->complete(hart_id, source);
}

void platform_mask(uint64_t hart_id, unsigned source)
{
    platform.controller->mask(hart_id, source);
}

void platform_power_off(void)
{
    if (platform.power)
        platform.power->off();
}
