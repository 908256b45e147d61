/*
 * The G-stage page table of a capsule (Privileged 1.13, 21.5.1), Sv39x4: a root of four pages and,
 * where the RAM does not fill gigabytes, one page of megapages for each gigabyte. RAM is made once,
 * complete, and never changes while the capsule lives. Accessed and dirty bits are set from the
 * start, so the hardware never writes to it. Every other address faults, and devices are emulated;
 * but for a capsule with flash there is one more page of megapages, for the gigabyte that it is in.
 * Each entry is written as a whole, so a walk at the same time finds the old or the new one.
 */
#include "csr.h"
#include "isolation.h"
#include "log.h"
#include "memory.h"
#include "ownership.h"
#include <string.h>

#define ROOT_SIZE    (4 * PAGE_SIZE)
#define ROOT_ENTRIES 2048
#define LEAF         (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D) /* 21.5.1: U is set */

#define LEAF_ROM (PTE_V | PTE_R | PTE_X | PTE_U | PTE_A)

static uint64_t entry(struct hpa address, uint64_t flags)
{
    return address.value / PAGE_SIZE << PTE_PPN_SHIFT | flags;
}

static bool whole_gigapage(uint64_t guest, uint64_t host, uint64_t left)
{
    return ((guest | host) & (GIGAPAGE_SIZE - 1)) == 0 && left >= GIGAPAGE_SIZE;
}

static uint64_t first_gigabyte(const struct capsule *capsule)
{
    return capsule->ram_base.value / GIGAPAGE_SIZE;
}

static uint64_t gigabytes(const struct capsule *capsule)
{
    uint64_t end = capsule->ram_base.value + capsule->ram_size;
    return align_up(end, GIGAPAGE_SIZE) / GIGAPAGE_SIZE - first_gigabyte(capsule);
}

static void map_ram(struct capsule *capsule, uint64_t *root, uint64_t *tables)
{
    uint64_t guest = capsule->ram_base.value, host = capsule->ram_host.value;
    uint64_t left = capsule->ram_size;
    while (left > 0) {
        uint64_t gigabyte = guest / GIGAPAGE_SIZE, step = MEGAPAGE_SIZE;
        if (whole_gigapage(guest, host, left)) {
            root[gigabyte] = entry(hpa(host), LEAF);
            step = GIGAPAGE_SIZE;
        } else {
            uint64_t *table = tables + (gigabyte - first_gigabyte(capsule)) * 512;
            table[guest / MEGAPAGE_SIZE % 512] = entry(hpa(host), LEAF);
            root[gigabyte] = entry(hpa_of(table), PTE_V);
        }
        guest += step;
        host += step;
        left -= step;
    }
}

void gstage_show(struct capsule *capsule, struct gpa guest, struct hpa host, uint64_t size,
                 bool shown)
{
    uint64_t *root = hpa_pointer(capsule->arch.gstage_root);
    uint64_t *table = root + (ROOT_SIZE + gigabytes(capsule) * PAGE_SIZE) / sizeof *root;
    for (uint64_t done = 0; done < size; done += MEGAPAGE_SIZE) {
        uint64_t leaf = shown ? entry(hpa(host.value + done), LEAF_ROM) : 0;
        __atomic_store_n(&table[(guest.value + done) / MEGAPAGE_SIZE % 512], leaf,
                         __ATOMIC_RELAXED);
    }
    root[guest.value / GIGAPAGE_SIZE] = entry(hpa_of(table), PTE_V);
}

enum error gstage_create(struct capsule *capsule)
{
    uint64_t tables = gigabytes(capsule) + capsule_has_flash(&capsule->config);
    uint64_t size = ROOT_SIZE + tables * PAGE_SIZE;
    if (first_gigabyte(capsule) + gigabytes(capsule) > ROOT_ENTRIES)
        return ERROR_BAD_CONFIG;
    struct hpa root;
    enum error error = memory_alloc_low(size, ROOT_SIZE, &root);
    if (error != OK) {
        log_error("capsule %s: no memory for its page tables", capsule->config.name);
        return error;
    }
    ownership_set_tables(root, size, capsule->id, true);
    memset(hpa_pointer(root), 0, size);
    map_ram(capsule, hpa_pointer(root), hpa_pointer(hpa(root.value + ROOT_SIZE)));
    capsule->arch.gstage_root = root;
    capsule->arch.gstage_pages = size;
    /* One VMID for each capsule; 0 stays unused. isolation_choose() saw that they suffice. */
    capsule->arch.hgatp = HGATP_MODE_SV39X4 | (uint64_t)(capsule->id + 1) << HGATP_VMID_SHIFT |
                          root.value / PAGE_SIZE;
    return OK;
}

void gstage_destroy(struct capsule *capsule)
{
    if (capsule->arch.gstage_pages != 0) {
        ownership_set_tables(capsule->arch.gstage_root, capsule->arch.gstage_pages, capsule->id,
                             false);
        memory_free(capsule->arch.gstage_root, capsule->arch.gstage_pages, MEMORY_HYPERVISOR);
    }
    capsule->arch.gstage_pages = 0;
    capsule->arch.hgatp = 0;
}
