/*
 * Walking a guest's own page tables in software (Privileged 1.13, 12.3 to 12.6), for access faults
 * of harts that report only the virtual address: without translation by G-stage that is all of
 * them. The hardware has found the translation valid just now, so rights are not checked again; but
 * for that to write, because what was a load then may be a store when it is fetched again. The
 * guest gains nothing by changing its tables meanwhile, for what comes out is still a
 * guest-physical address, checked like any other.
 */
#include "csr.h"
#include "guest_access.h"
#include "hart.h"
#include "isolation.h"
#include "port.h"
#include "protect.h"

#define VPN_BITS 9

static uint64_t guest_satp(void)
{
    return port_hart()->arch.features.h ? csr_read(CSR_VSATP) : csr_read(CSR_SATP);
}

static bool is_leaf(uint64_t pte)
{
    return (pte & (PTE_R | PTE_X)) != 0;
}

/* The physical address that a leaf at this level gives. Svnapot (chapter 13): the low four bits of
 * the page number come from the virtual address. */
static uint64_t leaf_address(uint64_t pte, int level, uint64_t virtual_address)
{
    unsigned offset_bits = 12 + VPN_BITS * (unsigned)level;
    if (level == 0 && (pte & PTE_N))
        offset_bits += 4;
    uint64_t page = ((pte >> PTE_PPN_SHIFT) & PTE_PPN) << 12;
    uint64_t mask = (1UL << offset_bits) - 1;
    return (page & ~mask) | (virtual_address & mask);
}

/* A word of the guest's RAM, reached as supervisor mode without translation would, so that PMP lets
 * through the loaded capsule's memory and no other. On a hart with H that is VS-mode, or HS-mode,
 * whose satp is zero anyway: QEMU 10.0.13 lets nothing but traps change mstatus.MPV. QEMU 7.2 keeps
 * translations when vsatp changes, so they go by hand. */
static bool read_word(const uint64_t *slot, uint64_t *value)
{
    const bool h = port_hart()->arch.features.h;
    uint64_t mstatus = csr_read(CSR_MSTATUS) & ~(STATUS_MPP | STATUS_MDT);
    uint64_t satp, hgatp = 0;
    if (h) {
        satp = csr_swap(CSR_VSATP, 0);
        hgatp = csr_swap(CSR_HGATP, 0);
        hfence_gvma_all();
    } else {
        satp = csr_swap(CSR_SATP, 0);
    }
    bool there = guest_load(hpa_of(slot).value, sizeof *value, mstatus | STATUS_MPP_S | STATUS_MPRV,
                            value) == 0;
    if (h) {
        csr_write(CSR_HGATP, hgatp);
        csr_write(CSR_VSATP, satp);
        hfence_gvma_all();
    } else {
        csr_write(CSR_SATP, satp);
    }
    return there;
}

/* The entry of a page table; false: it is not in the guest's RAM, or not yet. */
static bool read_entry(struct vcpu *vcpu, uint64_t address, uint64_t *pte, bool *again)
{
    const uint64_t *slot = capsule_memory(vcpu->capsule, gpa(address), sizeof *pte);
    if (slot == NULL) {
        *again = capsule_memory_fill(vcpu->capsule, gpa(address), sizeof *pte);
        return false;
    }
    if (protect_strictly(port_hart()))
        return read_word(slot, pte);
    *pte = *(const volatile uint64_t *)slot;
    return true;
}

/* Apart from what guests without translation need, which is short. */
__attribute__((noinline)) static bool walk(struct vcpu *vcpu, uint64_t satp,
                                           uint64_t virtual_address, struct gpa *address,
                                           bool *read_only, bool *again)
{
    uint64_t mode = satp >> SATP_MODE_SHIFT;
    int levels = (int)(mode - SATP_MODE_SV39) + 3;
    uint64_t table = (satp & SATP_PPN) * PAGE_SIZE;
    for (int level = levels - 1; level >= 0; level--) {
        uint64_t index = virtual_address >> (12 + VPN_BITS * level) & 511;
        uint64_t pte;
        if (!read_entry(vcpu, table + index * sizeof pte, &pte, again) || !(pte & PTE_V))
            return false;
        if (is_leaf(pte)) {
            *address = gpa(leaf_address(pte, level, virtual_address));
            *read_only = !(pte & PTE_W);
            return true;
        }
        table = (pte >> PTE_PPN_SHIFT & PTE_PPN) * PAGE_SIZE;
    }
    return false;
}

bool guest_translate(struct vcpu *vcpu, uint64_t virtual_address, struct gpa *address,
                     bool *read_only, bool *again)
{
    *again = false;
    uint64_t satp = guest_satp();
    if (satp >> SATP_MODE_SHIFT != SATP_MODE_BARE)
        return walk(vcpu, satp, virtual_address, address, read_only, again);
    *read_only = false;
    *address = gpa(virtual_address);
    return true;
}
