/*
 * From reset to the first guest. One hart does it all: reads the device tree, calls the other harts
 * in, finds out what all of them can do, picks how capsules are confined, unpacks the image and
 * starts what is in it. Then every hart, this one included, lives in sched_run() (start.c), and the
 * memory of all this is given back: see boot_only.h.
 */
#include "bootargs.h"
#include "capsule.h"
#include "csr.h"
#include "dmfs.h"
#include "driver.h"
#include "entry.h"
#include "faults.h"
#include "features.h"
#include "isa.h"
#include "isolation.h"
#include "log.h"
#include "memory.h"
#include "ownership.h"
#include "platform.h"
#include "port.h"
#include "protect.h"
#include "sched.h"
#include "stack.h"
#include "tree.h"
#include "version.h"
#include "world.h"
#include <libfdt.h>
#include <string.h>

#define EXTENTS_MAX   128         /* of memory, reservations of the device tree included */
#define HART_PATIENCE 2           /* seconds that a hart may take to come in */
#define LITTLE_MEMORY (1UL << 30) /* of a board whose programs take all above for free */

extern char hypervisor_start[], hypervisor_end[], hypervisor_area_end[], dmfs_start[], dmfs_end[];
extern char first_stack_low[], first_stack_high[];
extern _Atomic uint32_t boot_gate; /* open: harts[] is complete, come in */

static void init_hart(struct hart *hart, uint64_t hart_id)
{
    hart->id = hart->arch.hart_id = hart_id;
    hart->slice_end = hart->first_deadline = hart->guest_deadline = UINT64_MAX;
}

void boot_hart_comes(struct hart *hart)
{
    features_probe(&hart->arch.features, (void *)hart->arch.stack_low);
    hart->runs_guests = hart->arch.features.s;
}

static struct hart *make_hart(uint64_t hart_id)
{
    if (hart_id == boot_hart.arch.hart_id)
        return &boot_hart;
    struct hart *hart = memory_alloc_pages(align_up(sizeof *hart, PAGE_SIZE) + HART_STACK_SIZE);
    if (hart == NULL) {
        log_error("no memory for hart %lu; going on without it", hart_id);
        return NULL;
    }
    init_hart(hart, hart_id);
    hart->arch.stack_low = (uintptr_t)hart + align_up(sizeof *hart, PAGE_SIZE);
    hart->arch.stack_high = hart->arch.stack_low + HART_STACK_SIZE;
    return hart;
}

static void make_harts(void)
{
    for (unsigned i = 0; i < platform_hart_count() && hart_count < HART_MAX; i++) {
        struct hart *hart = make_hart(platform_hart(i)->id);
        if (hart == NULL)
            continue;
        hart->index = hart_count;
        harts[hart_count++] = hart;
    }
}

/* False: it has not come in by the deadline, and will not any more. */
static bool comes_in(struct hart *hart, uint64_t deadline)
{
    while (!atomic_load(&hart->online) && port_time() < deadline)
        port_relax();
    if (atomic_exchange(&hart->arch.decided, 1) == 0)
        return false;
    while (!atomic_load(&hart->online)) /* it finds out what it can do */
        port_relax();
    return true;
}

/* Calls all harts in. One that does not come is reported and left out; the rest go on. */
static void gather_harts(void)
{
    make_harts();
    atomic_store(&boot_gate, 1);
    uint64_t deadline = port_time() + HART_PATIENCE * port_frequency();
    for (unsigned i = 0; i < hart_count; i++)
        if (!comes_in(harts[i], deadline))
            log_error("hart %lu did not come in; going on without it", harts[i]->id);
}

/* What every hart that runs guests can do; a vCPU may then run on any of them. One that differs
 * from the first in the registers that move with a vCPU looks after the machine instead. */
static void settle_features(void)
{
    const struct hart_features *first = NULL;
    for (unsigned i = 0; i < hart_count; i++) {
        const struct hart_features *features = &harts[i]->arch.features;
        if (!hart_takes_guests(harts[i]))
            continue;
        if (first == NULL)
            features_common = *(first = features);
        if (features_fit(first, features)) {
            features_intersect(&features_common, features);
        } else {
            harts[i]->runs_guests = false;
            log_error("hart %lu has other registers than the first, so it runs no guests",
                      harts[i]->id);
        }
    }
    if (first == NULL)
        panic("no hart has supervisor mode, so none can run a guest");
    for (unsigned i = 0; i < hart_count; i++)
        harts[i]->arch.features.sstc = features_common.sstc;
    platform_set_hart_features(&features_common);
}

static void report_harts(void)
{
    unsigned guests = 0, maintenance = 0;
    for (unsigned i = 0; i < hart_count; i++) {
        guests += hart_takes_guests(harts[i]);
        maintenance += !harts[i]->runs_guests && atomic_load(&harts[i]->online);
    }
    log_info("%u hart%s for guests, %u for maintenance: %s%s%s%s%s%u PMP entries", guests,
             guests == 1 ? "" : "s", maintenance, features_common.h ? "H, " : "no H, ",
             features_common.sstc ? "Sstc, " : "", features_common.d ? "FP, " : "",
             features_common.v ? "vector, " : "", features_common.smepmp ? "Smepmp, " : "",
             features_common.pmp_entries);
    log_debug("the serial port interrupts by %s", platform_serial_controller());
    log_info("isolation: %s; %lu MiB of memory are free", isolation_name(),
             memory_owned(MEMORY_FREE) >> 20);
}

static void print_banner(const char *text, size_t size)
{
    port_serial_write(text, size);
}

/* What the harts have, without what its manifest takes away. */
enum error port_capsule_admit(struct capsule *capsule)
{
    capsule->arch.isa = *platform_guest_extensions();
    const char *wrong = isa_remove(&capsule->arch.isa, capsule->config.isa);
    if (wrong == NULL)
        return OK;
    log_error("capsule %s: isa: '%.*s' is not '-' and an extension that can be left out",
              capsule->config.name, (int)strcspn(wrong, " ,"), wrong);
    return ERROR_BAD_IMAGE;
}

static void create_capsule(const struct capsule_config *config)
{
    struct capsule *capsule;
    if (capsule_create(config, &capsule) != OK)
        log_error("capsule %s is left out", config->name);
}

/* Where the image goes, so that what is free is in one piece; NULL if there is no room for a second
 * copy. On a back end that does not translate it is the top of memory, for a guest that is linked
 * to a fixed address (0x8020_0000 is what boards agree on) must find that free. Otherwise it is the
 * bottom, and the top is left to large guests, which are mapped best at whole gigabytes. */
static void *place_for_image(size_t size)
{
    struct hpa to;
    if (!port_capsule_ram().identity)
        return memory_alloc_pages(size);
    if (memory_alloc(align_up(size, PAGE_SIZE), PAGE_SIZE, MEMORY_HYPERVISOR, &to) != OK)
        return NULL;
    return hpa_pointer(to);
}

/* Of these pages those that are the hypervisor's. */
static void give_back(uint64_t start, uint64_t end)
{
    while (start < end) {
        struct memory_extent extent = memory_lookup(hpa(start));
        uint64_t stop = extent.size == 0 ? start + PAGE_SIZE : extent.base.value + extent.size;
        if (stop > end)
            stop = end;
        if (extent.owner == MEMORY_HYPERVISOR)
            memory_free(hpa(start), stop - start, MEMORY_HYPERVISOR);
        start = stop;
    }
}

static void give_back_image(const void *bytes, size_t size)
{
    give_back(align_down((uintptr_t)bytes, PAGE_SIZE),
              align_up((uintptr_t)bytes + size, PAGE_SIZE));
}

/* Once all has been read from it. If it shares a page with the passed image, it stays. */
static void give_back_tree(void)
{
    uint64_t start = align_down((uintptr_t)platform_fdt(), PAGE_SIZE), image, size;
    uint64_t end = align_up((uintptr_t)platform_fdt() + fdt_totalsize(platform_fdt()), PAGE_SIZE);
    if (!platform_initrd(&image, &size) || image >= end || image + size <= start)
        give_back(start, end);
}

static void move_image(struct dmfs *image, size_t size)
{
    const void *bytes = image->fdt;
    void *place = place_for_image(size);
    if (place == NULL)
        return;
    dmfs_moved(image, memcpy(place, bytes, size));
    give_back_image(bytes, size);
}

/* The image that a boot loader passed replaces the built-in one, unless it is damaged. */
static bool open_passed_image(struct dmfs *image, struct tree_index *index)
{
    uint64_t start, size;
    if (!platform_initrd(&start, &size))
        return false;
    if (dmfs_open(image, hpa_pointer(hpa(start)), size, index) == OK) {
        move_image(image, size);
        return true;
    }
    log_error("the image passed as initrd is not usable; using the built-in one");
    return false;
}

/* The built-in one lies right behind the hypervisor, where it is in nobody's way but that of guests
 * linked to a fixed address. */
static bool open_builtin_image(struct dmfs *image, struct tree_index *index)
{
    size_t size = (size_t)(dmfs_end - dmfs_start);
    if (dmfs_open(image, dmfs_start, size, index) != OK)
        return false;
    if (port_capsule_ram().identity)
        move_image(image, size);
    return true;
}

static bool open_image(struct dmfs *image, struct tree_index *index)
{
    if (!open_passed_image(image, index))
        return open_builtin_image(image, index);
    give_back_image(dmfs_start, (size_t)(dmfs_end - dmfs_start));
    return true;
}

/* Until it is known which guests are linked to fixed addresses, all behind the hypervisor's area is
 * kept clear for them; from now on, what they need. One that needs more than there is gets nothing,
 * and keeps nothing from the others. */
static void keep_clear_for_guests(void)
{
    uint64_t end = (uintptr_t)hypervisor_area_end;
    struct memory_extent free = memory_lookup(hpa_of(hypervisor_area_end));
    for (unsigned i = 0; i < capsule_count; i++) {
        uint64_t needed = capsule_board_ram_end(capsules[i]);
        if (needed > end && free.owner == MEMORY_FREE && needed <= free.base.value + free.size)
            end = needed;
    }
    memory_keep_clear(hpa_of(hypervisor_area_end), end);
}

static void read_image(struct dmfs *image)
{
    struct dmfs_filter filter = {bootargs.no_services, bootargs.no_guests};
    struct tree_index *index = memory_alloc_pages(sizeof *index); /* without, it takes longer */
    if (!open_image(image, index))
        panic("there is no usable image: nothing to run");
    dmfs_each_banner(image, print_banner);
    report_harts();
    dmfs_each_capsule(image, filter, create_capsule);
    tree_forget();
    if (index != NULL)
        memory_free_pages(index, sizeof *index);
}

static void start_capsules(void)
{
    struct dmfs image;
    if (!port_capsule_ram().identity)
        keep_clear_for_guests(); /* none is linked to a fixed address */
    read_image(&image);
    keep_clear_for_guests();
    if (port_capsule_ram().identity)
        memory_prefer_below(port_capsule_ram().base.value + LITTLE_MEMORY);
    protect_plan();
    unsigned started = 0;
    for (unsigned i = 0; i < capsule_count; i++)
        started += capsule_start(capsules[i]) == OK;
    log_info("the hypervisor takes %lu KiB, its image %lu KiB",
             (memory_owned(MEMORY_HYPERVISOR) - align_up(image.size, PAGE_SIZE)) >> 10,
             image.size >> 10);
    if (started == 0) {
        log_error("no capsule could be started");
        port_power_off();
    }
}

static struct memory_extent boot_extents[EXTENTS_MAX];

static void reserve_hypervisor(void)
{
    if (memory_reserve(hpa_of(hypervisor_start), (uint64_t)(hypervisor_end - hypervisor_start),
                       MEMORY_HYPERVISOR) != OK ||
        memory_reserve(hpa_of(dmfs_start), (uint64_t)(dmfs_end - dmfs_start), MEMORY_HYPERVISOR) !=
            OK)
        panic("the device tree leaves no room to note where the hypervisor is");
    memory_keep_clear(hpa_of(hypervisor_area_end), UINT64_MAX);
}

/* From entry.S: the first hart, with a stack and cleared data. */
__attribute__((noreturn)) void boot_main(uint64_t hart_id, const void *fdt)
{
    init_hart(&boot_hart, hart_id);
    boot_hart.arch.stack_low = (uintptr_t)first_stack_low;
    boot_hart.arch.stack_high = (uintptr_t)first_stack_high;
    atomic_store(&boot_hart.arch.decided, 1);
    boot_hart_comes(&boot_hart);
    atomic_store(&boot_hart.online, true);
    ownership_watch();
    memory_lend(boot_extents, EXTENTS_MAX);
    if (!platform_init(fdt))
        port_halt();
    reserve_hypervisor();
    ownership_begin();
    boot_hart.arch.polls_serial = serial_needs_poll();
    bootargs_parse(platform_bootargs());
    give_back_tree();
    faults_boot_begins();
    log_info("Diosix %s, implementation 5 of the SBI", DIOSIX_VERSION);
    gather_harts();
    settle_features();
    isolation_choose(&features_common, bootargs.force_pmp);
    start_capsules();
    boot_leave(memory_settle());
}
