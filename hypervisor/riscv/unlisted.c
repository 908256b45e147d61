/*
 * See unlisted.h. With H a guest reaches vsiselect and vsctrctl by the names of siselect and
 * sctrctl, and no indirect register behind the former: hstatus.VGEIN is 0 and hvictl.VTI too
 * (AIA 1.0, 6.3).
 */
#include "unlisted.h"
#include "boot_only.h"
#include "csr.h"

enum {
    JVT = 1U << 0,      /* Zcmt */
    SISELECT = 1U << 1, /* Sscsrind, Ssaia */
    PRIORITIES = 1U << 2,
    IMSIC = 1U << 3,
    SRMCFG = 1U << 4,  /* Ssqosid */
    SCTRCTL = 1U << 5, /* Ssctr */
    SCTRDEPTH = 1U << 6,
    SCONTEXT = 1U << 7, /* Sdtrig */
    VSISELECT = 1U << 8,
    VSCTRCTL = 1U << 9,
    SCOUNTINHIBIT = 1U << 10, /* Ssccfg; menvcfg.CDE closes it, but not on QEMU 10 */
    FLOAT_CONTROL = 1U << 11, /* Zfinx: fcsr without f registers, which mstatus.FS does not close */
};

/* AIA 1.0, 2.3 and 3.8: what siselect selects, on RV64 the even numbers alone. */
#define SELECT_PRIORITIES  0x30
#define SELECT_EIDELIVERY  0x70
#define SELECT_EITHRESHOLD 0x72
#define SELECT_EIP0        0x80
#define SELECT_EIE0        0xc0
#define PRIORITY_COUNT     8
#define EIP_COUNT_MAX      32

/* How many pairs of eip and eie there are, above the bits: QEMU traps on those for interrupts that
 * an IMSIC hasn't got. */
#define EIP_COUNT_SHIFT 16

#define SCTRDEPTH_256 4

BOOT_ONLY static bool has_indirect(uint64_t selector)
{
    csr_write(CSR_SISELECT, selector);
    return csr_try_write(CSR_SIREG, 0);
}

BOOT_ONLY static uint32_t probe_indirect(void)
{
    uint32_t found = 0;
    if (!csr_try_write(CSR_SISELECT, 0))
        return 0;
    if (has_indirect(SELECT_PRIORITIES))
        found |= PRIORITIES;
    if (has_indirect(SELECT_EIDELIVERY)) {
        uint32_t count = 0;
        while (count < EIP_COUNT_MAX && has_indirect(SELECT_EIP0 + 2 * count))
            count++;
        found |= IMSIC | count << EIP_COUNT_SHIFT;
    }
    return found | SISELECT;
}

BOOT_ONLY static uint32_t probe_closable(bool h, bool f)
{
    uint32_t found = probe_indirect();
    if (csr_try_write(CSR_JVT, 0))
        found |= JVT;
    if (!f && csr_try_write(CSR_FCSR, 0)) /* else it is the vCPU's: fpu.c */
        found |= FLOAT_CONTROL;
    if (csr_try_write(CSR_SRMCFG, 0))
        found |= SRMCFG;
    if (csr_try_write(CSR_SCTRCTL, 0))
        found |= SCTRCTL;
    if (csr_try_write(CSR_SCTRDEPTH, 0))
        found |= SCTRDEPTH;
    if (csr_try_write(CSR_SCONTEXT, 0))
        found |= SCONTEXT;
    if (h && csr_try_write(CSR_VSISELECT, 0))
        found |= VSISELECT;
    if (h && csr_try_write(CSR_VSCTRCTL, 0))
        found |= VSCTRCTL;
    return found;
}

BOOT_ONLY uint32_t unlisted_probe(const struct hart_features *features)
{
    uint32_t found = features->stateen ? 0 : probe_closable(features->h, features->f);
    if (csr_try_write(CSR_SCOUNTINHIBIT, 0))
        found |= SCOUNTINHIBIT;
    unlisted_clear(found);
    return found;
}

static void clear_indirect(uint64_t selector, uint32_t count)
{
    for (; count > 0; count--, selector += 2) {
        csr_write(CSR_SISELECT, selector);
        csr_write(CSR_SIREG, 0);
    }
}

static void clear_selected(uint32_t registers)
{
    if (registers & PRIORITIES)
        clear_indirect(SELECT_PRIORITIES, PRIORITY_COUNT);
    if (registers & IMSIC) {
        clear_indirect(SELECT_EIDELIVERY, 1);
        clear_indirect(SELECT_EITHRESHOLD, 1);
        clear_indirect(SELECT_EIP0, registers >> EIP_COUNT_SHIFT);
        clear_indirect(SELECT_EIE0, registers >> EIP_COUNT_SHIFT);
    }
    csr_write(CSR_SISELECT, 0);
}

/* All records, not only those of the depth that the guest has chosen (Smctr 1.0, sctrclr). */
static void clear_records(uint32_t registers)
{
    csr_write(CSR_SCTRCTL, 0);
    if (registers & VSCTRCTL)
        csr_write(CSR_VSCTRCTL, 0);
    if (registers & SCTRDEPTH)
        csr_write(CSR_SCTRDEPTH, SCTRDEPTH_256);
    __asm__ volatile(".word 0x10400073" ::: "memory"); /* sctrclr */
    csr_write(CSR_SCTRSTATUS, 0);
    if (registers & SCTRDEPTH)
        csr_write(CSR_SCTRDEPTH, 0);
}

void unlisted_clear(uint32_t registers)
{
    if (registers & SISELECT)
        clear_selected(registers);
    if (registers & VSISELECT)
        csr_write(CSR_VSISELECT, 0);
    if (registers & SCTRCTL)
        clear_records(registers);
    if (registers & JVT)
        csr_write(CSR_JVT, 0);
    if (registers & FLOAT_CONTROL)
        csr_write(CSR_FCSR, 0);
    if (registers & SRMCFG)
        csr_write(CSR_SRMCFG, 0);
    if (registers & SCONTEXT)
        csr_write(CSR_SCONTEXT, 0);
    if (registers & SCOUNTINHIBIT)
        csr_write(CSR_MCOUNTINHIBIT, 0);
}
