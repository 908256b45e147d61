/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0.0). Each hart has a
 * context for each privilege level that takes interrupts; contexts are numbered by the order of
 * their lines in `interrupts-extended`. Only machine-mode ones (cause 11) are used; all others are
 * silenced, so that nothing enabled by an earlier boot stage reaches a guest.
 */
#include "boot_only.h"
#include "devicetree.h"
#include "driver.h"
#include "hart_table.h"
#include "mmio.h"

/* PLIC 1.0.0, chapter 3: memory map. */
#define PRIORITY       0x0
#define ENABLE         0x2000
#define ENABLE_STRIDE  0x80
#define CONTEXT        0x200000
#define CONTEXT_STRIDE 0x1000
#define THRESHOLD      0x0
#define CLAIM          0x4 /* and, when written, completion */
#define SOURCE_MAX     1023
#define CONTEXT_MAX    15872

static uint64_t base;
static uint32_t sources;            /* the highest source number; 0 without a PLIC */
static uint16_t contexts[HART_MAX]; /* of each hart, counted from 1; 0: it has none */

static bool has_context(uint64_t hart_id, uint32_t *context)
{
    int place = hart_table_find(hart_id);

    *context = place < 0 ? 0 : contexts[place] - 1U;
    return place >= 0 && contexts[place] != 0;
}

static uint64_t enable_register(uint32_t context, unsigned source)
{
    return base + ENABLE + (uint64_t)context * ENABLE_STRIDE + source / 32 * 4;
}

static uint64_t context_register(uint32_t context, unsigned offset)
{
    return base + CONTEXT + (uint64_t)context * CONTEXT_STRIDE + offset;
}

BOOT_ONLY static void silence(uint32_t context)
{
    for (unsigned source = 0; source <= sources; source += 32)
        mmio_write32(enable_register(context, source), 0);
    mmio_write32(context_register(context, THRESHOLD), 0);
}

BOOT_ONLY static bool probe(const void *fdt, int node)
{
    struct devicetree_cursor cursor = {0};
    struct devicetree_line line;
    uint64_t size;
    uint32_t last;

    if (sources || !devicetree_reg(fdt, node, 0, &base, &size) || base % 4 || size < CONTEXT ||
        !devicetree_u32(fdt, node, "riscv,ndev", &last) || last < 1 || last > SOURCE_MAX)
        return false;
    sources = last;
    for (unsigned source = 1; source <= sources; source++)
        mmio_write32(base + PRIORITY + 4 * source, 0);
    for (uint32_t context = 0; context < CONTEXT_MAX; context++) {
        if (CONTEXT + (uint64_t)(context + 1) * CONTEXT_STRIDE > size ||
            !devicetree_next_line(fdt, node, &cursor, &line))
            break;
        silence(context);
        int place = line.leads_to_hart && line.cause == CAUSE_MACHINE_EXTERNAL
                        ? hart_table_find(line.hart_id)
                        : -1;

        if (place >= 0)
            contexts[place] = (uint16_t)(context + 1);
    }
    return true;
}

BOOT_ONLY static bool passes(const void *fdt, int node)
{
    return sources > 0 && devicetree_is_compatible(fdt, node, plic.compatible);
}

BOOT_ONLY static bool route(unsigned source, uint32_t type, uint64_t hart_id)
{
    uint32_t context;

    (void)type; /* its gateways are made for what is connected to them */
    if (!has_context(hart_id, &context) || source < 1 || source > sources)
        return false;
    uint64_t enable = enable_register(context, source);

    mmio_write32(base + PRIORITY + 4 * source, 1);
    mmio_write32(enable, mmio_read32(enable) | 1U << source % 32);
    return true;
}

static unsigned claim(uint64_t hart_id)
{
    uint32_t context;

    return has_context(hart_id, &context) ? mmio_read32(context_register(context, CLAIM)) : 0;
}

static void complete(uint64_t hart_id, unsigned source)
{
    uint32_t context;

    if (has_context(hart_id, &context))
        mmio_write32(context_register(context, CLAIM), source);
}

static void mask(uint64_t hart_id, unsigned source)
{
    uint32_t context;

    if (!has_context(hart_id, &context))
        return;
    uint64_t enable = enable_register(context, source);

    mmio_write32(enable, mmio_read32(enable) & ~(1U << source % 32));
}

static const char *const compatible[] = {"sifive,plic-1.0.0", "riscv,plic0", "thead,c900-plic",
                                         NULL};

const struct interrupt_driver plic = {"PLIC", compatible, probe,    passes,
                                      route,  claim,      complete, mask};
