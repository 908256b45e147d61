/*
 * See wall_check.h. What is looked at is what the hart obeys: its PMP registers, read back and
 * decoded, and the table that its hgatp leads to, from the root to each leaf. Nothing is taken over
 * from those who set them.
 *
 * An entry of PMP counts with all of its range, whatever other entry comes before it; so the check
 * is stricter than the hart.
 */
#ifdef DEBUG
#include "wall_check.h"
#include "bootargs.h"
#include "csr.h"
#include "isolation.h"
#include "log.h"
#include "ownership.h"

#define PMP_ENTRIES    16
#define PMP_MODE(c)    ((c) >> 3 & 3)
#define MODE_TOR       1
#define MODE_NA4       2
#define GSTAGE_LEVELS  3
#define ROOT_ENTRIES   2048
#define TABLE_ENTRIES  512
#define HGATP_PPN      ((1UL << 44) - 1)
#define HGATP_MODE     (15UL << 60)
#define PTE_PERMISSION (PTE_R | PTE_W | PTE_X)

struct pmp_state {
    uint64_t address[PMP_ENTRIES];
    uint8_t config[PMP_ENTRIES];
    bool machine_mode_lockdown; /* mseccfg.MML */
};

__attribute__((noreturn)) static void report(const struct hart *hart, const struct capsule *capsule,
                                             const char *wall, uint64_t at, struct hpa page)
{
    char owner[48];

    ownership_describe(page, owner, sizeof owner);
    panic("hart %u, capsule %d (%s): %s at 0x%lx lets it reach 0x%lx, which is not its own but: %s",
          hart->index, capsule->id, capsule->config.name, wall, at, page.value, owner);
}

/* --- PMP --- */

/* A CSR's number is part of the instruction: no loop reads them. */
#define READ_ADDRESS(pmp, n) ((pmp)->address[n] = csr_read(CSR_PMPADDR0 + (n)))
#define READ_FOUR_ADDRESSES(pmp, n)                                                                \
    (READ_ADDRESS(pmp, n), READ_ADDRESS(pmp, (n) + 1), READ_ADDRESS(pmp, (n) + 2),                 \
     READ_ADDRESS(pmp, (n) + 3))

static void read_pmp(const struct hart *hart, struct pmp_state *pmp)
{
    uint64_t config[2] = {csr_read(CSR_PMPCFG0), 0};
    *pmp = (struct pmp_state){0};
    READ_FOUR_ADDRESSES(pmp, 0);
    if (hart->arch.features.pmp_entries > 4)
        READ_FOUR_ADDRESSES(pmp, 4);
    if (hart->arch.features.pmp_entries > 8) {
        READ_FOUR_ADDRESSES(pmp, 8);
        READ_FOUR_ADDRESSES(pmp, 12);
        config[1] = csr_read(CSR_PMPCFG2);
    }
    for (unsigned i = 0; i < PMP_ENTRIES; i++)
        pmp->config[i] = (uint8_t)(config[i / 8] >> i % 8 * 8);
}

/* What modes below machine mode may do there. Privileged 1.13, 3.7.1; with mseccfg.MML, the table
 * of Smepmp 1.0, chapter 2: a locked rule is machine mode's alone, but for those with W and
 * without R, which are shared in ways of their own. */
static unsigned permissions(const struct pmp_state *pmp, uint8_t config)
{
    unsigned given = config & (PMP_R | PMP_W | PMP_X);
    bool locked = config & PMP_LOCK;

    if (!pmp->machine_mode_lockdown)
        return given;
    if ((given & (PMP_R | PMP_W)) == PMP_W)
        return locked ? PMP_X : given & PMP_X ? PMP_R | PMP_W : PMP_R;
    if (locked)
        return given == (PMP_R | PMP_W | PMP_X) ? PMP_R : 0;
    return given;
}

static void decode_range(const struct pmp_state *pmp, unsigned i, uint64_t *start, uint64_t *end)
{
    uint64_t address = pmp->address[i];
    uint64_t ones = address ^ (address + 1); /* the trailing ones and the zero above them */

    switch (PMP_MODE(pmp->config[i])) {
    case 0:
        *start = *end = 0;
        return;
    case MODE_TOR:
        *start = i == 0 ? 0 : pmp->address[i - 1] << 2;
        *end = address << 2;
        return;
    case MODE_NA4:
        *start = address << 2;
        *end = *start + 4;
        return;
    default:
        *start = (address & ~ones) << 2;
        *end = *start + ((ones + 1) << 2);
    }
}

extern char hypervisor_start[], rodata_end[], dmfs_start[];

/* Where G-stage translation comes before PMP, the hypervisor's code and constants are locked for
 * all modes alike (protect.c). */
static bool is_locked_code(const struct hart *hart, uint64_t start, uint64_t end, unsigned allowed)
{
    return hart->arch.features.h && (csr_read(CSR_HGATP) & HGATP_MODE) != 0 &&
           (allowed & PMP_W) == 0 && start >= (uintptr_t)hypervisor_start &&
           end <= (uintptr_t)rodata_end;
}

/* Its own memory, or to be read by the hart alone, its tables. Counts the former. */
static void check_entry(const struct hart *hart, const struct capsule *capsule,
                        const struct pmp_state *pmp, unsigned i, uint64_t *reached)
{
    uint64_t start, end;
    struct hpa where;
    unsigned allowed = permissions(pmp, pmp->config[i]);

    decode_range(pmp, i, &start, &end);
    if (allowed == 0 || end <= start || is_locked_code(hart, start, end, allowed))
        return;
    if (ownership_is(hpa(start), end - start, capsule->id, &where)) {
        *reached += end - start;
        return;
    }
    if (allowed != PMP_R ||
        !ownership_is(hpa(start), end - start, ownership_tables_of(capsule->id), &where))
        report(hart, capsule, "PMP", start, where);
}

static void check_pmp(const struct hart *hart, const struct capsule *capsule)
{
    struct pmp_state pmp;
    uint64_t reached = 0, owned = ownership_bytes(capsule->id);

    read_pmp(hart, &pmp);
    if (hart->arch.features.smepmp)
        pmp.machine_mode_lockdown = csr_read(CSR_MSECCFG) & MSECCFG_MML;
    for (unsigned i = 0; i < hart->arch.features.pmp_entries; i++)
        check_entry(hart, capsule, &pmp, i, &reached); /* the others: isolation_choose() */
    struct gpa_range gap = capsule_memory_gap(capsule);

    /* Without translation, walls from before more was filled give less than they could. */
    if (isolation_translates() ? reached != owned : reached > owned - (gap.to - gap.from))
        panic("hart %u, capsule %d (%s): PMP lets it reach 0x%lx bytes of its own 0x%lx",
              hart->index, capsule->id, capsule->config.name, reached, owned);
}

/* --- the G-stage table --- */

static uint64_t size_at(unsigned level)
{
    return PAGE_SIZE << 9 * level;
}

static const uint64_t *table_at(const struct hart *hart, const struct capsule *capsule,
                                uint64_t address, uint64_t size, uint64_t guest)
{
    struct hpa where;

    if (!ownership_is(hpa(address), size, ownership_tables_of(capsule->id), &where))
        report(hart, capsule, "a table of the G-stage", guest, where);
    return hpa_pointer(hpa(address));
}

static void check_table(const struct hart *hart, const struct capsule *capsule,
                        const uint64_t *table, unsigned entries, unsigned level, uint64_t guest);

/* Privileged 1.13, 12.4.1 and 21.5.1: without V nothing; with R or X a leaf; a pointer else. */
static void check_table_entry(const struct hart *hart, const struct capsule *capsule,
                              uint64_t entry, unsigned level, uint64_t guest)
{
    uint64_t address = (entry >> PTE_PPN_SHIFT & PTE_PPN) * PAGE_SIZE;
    struct hpa where;

    if (!(entry & PTE_V))
        return;
    if (entry & PTE_PERMISSION) {
        if (capsule_memory_gap_has(capsule, gpa(guest), size_at(level)))
            panic("hart %u, capsule %d (%s): the G-stage at 0x%lx shows RAM that is not filled",
                  hart->index, capsule->id, capsule->config.name, guest);
        if (!ownership_is(hpa(address), size_at(level), capsule->id, &where))
            report(hart, capsule, "the G-stage", guest, where);
    } else if (level > 0) {
        check_table(hart, capsule, table_at(hart, capsule, address, PAGE_SIZE, guest),
                    TABLE_ENTRIES, level - 1, guest);
    }
}

/* Most are empty, and there are many. */
static void check_table(const struct hart *hart, const struct capsule *capsule,
                        const uint64_t *table, unsigned entries, unsigned level, uint64_t guest)
{
    for (unsigned i = 0; i < entries; i += 8) {
        const uint64_t *eight = table + i;

        if ((eight[0] | eight[1] | eight[2] | eight[3] | eight[4] | eight[5] | eight[6] |
             eight[7]) == 0)
            continue;
        for (unsigned j = i; j < i + 8; j++)
            check_table_entry(hart, capsule, __atomic_load_n(&table[j], __ATOMIC_RELAXED), level,
                              guest + j * size_at(level));
    }
}

static void check_gstage(const struct hart *hart, const struct capsule *capsule)
{
    uint64_t hgatp = csr_read(CSR_HGATP);

    if (hgatp != capsule->arch.hgatp)
        panic("hart %u, capsule %d (%s): hgatp is 0x%lx instead of 0x%lx", hart->index, capsule->id,
              capsule->config.name, hgatp, capsule->arch.hgatp);
    if ((hgatp & HGATP_MODE) == 0)
        return;
    const uint64_t *root =
        table_at(hart, capsule, (hgatp & HGATP_PPN) * PAGE_SIZE, ROOT_ENTRIES * sizeof *root, 0);
    check_table(hart, capsule, root, ROOT_ENTRIES, GSTAGE_LEVELS - 1, 0);
}

/* --- for tests --- */

/* Lets the entry reach a page more than its range has; one that is off, the first of the built-in
 * image, which is the capsule's only if it is linked to an address there. */
#define WIDEN_PMP(entry)                                                                           \
    do {                                                                                           \
        if ((csr_read(CSR_PMPCFG0) >> 8 * (entry) & (PMP_R | PMP_W | PMP_X)) == 0) {               \
            csr_write(CSR_PMPADDR0 + (entry)-1, (uintptr_t)dmfs_start >> 2);                       \
            csr_write(CSR_PMPADDR0 + (entry), (uintptr_t)dmfs_start >> 2);                         \
            csr_set(CSR_PMPCFG0, (uint64_t)(PMP_TOR | PMP_R) << 8 * (entry));                      \
        }                                                                                          \
        csr_write(CSR_PMPADDR0 + (entry), csr_read(CSR_PMPADDR0 + (entry)) + (PAGE_SIZE >> 2));    \
    } while (0)

/* The first gigabyte of RAM at guest-physical 0. */
static void widen_gstage(const struct capsule *capsule)
{
    uint64_t *root = hpa_pointer(capsule->arch.gstage_root);
    uint64_t ram = align_down((uintptr_t)hypervisor_start, GIGAPAGE_SIZE);

    root[0] = ram / PAGE_SIZE << PTE_PPN_SHIFT | PTE_V | PTE_R | PTE_U | PTE_A;
}

/* What is asked for has been found possible (faults.c). */
static void plant(const struct capsule *capsule)
{
    static _Atomic uint64_t switches;
    uint64_t now = atomic_fetch_add(&switches, 1) + 1;

    if (now == bootargs.fail.pmp1)
        WIDEN_PMP(1);
    if (now == bootargs.fail.pmp3)
        WIDEN_PMP(3);
    if (now == bootargs.fail.pmp6)
        WIDEN_PMP(6);
    if (now == bootargs.fail.gstage)
        widen_gstage(capsule);
}

void wall_check(const struct hart *hart, const struct capsule *capsule)
{
    plant(capsule);
    if (!ownership_is_known())
        return;
    if (hart->arch.features.pmp_entries >= 4)
        check_pmp(hart, capsule);
    if (hart->arch.features.h)
        check_gstage(hart, capsule);
}
#endif
