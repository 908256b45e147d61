/* SiFive's test finisher: a word that ends the simulation (QEMU, hw/misc/sifive_test.c). */
#include "boot_only.h"
#include "devicetree.h"
#include "driver.h"
#include "mmio.h"

#define FINISHER_PASS 0x5555

static uint64_t base;

BOOT_ONLY static bool probe(const void *fdt, int node)
{
    uint64_t size;

    return devicetree_reg(fdt, node, 0, &base, &size) && size >= 4 && base % 4 == 0;
}

static void off(void)
{
    mmio_write32(base, FINISHER_PASS);
}

static const char *const compatible[] = {"sifive,test0", "sifive,test1", NULL};

const struct power_driver power_sifive_test = {compatible, probe, off};
