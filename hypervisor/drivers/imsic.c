/*
 * Incoming message-signalled interrupts: a hart's own external interrupt controller, which a write
 * to its page in memory interrupts (Advanced Interrupt Architecture 1.0, chapter 3; device tree:
 * riscv,imsics). Only the machine-level files are used. Of their identities two: one with which
 * harts kick each other where there is no better way, and one for what an APLIC forwards.
 *
 * A file's registers can only be reached by its hart, so each hart opens its own (imsic_start).
 */
#include "boot_only.h"
#include "devicetree.h"
#include "driver.h"
#include "hart_table.h"
#include "imsic_csr.h"
#include "mmio.h"
#include <libfdt.h>

/* 3.5: an interrupt file's page; 3.8: registers behind miselect. */
#define PAGE           0x1000
#define EIDELIVERY     0x70
#define EITHRESHOLD    0x72
#define EIP0           0x80
#define EIE0           0xc0
#define IDENTITIES_MAX 2047

static int probed = -1;          /* the node */
static uint64_t pages[HART_MAX]; /* 0: none */
static struct imsic_layout layout;
static uint32_t identities;

/* The page of the line at `index`: the regions in `reg`, one for each group, follow each other. */
BOOT_ONLY static uint64_t page_of(const void *fdt, int node, unsigned index)
{
    uint64_t base, size, offset = (uint64_t)index * PAGE;

    for (unsigned i = 0; devicetree_reg(fdt, node, i, &base, &size); i++) {
        if (offset < size)
            return size - offset >= PAGE ? base + offset : 0;
        offset -= size;
    }
    return 0;
}

BOOT_ONLY static uint32_t property(const void *fdt, int node, const char *name, uint32_t otherwise)
{
    uint32_t value;

    return devicetree_u32(fdt, node, name, &value) ? value : otherwise;
}

/* What the addresses of the pages have in common (3.6), as an APLIC wants to know it. */
BOOT_ONLY static bool read_layout(const void *fdt, int node, unsigned lines)
{
    uint32_t bits = 0;
    uint64_t size;

    while (1U << bits < lines)
        bits++;
    layout.hart_bits = property(fdt, node, "riscv,hart-index-bits", bits);
    layout.group_bits = property(fdt, node, "riscv,group-index-bits", 0);
    layout.group_shift = property(fdt, node, "riscv,group-index-shift", 24);
    return property(fdt, node, "riscv,guest-index-bits", 0) == 0 && layout.hart_bits < 16 &&
           layout.group_bits < 8 && layout.group_shift >= 24 && layout.group_shift < 56 &&
           devicetree_reg(fdt, node, 0, &layout.base, &size) && layout.base % PAGE == 0;
}

BOOT_ONLY static bool probe(const void *fdt, int node)
{
    struct devicetree_cursor cursor = {0};
    struct devicetree_line line;
    unsigned index = 0;

    if (probed >= 0)
        return probed == node;
    identities = property(fdt, node, "riscv,num-ids", 0);
    if (identities < IMSIC_FORWARDED || identities > IDENTITIES_MAX)
        return false;
    for (; devicetree_next_line(fdt, node, &cursor, &line); index++) {
        if (line.cause != CAUSE_MACHINE_EXTERNAL)
            return false;
        uint64_t page = page_of(fdt, node, index);
        int place = line.leads_to_hart ? hart_table_find(line.hart_id) : -1;

        if (place >= 0)
            pages[place] = page;
    }
    if (index == 0 || !read_layout(fdt, node, index))
        return false;
    probed = node;
    return true;
}

uint64_t imsic_page(uint64_t hart_id)
{
    int place = probed < 0 ? -1 : hart_table_find(hart_id);

    return place < 0 ? 0 : pages[place];
}

BOOT_ONLY const struct imsic_layout *imsic_layout(void)
{
    return &layout;
}

void imsic_start(uint64_t hart_id)
{
    if (!imsic_page(hart_id))
        return;
    imsic_csr_write(EIDELIVERY, 0);
    for (unsigned i = 0; i <= identities / 64; i++) { /* 64 bits in every second register */
        imsic_csr_write(EIE0 + 2 * i, 0);
        imsic_csr_write(EIP0 + 2 * i, 0);
    }
    imsic_csr_write(EITHRESHOLD, 0);
    imsic_csr_write(EIE0, 1UL << IMSIC_KICK | 1UL << IMSIC_FORWARDED);
    imsic_csr_write(EIDELIVERY, 1);
}

unsigned imsic_claim(uint64_t hart_id)
{
    return imsic_page(hart_id) ? imsic_csr_claim() >> 16 : 0;
}

static const char *const compatible[] = {"riscv,imsics", NULL};

const struct interrupt_driver imsic = {.compatible = compatible, .probe = probe};
