/*
 * What machine mode itself may do with memory (Privileged 1.13, 3.7; "Smepmp" 1.0). PMP's entries
 * have their places for good, on every hart; the lower entry wins:
 *
 *   0, 1    the capsule's RAM                        at each switch to another capsule (pmp.c)
 *   2, 3    its G-stage tables; on `pmp`, its RAM    "
 *           behind what is not filled yet
 *   4       the guard page below the hart's stack    once, locked, like all that follow
 *   5, 6    the capsule's flash                      at each switch
 *   7, 8    the hypervisor's code
 *   9       its constants, behind the code
 *   10, 11  memory for guests: a part of RAM in which nothing of the hypervisor's lies
 *   12, 13  another such part, if there is one
 *   15      all the rest
 *
 *                     with Smepmp        without, `gstage`   without, `pmp`
 *   1 RAM             guest RWX          guest RWX           guest RWX
 *   3 tables, RAM     M RW, walker R     walker R            guest RWX
 *   4 guard           nobody             nobody              nobody
 *   6 flash           guest RX           guest RX            -
 *   8 code            M RX               all RX              -
 *   9 constants       M R                all R               -
 *   11, 13 guests'    nobody             -                   -
 *   15 the rest       M RW               -                   -
 *
 * With Smepmp (mseccfg.MML) a rule is machine mode's or the guest's, never both's. So the
 * hypervisor's data are not executable, its code and constants not writable, and of guests' memory
 * it reaches nothing: not that of the capsule on the hart, whose rules are the guest's, and not
 * that of others, which is closed by 11 and 13. Where it must (port_memory_open()), the rules of
 * the capsule on the hart change hands for a moment; never does that give the guest more.
 *
 * Without, a rule that binds machine mode (a locked one) gives all modes the same, and others do
 * not bind machine mode. What a guest must not have, machine mode cannot be given by halves. So the
 * hypervisor's code and constants, which are no secrets, are locked where G-stage translation is
 * before them; on `pmp` the guest's wall is PMP alone, and stays closed.
 *
 * Entry 14 is nobody's. With less than 16 entries there is no Smepmp, with less than 10 no 8 and 9,
 * with less than 5 no guard.
 */
#include "boot_only.h"
#include "protect.h"
#include "capsule.h"
#include "csr.h"
#include "isolation.h"
#include "memory.h"
#include "port.h"

extern char hypervisor_start[], text_end[], rodata_end[];

#define GUARD            4
#define ENTRIES_FOR_CODE 10

#define LOCKED_TOR   (PMP_LOCK | PMP_TOR)
#define LOCKED_NAPOT (PMP_LOCK | PMP_NAPOT)

#define SPARE (64UL << 10)

/* Where an entry's byte is in pmpcfg0 and pmpcfg2 (3.7.1). */
#define CFG0(entry, byte) ((uint64_t)(byte) << 8 * (entry))
#define CFG2(entry, byte) ((uint64_t)(byte) << 8 * ((entry)-8))

static struct memory_range guests[MEMORY_GUEST_RANGES];

/* What the hypervisor will take for a capsule's life, at most: G-stage tables, devices, a
 * ring for its output, vCPUs. */
BOOT_ONLY static uint64_t needed_for(const struct capsule_config *config)
{
    uint64_t vcpu = align_up(sizeof(struct vcpu) + port_vcpu_extra(), PAGE_SIZE);
    uint64_t gigabytes = config->ram / GIGAPAGE_SIZE + 2;
    return SPARE + gigabytes * PAGE_SIZE + config->cpus * vcpu;
}

BOOT_ONLY void protect_plan(void)
{
    uint64_t room = SPARE;
    bool strict = false;
    for (unsigned i = 0; i < hart_count; i++)
        strict |= protect_strictly(harts[i]);
    for (unsigned i = 0; i < capsule_count; i++)
        room += needed_for(&capsules[i]->config);
    if (strict)
        memory_divide(room, guests);
}

/* A naturally aligned power of two (3.7.1.1): 4 KiB is 9 ones below the address. */
static uint64_t one_page(uint64_t address)
{
    return address >> 2 | (PAGE_SIZE / 8 - 1);
}

static uint64_t protect_code(void)
{
    csr_write(CSR_PMPADDR0 + 7, (uintptr_t)hypervisor_start >> 2);
    csr_write(CSR_PMPADDR0 + 8, (uintptr_t)text_end >> 2);
    csr_write(CSR_PMPADDR0 + 9, (uintptr_t)rodata_end >> 2);
    return CFG2(8, LOCKED_TOR | PMP_R | PMP_X) | CFG2(9, LOCKED_TOR | PMP_R);
}

static uint64_t protect_rest(void)
{
    csr_write(CSR_PMPADDR0 + 10, guests[0].base.value >> 2);
    csr_write(CSR_PMPADDR0 + 11, (guests[0].base.value + guests[0].size) >> 2);
    csr_write(CSR_PMPADDR0 + 12, guests[1].base.value >> 2);
    csr_write(CSR_PMPADDR0 + 13, (guests[1].base.value + guests[1].size) >> 2);
    csr_write(CSR_PMPADDR0 + 15, UINT64_MAX);
    return CFG2(11, LOCKED_TOR) | CFG2(13, LOCKED_TOR) | CFG2(15, LOCKED_NAPOT | PMP_R | PMP_W);
}

/* All at once: a rule for code must be there before MML is, which lets none be added. */
void protect_hart(struct hart *hart)
{
    unsigned entries = hart->arch.features.pmp_entries;
    bool strict = protect_strictly(hart);
    uint64_t config = 0;
    if (entries <= GUARD)
        return;
    hart->arch.pmp_fixed = CFG0(GUARD, LOCKED_NAPOT);
    csr_write(CSR_PMPADDR0 + GUARD, one_page(hart->arch.stack_low));
    csr_write(CSR_PMPCFG0, hart->arch.pmp_fixed);
    if (entries >= ENTRIES_FOR_CODE && (strict || isolation_translates()))
        config |= protect_code();
    if (strict)
        config |= protect_rest();
    if (config != 0)
        csr_write(CSR_PMPCFG2, config);
    if (strict)
        csr_set(CSR_MSECCFG, MSECCFG_MML | MSECCFG_MMWP);
    if (hart->arch.features.s)
        sfence_vma_all(); /* QEMU 7.2 keeps verdicts for machine mode, too */
}

bool protect_is_guests(uint64_t address)
{
    for (unsigned i = 0; i < MEMORY_GUEST_RANGES; i++)
        if (address - guests[i].base.value < guests[i].size)
            return true;
    return false;
}
