/*
 * What a hart can do is found out by trying, since device trees promise too much (Spike's lists
 * Sstc, and stimecmp traps) or too little.
 */
#include "features.h"
#include "addr.h"
#include "csr.h"
#include "unlisted.h"

static bool misa_has(uint64_t misa, char extension)
{
    return misa >> (extension - 'A') & 1;
}

/* menvcfg.STCE must stick and the register must answer (Sstc 1.0, chapter 2). */
static bool probe_sstc(bool h)
{
    uint64_t value;
    csr_set(CSR_MENVCFG, ENVCFG_STCE);
    if (!(csr_read(CSR_MENVCFG) & ENVCFG_STCE))
        return false;
    if (!csr_try_read(CSR_STIMECMP, &value))
        return false;
    csr_write(CSR_STIMECMP, UINT64_MAX);
    if (!h)
        return true;
    csr_set(CSR_HENVCFG, ENVCFG_STCE);
    if (!csr_try_read(CSR_VSTIMECMP, &value))
        return false;
    csr_write(CSR_VSTIMECMP, UINT64_MAX);
    return true;
}

/* wrs.sto, which ends soon by itself and is legal in every mode if it is there ("Zawrs" 1.01). */
static bool probe_zawrs(void)
{
    uint64_t unused = 0;
    return try_instruction(".word 0x01d00073", 0, unused);
}

/* How much of the page cbo.zero clears around an address in it ("CMO" 1.0.1, 2.5): a power of two
 * of bytes, from there on. More than an eighth of the page is not believed. */
static unsigned probe_zero_block(void *page)
{
    const unsigned first = PAGE_SIZE / 8 / sizeof(uint64_t);
    volatile uint64_t *words = page;
    unsigned count = 0;
    for (unsigned i = 0; i < 2 * first; i++)
        words[i] = UINT64_MAX;
    register uint64_t address __asm__("a0");
    address = (uintptr_t)(words + first);
    if (!try_instruction(".word 0x0045200f", 0, address)) /* cbo.zero (a0) */
        return 0;
    while (count < first && words[first + count] == 0)
        count++;
    bool whole = words[first - 1] == UINT64_MAX && (count & (count - 1)) == 0;
    return whole ? count * sizeof(uint64_t) : 0;
}

/* `config` is what a pmpcfg register, that of entry `first` and those after it, holds after 0 was
 * written: what earlier firmware has locked. Such an entry, and the one before it, whose address it
 * may lock, too, are not ours (3.7.1.2). Ours come before it, but what they don't match it may give
 * to all modes. */
static void end_at_locked(struct hart_features *features, unsigned first, uint64_t config)
{
    if (config == 0)
        return;
    features->pmp = true;
    unsigned usable = first + (unsigned)__builtin_ctzl(config) / 8;
    if (usable > 0)
        usable--;
    if (features->pmp_entries > usable)
        features->pmp_entries = usable;
    for (; config != 0; config >>= 8)
        if (config & PMP_NAPOT && config & (PMP_R | PMP_W | PMP_X))
            features->pmp_open = true;
}

/* A hart has 0, 16 or 64 entries (3.7.1): those behind the ones that we use must give nothing. */
static void clear_entries_behind(struct hart_features *features)
{
    if (!csr_try_write(CSR_PMPCFG0 + 4, 0))
        return;
    csr_write(CSR_PMPCFG0 + 6, 0);
    csr_write(CSR_PMPCFG0 + 8, 0);
    csr_write(CSR_PMPCFG0 + 10, 0);
    csr_write(CSR_PMPCFG0 + 12, 0);
    csr_write(CSR_PMPCFG0 + 14, 0);
    end_at_locked(features, 16,
                  csr_read(CSR_PMPCFG0 + 4) | csr_read(CSR_PMPCFG0 + 6) |
                      csr_read(CSR_PMPCFG0 + 8) | csr_read(CSR_PMPCFG0 + 10) |
                      csr_read(CSR_PMPCFG0 + 12) | csr_read(CSR_PMPCFG0 + 14));
}

/* 3.7.1.1: with the entry off, all ones read back as the address bits that exist, and the lowest
 * of them tells the granularity. */
static void probe_pmp(struct hart_features *features)
{
    uint64_t value = 0;
    if (!csr_try_write(CSR_PMPCFG0, 0))
        return;
    (void)csr_try_write(CSR_PMPCFG2, 0);
#define PROBE_ENTRY(n)                                                                             \
    if (csr_try_write(CSR_PMPADDR0 + (n), UINT64_MAX) &&                                           \
        csr_try_read(CSR_PMPADDR0 + (n), &value) && value != 0)                                    \
        features->pmp_entries = (n) + 1;
    PROBE_ENTRY(0)
    PROBE_ENTRY(1)
    PROBE_ENTRY(2)
    PROBE_ENTRY(3)
    PROBE_ENTRY(7)
    PROBE_ENTRY(15)
#undef PROBE_ENTRY
    features->pmp = features->pmp_entries > 0;
    clear_entries_behind(features);
    if (csr_try_read(CSR_PMPCFG2, &value))
        end_at_locked(features, 8, value);
    end_at_locked(features, 0, csr_read(CSR_PMPCFG0));
    if (features->pmp_entries > 0)
        features->pmp_granularity = 4UL << __builtin_ctzl(csr_read(CSR_PMPADDR0));
}

/* MML and MMWP stay once they are set, so neither can be tried; RLB can, as long as no entry is
 * locked (Smepmp 1.0). A hart that has no RLB counts as one without Smepmp. */
static bool probe_smepmp(void)
{
    uint64_t value;
    if (!csr_try_read(CSR_MSECCFG, &value))
        return false;
    csr_set(CSR_MSECCFG, MSECCFG_RLB);
    value = csr_read(CSR_MSECCFG);
    csr_clear(CSR_MSECCFG, MSECCFG_RLB);
    return (value & MSECCFG_RLB) != 0;
}

/* 21.2.10: the VMID bits that stick are those that exist; the mode must stick too. */
static unsigned probe_vmid_bits(void)
{
    csr_write(CSR_HGATP, HGATP_MODE_SV39X4 | HGATP_VMID);
    uint64_t value = csr_read(CSR_HGATP);
    csr_write(CSR_HGATP, 0);
    if (value >> SATP_MODE_SHIFT != HGATP_MODE_SV39X4 >> SATP_MODE_SHIFT)
        return 0;
    return (unsigned)__builtin_ctzl(~((value & HGATP_VMID) >> HGATP_VMID_SHIFT));
}

/* From VS-mode, executes an illegal instruction that is delegated, and returns the cause that the
 * guest sees: QEMU 7.2 takes it for an interrupt of the same number, and tells one less. The
 * guest's handler comes back by a call. PMP is open meanwhile; nothing but these lines runs. */
static uint64_t cause_of_delegated_illegal(void)
{
    uint64_t old, scratch;
    __asm__ volatile("la %0, 3f\n\t"
                     "csrrw %0, mtvec, %0\n\t"
                     "la %1, 2f\n\t"
                     "csrw 0x205, %1\n\t" /* vstvec */
                     "la %1, 1f\n\t"
                     "csrw sepc, %1\n\t"
                     "sret\n\t"
                     ".balign 4\n"
                     "1:\n\t"
                     ".word 0\n\t" /* illegal (Unprivileged, 1.5) */
                     ".balign 4\n"
                     "2:\n\t"
                     "ecall\n\t"
                     ".balign 4\n"
                     "3:\n\t"
                     "csrw mtvec, %0"
                     : "=&r"(old), "=&r"(scratch)
                     :
                     : "memory");
    return csr_read(CSR_VSCAUSE);
}

static bool probe_delegated_illegal(bool pmp)
{
    const uint64_t illegal = 1UL << CAUSE_ILLEGAL_INSTRUCTION;
    csr_write(CSR_VSATP, 0);
    csr_write(CSR_HGATP, 0);
    csr_write(CSR_HEDELEG, illegal);
    csr_write(CSR_MEDELEG, illegal);
    if (pmp) { /* one entry over all of memory (3.7.1.1) */
        csr_write(CSR_PMPADDR0, UINT64_MAX);
        csr_write(CSR_PMPCFG0, PMP_NAPOT | PMP_R | PMP_W | PMP_X);
    }
    hfence_gvma_all();
    hfence_vvma_all();
    csr_set(CSR_MSTATUS, STATUS_SPP); /* sret goes to VS-mode, as in entry.S */
    csr_set(CSR_HSTATUS, HSTATUS_SPV);
    uint64_t cause = cause_of_delegated_illegal();
    csr_clear(CSR_MSTATUS, STATUS_MDT);
    if (pmp)
        csr_write(CSR_PMPCFG0, 0);
    csr_write(CSR_MEDELEG, 0);
    return cause == CAUSE_ILLEGAL_INSTRUCTION;
}

/* The bit must stick where it counts for guests (Privileged 1.13, 3.1.18 and 21.2.5). */
static bool probe_environment(bool h, uint64_t bit)
{
    csr_set(CSR_MENVCFG, bit);
    if (!h)
        return (csr_read(CSR_MENVCFG) & bit) != 0;
    csr_set(CSR_HENVCFG, bit);
    return (csr_read(CSR_HENVCFG) & bit) != 0;
}

void features_probe(struct hart_features *features, void *scratch)
{
    uint64_t value, misa = csr_read(CSR_MISA);
    *features = (struct hart_features){
        .s = misa_has(misa, 'S'),
        .h = misa_has(misa, 'H'),
        .f = misa_has(misa, 'F'),
        .d = misa_has(misa, 'D'),
        .v = misa_has(misa, 'V'),
        .time = csr_try_read(CSR_TIME, &value),
        .zawrs = probe_zawrs(),
        .zero_block = probe_zero_block(scratch),
        .menvcfg = csr_try_read(CSR_MENVCFG, &value),
        .mcounteren = csr_try_read(CSR_MCOUNTEREN, &value),
        .stateen = csr_try_read(CSR_MSTATEEN0, &value),
    };
    probe_pmp(features);
    features->smepmp = features->pmp_entries >= 16 && probe_smepmp(); /* all of protect.c's */
    csr_set(CSR_MSTATUS, STATUS_VS);
    if (csr_try_read(CSR_VLENB, &value))
        features->vlenb = value;
    features->v &= features->vlenb != 0;
    if (features->s)
        features->unlisted = unlisted_probe(features);
    if (features->menvcfg && features->s) {
        features->sstc = probe_sstc(features->h);
        features->svadu = probe_environment(features->h, ENVCFG_ADUE);
        if (!probe_environment(features->h, ENVCFG_CBZE))
            features->zero_block = 0;
    }
    if (features->h) {
        features->vmid_bits = probe_vmid_bits();
        features->delegates_illegal = probe_delegated_illegal(features->pmp_entries > 0);
    } else {
        features->delegates_illegal = true; /* it is known to go wrong in VS-mode alone */
    }
}

/* The registers that move with a vCPU must be there, and as large, on each hart. */
bool features_fit(const struct hart_features *one, const struct hart_features *other)
{
    return one->h == other->h && one->f == other->f && one->d == other->d && one->v == other->v &&
           one->vlenb == other->vlenb;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

void features_intersect(struct hart_features *common, const struct hart_features *other)
{
    common->time &= other->time;
    common->sstc &= other->sstc;
    common->svadu &= other->svadu;
    common->zawrs &= other->zawrs;
    common->menvcfg &= other->menvcfg;
    if (common->zero_block != other->zero_block)
        common->zero_block = 0;
    common->smepmp &= other->smepmp;
    common->pmp |= other->pmp;
    common->pmp_open |= other->pmp_open;
    common->pmp_entries = least(common->pmp_entries, other->pmp_entries);
    common->vmid_bits = least(common->vmid_bits, other->vmid_bits);
    if (other->pmp_granularity > common->pmp_granularity)
        common->pmp_granularity = other->pmp_granularity;
}
