/*
 * The G-stage page table of a capsule (Privileged 1.13, 21.5.1), Sv39x4: a root of four pages and
 * one page of megapages for each gigabyte of RAM. RAM is there as far as it has been filled; a
 * gigabyte that is, and that the host has at a whole gigabyte, becomes one page. Accessed and dirty
 * bits are set from the start, so the hardware never writes to it. Every other address faults, and
 * devices are emulated; but for a capsule with flash there is one more page of megapages, for the
 * gigabyte that it is in. Each entry is written as a whole, so a walk at the same time finds the
 * old or the new one.
 */
#include "csr.h"
#include "isolation.h"
#include "log.h"
#include "memory.h"
#include "ownership.h"
#include <string.h>

#define ROOT_SIZE     (4 * PAGE_SIZE)
#define ROOT_ENTRIES  2048
#define TABLE_ENTRIES 512
#define LEAF          (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D) /* 21.5.1: U is set */

#define LEAF_ROM (PTE_V | PTE_R | PTE_X | PTE_U | PTE_A)

static uint64_t entry(struct hpa address, uint64_t flags)
{
    return address.value / PAGE_SIZE << PTE_PPN_SHIFT | flags;
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

static uint64_t *root_of(const struct capsule *capsule)
{
    return hpa_pointer(capsule->arch.gstage_root);
}

/* Of a gigabyte with RAM. */
static uint64_t *table_of(const struct capsule *capsule, uint64_t gigabyte)
{
    return root_of(capsule) +
           (ROOT_SIZE + (gigabyte - first_gigabyte(capsule)) * PAGE_SIZE) / sizeof(uint64_t);
}

/* Of the gigabyte with flash: behind those of RAM. */
static uint64_t *rom_table_of(const struct capsule *capsule)
{
    return table_of(capsule, first_gigabyte(capsule) + gigabytes(capsule));
}

static void set_entry(uint64_t *slot, uint64_t value)
{
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

static struct hpa host_of(const struct capsule *capsule, uint64_t guest)
{
    return hpa(capsule->ram_host.value + (guest - capsule->ram_base.value));
}

/* Can the gigabyte be one page? Such a page translates as its megapages did (12.2.1). */
static bool is_whole(const struct capsule *capsule, uint64_t gigabyte)
{
    uint64_t start = gigabyte * GIGAPAGE_SIZE;
    return capsule_memory(capsule, gpa(start), GIGAPAGE_SIZE) != NULL &&
           host_of(capsule, start).value % GIGAPAGE_SIZE == 0;
}

void gstage_hide_ram(struct capsule *capsule)
{
    memset(root_of(capsule) + first_gigabyte(capsule), 0, gigabytes(capsule) * sizeof(uint64_t));
    memset(table_of(capsule, first_gigabyte(capsule)), 0, gigabytes(capsule) * PAGE_SIZE);
}

void gstage_show_ram(struct capsule *capsule, uint64_t from, uint64_t to)
{
    uint64_t *root = root_of(capsule);
    for (uint64_t guest = from; guest < to; guest += MEGAPAGE_SIZE) {
        uint64_t gigabyte = guest / GIGAPAGE_SIZE, *table = table_of(capsule, gigabyte);
        set_entry(&table[guest / MEGAPAGE_SIZE % TABLE_ENTRIES],
                  entry(host_of(capsule, guest), LEAF));
        if (is_whole(capsule, gigabyte))
            set_entry(&root[gigabyte], entry(host_of(capsule, gigabyte * GIGAPAGE_SIZE), LEAF));
        else
            set_entry(&root[gigabyte], entry(hpa_of(table), PTE_V));
    }
}

void gstage_show_rom(struct capsule *capsule, struct gpa guest, struct hpa host, uint64_t size,
                     bool shown)
{
    uint64_t *table = rom_table_of(capsule);
    for (uint64_t done = 0; done < size; done += MEGAPAGE_SIZE)
        set_entry(&table[(guest.value + done) / MEGAPAGE_SIZE % TABLE_ENTRIES],
                  shown ? entry(hpa(host.value + done), LEAF_ROM) : 0);
    set_entry(&root_of(capsule)[guest.value / GIGAPAGE_SIZE], entry(hpa_of(table), PTE_V));
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
    capsule->arch.gstage_root = root;
    capsule->arch.gstage_size = size;
    /* One VMID for each capsule; 0 stays unused. isolation_choose() saw that they suffice. */
    capsule->arch.hgatp = HGATP_MODE_SV39X4 | (uint64_t)(capsule->id + 1) << HGATP_VMID_SHIFT |
                          root.value / PAGE_SIZE;
    return OK;
}

void gstage_destroy(struct capsule *capsule)
{
    if (capsule->arch.gstage_size != 0) {
        ownership_set_tables(capsule->arch.gstage_root, capsule->arch.gstage_size, capsule->id,
                             false);
        memory_free(capsule->arch.gstage_root, capsule->arch.gstage_size, MEMORY_HYPERVISOR);
    }
    capsule->arch.gstage_size = 0;
    capsule->arch.hgatp = 0;
}
