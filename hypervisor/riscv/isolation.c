/* Choosing between the back ends, applying one to a hart, reading its faults; see isolation.h. */
#include "isolation.h"
#include "boot_only.h"
#include "csr.h"
#include "guest_access.h"
#include "lock.h"
#include "log.h"
#include "machine/machine.h"
#include "memory.h"
#include "port.h"
#include "protect.h"
#include "wall_check.h"

extern char hypervisor_start[], hypervisor_area_end[];

static bool use_gstage;
static bool have_pmp, have_h, have_third_wall;
static _Atomic uint64_t generations;     /* lives of capsules so far */
static _Atomic uint64_t flushes_ordered; /* VMIDs are used again: old translations must go */
static _Atomic uint64_t shows;           /* times that a G-stage got RAM that it had not */

BOOT_ONLY void isolation_choose(const struct hart_features *common, bool force_pmp)
{
    have_h = common->h;
    have_pmp = common->pmp_entries >= 4 && common->pmp_granularity <= PAGE_SIZE;
    if (common->pmp && !have_pmp)
        panic("PMP has %u entries, in steps of %lu bytes, that firmware has not locked: it takes "
              "4, in steps of a page",
              common->pmp_entries, common->pmp_granularity);
    bool closed = have_pmp && !common->pmp_open;
    if (common->pmp_open)
        log_error("a PMP entry that firmware has locked gives guests memory: PMP is no wall");
    have_third_wall = !have_pmp || common->pmp_entries >= PMP_ENTRIES_OF_THREE;
    use_gstage = common->h && common->vmid_bits >= 7 && !(force_pmp && closed);
    if (!use_gstage && !closed)
        panic("these harts have neither the H extension nor 4 PMP entries that close memory: "
              "nothing can confine a capsule");
    if (force_pmp && !closed)
        log_error("isolation=pmp is not possible without PMP; using %s", isolation_name());
}

const char *isolation_name(void)
{
    return use_gstage ? "gstage" : "pmp";
}

struct port_ram port_capsule_ram(void)
{
    if (use_gstage)
        return (struct port_ram){.align = MEGAPAGE_SIZE, .base = gpa(MACHINE_RAM_BASE)};
    return (struct port_ram){.align = MEGAPAGE_SIZE,
                             .identity = true,
                             .base = gpa((uintptr_t)hypervisor_start),
                             .firmware =
                                 (uintptr_t)hypervisor_area_end - (uintptr_t)hypervisor_start};
}

/* Flash is at an address of its own and may not be written: that takes translation. */
static bool can_have_flash(const struct capsule *capsule)
{
    if (!use_gstage)
        log_error("capsule %s: flash needs two-stage translation (the H extension), and isolation "
                  "here is %s",
                  capsule->config.name, isolation_name());
    else if (!have_third_wall)
        log_error("capsule %s: flash needs %d PMP entries", capsule->config.name,
                  PMP_ENTRIES_OF_THREE);
    return use_gstage && have_third_wall;
}

/* The map is complete before harts can see that it is another one. */
static void begin_generation(struct capsule *capsule)
{
    atomic_store_explicit(&capsule->arch.generation, atomic_fetch_add(&generations, 1) + 1,
                          memory_order_release);
}

enum error isolation_create(struct capsule *capsule)
{
    if (capsule_has_flash(&capsule->config) && !can_have_flash(capsule))
        return ERROR_NO_SUPPORT;
    capsule->arch.hgatp = 0;
    if (use_gstage) {
        enum error error = gstage_create(capsule);
        if (error != OK)
            return error;
    }
    return OK;
}

void isolation_destroy(struct capsule *capsule)
{
    if (use_gstage)
        gstage_destroy(capsule);
    capsule->arch.generation = 0;
    atomic_fetch_add(&flushes_ordered, 1);
}

void isolation_hide_ram(struct capsule *capsule)
{
    if (use_gstage) {
        gstage_hide_ram(capsule);
        atomic_fetch_add(&flushes_ordered, 1);
    }
    begin_generation(capsule);
}

/* `pmp`: walls as they were give less, so a hart that has them needs no kick. There may be code in
 * what was stored (Unprivileged, "Zifencei"). */
void isolation_show_ram(struct capsule *capsule, uint64_t from, uint64_t to)
{
    fence_i();
    if (use_gstage) {
        gstage_show_ram(capsule, from, to);
        atomic_fetch_add(&shows, 1);
    } else {
        begin_generation(capsule);
    }
}

/* The new generation makes harts where the capsule does not run now forget the old map when it next
 * does. */
void isolation_show_rom(struct capsule *capsule, struct gpa guest, struct hpa host, uint64_t size,
                        bool shown)
{
    gstage_show_rom(capsule, guest, host, size, shown);
    atomic_fetch_add(&flushes_ordered, 1);
    begin_generation(capsule);
}

/* Where a rule is machine mode's or the guest's (protect.c), this one is both's: machine mode may
 * read and write, the guest may read (Smepmp 1.0, truth table). */
#define SHARED PMP_W

/* RAM that is not filled is hidden by PMP where there is no translation: a range for each side of
 * the gap, and one when all is filled: no access may match two (3.7.1.3). */
static void set_walls_around_gap(struct hart *hart, struct capsule *capsule)
{
    const unsigned all = PMP_R | PMP_W | PMP_X;
    uint64_t base = capsule->ram_base.value, end = base + capsule->ram_size;
    struct gpa_range gap = capsule_memory_gap(capsule);
    struct pmp_range first = {capsule->ram_host, gap.from - base, all};
    struct pmp_range second = {hpa(capsule->ram_host.value + (gap.to - base)), end - gap.to, all};
    pmp_set(hart->arch.pmp_fixed, &first, &second, &(struct pmp_range){0});
}

/* PMP lets through the capsule's RAM, its flash and, for the hardware's page walker, its G-stage
 * tables, which it may only read. What no entry matches is denied to all but machine mode (3.7.1).
 * Open, RAM and flash are machine mode's for a while. */
static void set_walls(struct hart *hart, struct capsule *capsule, bool open)
{
    if (!use_gstage && !open) {
        set_walls_around_gap(hart, capsule);
        return;
    }
    struct pmp_range ram = {capsule->ram_host, capsule->ram_size,
                            open ? SHARED : PMP_R | PMP_W | PMP_X};
    struct pmp_range tables = {capsule->arch.gstage_root, capsule->arch.gstage_size,
                               protect_strictly(hart) ? SHARED : PMP_R};
    struct pmp_range rom = {capsule->arch.rom_host, capsule->arch.rom_size,
                            open ? SHARED : PMP_R | PMP_X};
    pmp_set(hart->arch.pmp_fixed, &ram, &tables, &rom);
}

/* Cached translations hold PMP's verdicts (3.7.2), so they go with the old setting. On `gstage`
 * they are tagged with the VMID, under which there are none while the setting changes, and go only
 * when VMIDs are used again. */
static void flush_after_switch(struct hart *hart)
{
    uint64_t ordered = atomic_load(&flushes_ordered);
    if (!have_h) {
        sfence_vma_all();
        return;
    }
    if (!use_gstage || hart->arch.gstage_flushes != ordered) {
        hfence_gvma_all();
        hfence_vvma_all();
        hart->arch.gstage_flushes = ordered;
        for (unsigned i = 0; i < CAPSULE_MAX; i++)
            hart->arch.last_of_capsule[i] = NULL;
    }
}

__attribute__((noinline)) static void confine(struct hart *hart, struct capsule *capsule,
                                              uint64_t generation)
{
    if (have_h)
        csr_write(CSR_HGATP, 0);
    if (have_pmp || protect_strictly(hart))
        set_walls(hart, capsule, false);
    if (have_h)
        csr_write(CSR_HGATP, capsule->arch.hgatp);
    flush_after_switch(hart);
    hart->arch.isolation = generation;
}

void isolation_enter(struct hart *hart, struct capsule *capsule)
{
    uint64_t generation = atomic_load_explicit(&capsule->arch.generation, memory_order_acquire);
    if (hart->arch.isolation != generation)
        confine(hart, capsule, generation);
}

/* The guest's rights are less meanwhile. Translations that the hart made of its own accord may have
 * kept that (3.7.2), and go. */
void isolation_open(struct hart *hart, struct capsule *capsule)
{
    if (!protect_strictly(hart))
        return;
    if (hart->arch.open != NULL)
        panic("capsule %s: its memory is open already", hart->arch.open->config.name);
    isolation_enter(hart, capsule); /* it may have been another's so far */
    set_walls(hart, capsule, true);
    hart->arch.open = capsule;
}

void isolation_close(struct hart *hart)
{
    struct capsule *capsule = hart->arch.open;
    if (capsule == NULL)
        return;
    hart->arch.open = NULL;
    set_walls(hart, capsule, false);
    if (!have_h) {
        sfence_vma_all();
        return;
    }
    hfence_gvma_all();
    if (!use_gstage)
        hfence_vvma_all();
}

bool isolation_translates(void)
{
    return use_gstage;
}

void isolation_fence(void)
{
    if (have_h)
        hfence_gvma_all();
}

/* --- faults --- */

/* 21.4.4: mtval2 is the address shifted right by 2; its low bits are those of mtval. */
static struct gpa address_of_gstage_fault(const struct vcpu *vcpu)
{
    return gpa(vcpu->arch.tval2 << 2 | (vcpu->arch.tval & 3));
}

/* Has this hart not seen yet what has been shown to the capsule? On `gstage` it may remember that
 * an entry was not valid (12.2.1), on `pmp` its walls may be old. */
static bool sees_more(struct hart *hart, struct capsule *capsule)
{
    uint64_t now = atomic_load(&shows);
    bool more = use_gstage ? hart->arch.shows != now
                           : hart->arch.isolation != atomic_load(&capsule->arch.generation);
    if (!more)
        return false;
    if (use_gstage)
        hfence_gvma_all();
    else
        isolation_enter(hart, capsule);
    wall_check(hart, capsule);
    fence_i(); /* what another hart has written there may be code */
    hart->arch.shows = now;
    return true;
}

/* Asked once the gap has been looked at. A filling ends after what it filled has been shown, so who
 * sees neither has seen it all; and there is no second try without a reason, for an access may end
 * outside of RAM, too. */
static bool shall_try_again(struct capsule *capsule, bool filled)
{
    bool filling = atomic_load(&capsule->ram_filling) != 0;
    return sees_more(port_hart(), capsule) || filling || filled;
}

bool isolation_memory_comes_to(struct vcpu *vcpu, struct gpa address)
{
    struct capsule *capsule = vcpu->capsule;
    return capsule_has_memory(capsule, address, 1) &&
           shall_try_again(capsule, capsule_memory_fill(capsule, address, 1));
}

/* An access may reach over an end of what is filled, and the hart may tell its start: PMP refuses
 * what it matches in part (3.7.1.3). The two ends may be on pages that have nothing to do with each
 * other. */
#define LARGEST_ACCESS 16

static bool fill_at(struct vcpu *vcpu, uint64_t virtual_address)
{
    uint64_t last = virtual_address + LARGEST_ACCESS - 1;
    struct gpa address;
    bool read_only, again;
    if (!guest_translate(vcpu, virtual_address, &address, &read_only, &again))
        return again;
    if (!capsule_has_memory(vcpu->capsule, address, 1))
        return false;
    return capsule_memory_fill(vcpu->capsule, address, 1) ||
           (guest_translate(vcpu, last, &address, &read_only, &again)
                ? capsule_memory_fill(vcpu->capsule, address, 1)
                : again);
}

bool isolation_memory_comes_at(struct vcpu *vcpu, uint64_t virtual_address)
{
    struct capsule *capsule = vcpu->capsule;
    struct gpa_range gap = capsule_memory_gap(capsule);
    bool filled = gap.from < gap.to && fill_at(vcpu, virtual_address);
    return shall_try_again(capsule, filled);
}

/* QEMU 7.2 reports what PMP refuses to VS-mode as a fault of the G-stage, though there is none. */
static bool is_gstage_fault(uint64_t cause)
{
    return cause == CAUSE_INSTRUCTION_GUEST_PAGE || cause == CAUSE_LOAD_GUEST_PAGE ||
           cause == CAUSE_STORE_GUEST_PAGE;
}

bool isolation_memory_comes(struct vcpu *vcpu)
{
    struct gpa address = address_of_gstage_fault(vcpu);
    if (!is_gstage_fault(vcpu->arch.cause))
        return isolation_memory_comes_at(vcpu, vcpu->arch.tval);
    return capsule_has_memory(vcpu->capsule, address, 1) &&
           (isolation_memory_comes_to(vcpu, address) ||
            isolation_memory_comes_at(vcpu, vcpu->arch.tval));
}

bool isolation_fault_address(struct vcpu *vcpu, struct gpa *address, struct guest_fault *fault)
{
    uint64_t tval = vcpu->arch.tval;
    fault->again = false;
    switch (vcpu->arch.cause) {
    case CAUSE_LOAD_GUEST_PAGE:
    case CAUSE_STORE_GUEST_PAGE:
        /* An mtinst pseudoinstruction (21.6.3: 0x3000, 0x3020) says that it is that of a page-table
         * entry of the guest: no device, an access fault. */
        fault->cause =
            vcpu->arch.cause == CAUSE_LOAD_GUEST_PAGE ? CAUSE_LOAD_ACCESS : CAUSE_STORE_ACCESS;
        fault->tval = tval;
        fault->read_only = false; /* not known here: emulate.c */
        *address = address_of_gstage_fault(vcpu);
        return (vcpu->arch.tinst & ~0x20UL) != 0x3000;
    default:
        fault->cause = vcpu->arch.cause;
        fault->tval = tval;
        return guest_translate(vcpu, tval, address, &fault->read_only, &fault->again);
    }
}
