/*
 * The advanced platform-level interrupt controller (Advanced Interrupt Architecture 1.0, chapter 4;
 * device tree: riscv,aplic). It has a domain for each privilege level, with registers of its own.
 * Only the machine-level one is used, and there everything is taken back that was delegated to the
 * domains below it: source numbers are the same in all.
 *
 * A hart gets a source's interrupts directly, or by way of its IMSIC as messages, of which there is
 * one for each time that the source rises.
 */
#include "boot_only.h"
#include "devicetree.h"
#include "driver.h"
#include "hart_table.h"
#include "mmio.h"
#include "tree.h"
#include <libfdt.h>

/* 4.5: the domain's registers. */
#define DOMAINCFG   0x0
#define SOURCECFG   0x0 /* of source 1 at 4 */
#define MMSIADDRCFG 0x1bc0
#define MMSIADDRH   0x1bc4
#define IN_CLRIP    0x1d00
#define SETIENUM    0x1edc
#define CLRIE       0x1f00
#define CLRIENUM    0x1fdc
#define SETIPNUM_LE 0x2000
#define TARGET      0x3000 /* of source 1 at 4 */
#define DOMAIN_SIZE 0x4000
#define SOURCE_MAX  1023
#define INDEX_MAX   16383
#define TARGET_HART 18 /* shift */

#define DOMAINCFG_IE     (1U << 8)
#define DOMAINCFG_DM     (1U << 2) /* by messages */
#define MMSIADDRH_LOCKED (1U << 31)

/* 4.8.1: an interrupt delivery control structure for each hart. */
#define IDC        0x4000
#define IDC_SIZE   32
#define IDELIVERY  0x0
#define IFORCE     0x4
#define ITHRESHOLD 0x8
#define CLAIMI     0x1c

static int probed = -1; /* the node */
static uint64_t base, size;
static uint32_t sources;
static bool messages;              /* by way of IMSICs */
static unsigned forwarded;         /* the one source that comes as a message */
static uint16_t indexes[HART_MAX]; /* the domain's numbers for the harts, and 1; 0: it has none */

/* A hart's number in the domain is its place among the lines, unless a list says otherwise. */
BOOT_ONLY static bool read_harts(const void *fdt, int node)
{
    struct devicetree_cursor cursor = {0};
    struct devicetree_line line;
    int length, place;
    const fdt32_t *list = tree_property(fdt, node, "riscv,hart-indexes", &length);

    for (unsigned i = 0; devicetree_next_line(fdt, node, &cursor, &line); i++) {
        uint32_t index = list && i < (unsigned)length / 4 ? fdt32_to_cpu(list[i]) : i;

        if (line.cause != CAUSE_MACHINE_EXTERNAL)
            return false;
        if (index > INDEX_MAX || IDC + (index + 1) * (uint64_t)IDC_SIZE > size ||
            !line.leads_to_hart || (place = hart_table_find(line.hart_id)) < 0)
            continue;
        indexes[place] = (uint16_t)(index + 1);
        messages = false;
    }
    return !messages;
}

/* Its interrupt delivery control; 0 if it has none. */
static uint64_t idc_of(uint64_t hart_id)
{
    int place = hart_table_find(hart_id);

    return place < 0 || indexes[place] == 0
               ? 0
               : base + IDC + (indexes[place] - 1) * (uint64_t)IDC_SIZE;
}

BOOT_ONLY static bool find_imsics(const void *fdt, int node)
{
    uint32_t phandle;
    int parent =
        devicetree_u32(fdt, node, "msi-parent", &phandle) ? tree_by_phandle(fdt, phandle) : -1;

    return parent >= 0 && devicetree_is_compatible(fdt, parent, imsic.compatible) &&
           imsic.probe(fdt, parent);
}

/* Where messages go (4.9.1), unless it cannot be changed. */
BOOT_ONLY static void tell_addresses(void)
{
    const struct imsic_layout *layout = imsic_layout();
    uint64_t page = layout->base >> 12;

    if (mmio_read32(base + MMSIADDRH) & MMSIADDRH_LOCKED)
        return;
    mmio_write32(base + MMSIADDRCFG, (uint32_t)page);
    mmio_write32(base + MMSIADDRH, (layout->group_shift - 24) << 24 | layout->group_bits << 16 |
                                       layout->hart_bits << 12 | (page >> 32 & 0xfff));
}

BOOT_ONLY static void silence(void)
{
    mmio_write32(base + DOMAINCFG, 0); /* which is the same in either order of bytes */
    for (unsigned source = 1; source <= sources; source++)
        mmio_write32(base + SOURCECFG + 4 * source, 0);
    for (unsigned source = 0; source <= sources; source += 32)
        mmio_write32(base + CLRIE + source / 32 * 4, UINT32_MAX);
}

BOOT_ONLY static bool probe(const void *fdt, int node)
{
    uint32_t count;

    if (probed >= 0 || !devicetree_reg(fdt, node, 0, &base, &size) || base % 4 ||
        size < DOMAIN_SIZE || !devicetree_u32(fdt, node, "riscv,num-sources", &count) ||
        count < 1 || count > SOURCE_MAX)
        return false;
    messages = true;
    if (!read_harts(fdt, node) && !find_imsics(fdt, node))
        return false;
    sources = count;
    probed = node;
    silence();
    if (messages)
        tell_addresses();
    mmio_write32(base + DOMAINCFG, DOMAINCFG_IE | (messages ? DOMAINCFG_DM : 0));
    return true;
}

/* The parent of a device's interrupt may be a domain below ours. */
BOOT_ONLY static bool passes(const void *fdt, int node)
{
    int length;
    const fdt32_t *children =
        probed < 0 ? NULL : tree_property(fdt, probed, "riscv,children", &length);

    for (int i = 0; children && i < length / 4; i++) {
        if (tree_by_phandle(fdt, fdt32_to_cpu(children[i])) == node)
            return true;
    }
    return probed >= 0 && node == probed;
}

/* 4.5.2: the modes of a source, by the second cell of `interrupts`. */
BOOT_ONLY static uint32_t mode_of(uint32_t type)
{
    enum {
        EDGE1 = 4,
        EDGE0,
        LEVEL1,
        LEVEL0
    };

    return type == 1 ? EDGE1 : type == 2 ? EDGE0 : type == 8 ? LEVEL0 : LEVEL1;
}

/* 3.6: the number that an IMSIC's address has for its hart. */
BOOT_ONLY static uint32_t index_of_page(uint64_t page)
{
    const struct imsic_layout *layout = imsic_layout();
    uint32_t group = page >> layout->group_shift & ((1U << layout->group_bits) - 1);

    return group << layout->hart_bits | (page >> 12 & ((1U << layout->hart_bits) - 1));
}

BOOT_ONLY static void open_to(uint64_t idc)
{
    mmio_write32(idc + IFORCE, 0);
    mmio_write32(idc + ITHRESHOLD, 0);
    mmio_write32(idc + IDELIVERY, 1);
}

BOOT_ONLY static bool route(unsigned source, uint32_t type, uint64_t hart_id)
{
    uint64_t page = messages ? imsic_page(hart_id) : 0;
    uint64_t idc = messages ? 0 : idc_of(hart_id);

    if (source < 1 || source > sources || (messages ? !page || forwarded : !idc))
        return false;
    uint32_t index = page ? index_of_page(page) : (uint32_t)((idc - base - IDC) / IDC_SIZE);

    mmio_write32(base + SOURCECFG + 4 * source, mode_of(type));
    mmio_write32(base + TARGET + 4 * source,
                 index << TARGET_HART | (page ? IMSIC_FORWARDED : 1)); /* or the priority */
    if (page)
        forwarded = source;
    else
        open_to(idc);
    mmio_write32(base + SETIENUM, source);
    return true;
}

/* A kick is claimed on the way, and that is all it needs. */
static unsigned claim(uint64_t hart_id)
{
    if (messages) {
        unsigned identity = imsic_claim(hart_id);

        while (identity != 0 && identity != IMSIC_FORWARDED)
            identity = imsic_claim(hart_id);
        return identity == 0 ? 0 : forwarded;
    }
    uint64_t idc = idc_of(hart_id);

    return idc ? mmio_read32(idc + CLAIMI) >> 16 : 0;
}

/* A message is sent when the line rises. One that is still high, for it rose again or never fell,
 * would be forgotten (4.9.2). It is looked at first: not every APLIC does so itself. */
static void complete(uint64_t hart_id, unsigned source)
{
    (void)hart_id;
    if (messages && mmio_read32(base + IN_CLRIP + source / 32 * 4) >> source % 32 & 1)
        mmio_write32(base + SETIPNUM_LE, source);
}

static void mask(uint64_t hart_id, unsigned source)
{
    (void)hart_id;
    mmio_write32(base + CLRIENUM, source);
}

static const char *const compatible[] = {"riscv,aplic", NULL};

const struct interrupt_driver aplic = {"APLIC", compatible, probe,    passes,
                                       route,   claim,      complete, mask};
