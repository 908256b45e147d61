/*
 * Reads the machine's device tree, for boot alone; what is asked for later is kept in platform.c.
 * Everything is read in the order in which it is needed: first the serial port, so that what is
 * wrong can be said; then the rest. Each part takes what makes sense and skips what does not.
 */
#include "platform.h"
#include "devicetree.h"
#include "driver.h"
#include "hart.h"
#include "hart_table.h"
#include "isa.h"
#include "log.h"
#include "machine.h"
#include "memory.h"
#include "seed.h"
#include "tree.h"
#include <libfdt.h>
#include <string.h>

#define LEAST_TIMEBASE 1000 /* slices and caps are thousandths of a second */

static const struct timer_driver *const timer_drivers[] = {&clint, &aclint_mtimer, &aclint_mswi};

static const struct interrupt_driver *const controllers[] = {&plic, &aplic, &imsic};

static const void *tree;
static struct platform_hart listed[HART_MAX];
static struct isa isas[HART_MAX];
static unsigned listed_count;
static const char *bootargs_words = "";
static uint64_t initrd_start, initrd_size;
static int serial_node = -1;
static bool cbop_block_sizes_differ;
static bool unreserved; /* something has no room in the map of memory: capsules would get it */

/* ---- Memory ---- */

/* All regions of a node's `reg`. */
static void each_region(int node, enum error (*take)(struct hpa base, uint64_t size))
{
    uint64_t base, size;

    for (unsigned i = 0; devicetree_reg(tree, node, i, &base, &size); i++) {
        enum error error = size > 0 ? take(hpa(base), size) : OK;

        if (error)
            log_error("memory at 0x%llx: %s", (unsigned long long)base, error_name(error));
    }
}

static enum error reserve(struct hpa base, uint64_t size)
{
    enum error error = memory_reserve(base, size, MEMORY_RESERVED);

    unreserved |= error != OK;
    return error;
}

static bool is_memory(int node)
{
    const char *type = devicetree_string(tree, node, "device_type");

    return type && !strcmp(type, "memory") && devicetree_is_okay(tree, node);
}

static void reserve_entries(void)
{
    uint64_t base, size;

    for (int i = 0; i < fdt_num_mem_rsv(tree); i++) {
        if (fdt_get_mem_rsv(tree, i, &base, &size) == 0 && size > 0)
            reserve(hpa(base), size);
    }
}

/* The whole pages of what we need ourselves, or all pages that it has a part in. */
static void reserve_own(uint64_t start, uint64_t size, bool whole)
{
    uint64_t end = start + size;

    if (whole) {
        start = align_up(start, PAGE_SIZE);
        end = align_down(end, PAGE_SIZE);
    }
    if (start < end)
        unreserved |= memory_reserve(hpa(start), end - start, MEMORY_HYPERVISOR) != OK;
}

static void reserve_tree_and_initrd(bool whole)
{
    reserve_own((uintptr_t)tree, fdt_totalsize(tree), whole);
    reserve_own(initrd_start, initrd_size, whole);
}

static bool read_memory(void)
{
    int node, reserved = tree_find_child(tree, 0, "reserved-memory", 15);

    tree_for_each_child(node, tree, 0)
    {
        if (is_memory(node))
            each_region(node, memory_add);
    }
    /* What has two owners stays with the first. Firmware may reserve what it passes us, too; that
     * is ours, so that it can be given back. Not so the pages at its ends, if they hold more. */
    reserve_tree_and_initrd(true);
    reserve_entries();
    if (reserved >= 0) {
        tree_for_each_child(node, tree, reserved)
        {
            if (devicetree_is_okay(tree, node))
                each_region(node, reserve);
        }
    }
    reserve_tree_and_initrd(false);
    return memory_owned(MEMORY_FREE) > 0;
}

/* ---- /chosen ---- */

static void read_chosen(void)
{
    int chosen = tree_find_child(tree, 0, "chosen", 6);
    const char *words = chosen < 0 ? NULL : devicetree_string(tree, chosen, "bootargs");
    uint64_t end;

    int length;
    const uint8_t *seed = chosen < 0 ? NULL : tree_property(tree, chosen, "rng-seed", &length);

    if (seed)
        seed_init(seed, (size_t)length);
    if (words)
        bootargs_words = words;
    if (chosen >= 0 && devicetree_u64(tree, chosen, "linux,initrd-start", &initrd_start) &&
        devicetree_u64(tree, chosen, "linux,initrd-end", &end) && end > initrd_start)
        initrd_size = end - initrd_start;
}

/* ---- Harts ---- */

static struct isa read_isa(int cpu)
{
    int length;
    const char *list = tree_property(tree, cpu, "riscv,isa-extensions", &length);
    const char *string = devicetree_string(tree, cpu, "riscv,isa");

    if (list && length > 0)
        return isa_of_list(list, length);
    return isa_of_string(string ? string : "");
}

static unsigned read_mmu_type(int cpu)
{
    const char *type = devicetree_string(tree, cpu, "mmu-type");
    unsigned i = type ? 0 : PLATFORM_MMU_TYPES;

    while (i < PLATFORM_MMU_TYPES && strcmp(type, platform_mmu_types[i]))
        i++;
    return i;
}

/* Harts that differ leave nothing that could be said of a virtual one. */
static void merge_cbop_block_size(int cpu)
{
    uint32_t size;

    if (!devicetree_u32(tree, cpu, "riscv,cbop-block-size", &size))
        return;
    cbop_block_sizes_differ |= platform.cbop_block_size != 0 && platform.cbop_block_size != size;
    platform.cbop_block_size = size;
}

static bool is_listed(uint64_t id)
{
    for (unsigned i = 0; i < listed_count; i++) {
        if (listed[i].id == id)
            return true;
    }
    return false;
}

static void add_hart(int cpu)
{
    const char *type = devicetree_string(tree, cpu, "device_type");
    unsigned mmu = read_mmu_type(cpu);
    uint64_t id;

    if (!type || strcmp(type, "cpu") || !devicetree_is_okay(tree, cpu) ||
        !devicetree_hart_id(tree, cpu, &id) || is_listed(id))
        return;
    if (listed_count == HART_MAX) {
        log_error("hart %llu is left out: at most %u are supported", (unsigned long long)id,
                  HART_MAX);
        return;
    }
    merge_cbop_block_size(cpu);
    listed[listed_count] = (struct platform_hart){.id = id, .has_mmu = mmu < PLATFORM_MMU_TYPES};
    isas[listed_count++] = read_isa(cpu);
    hart_table_add(id);
    if (mmu < platform.mmu_type)
        platform.mmu_type = mmu;
}

static bool is_timebase(bool found)
{
    uint64_t timebase = platform.timebase;
    bool good = found && timebase >= LEAST_TIMEBASE && timebase <= UINT32_MAX;

    if (!found)
        log_error("the device tree has no timebase-frequency");
    else if (!good)
        log_error("the device tree's timebase-frequency is %llu, expected %u to %u",
                  (unsigned long long)timebase, LEAST_TIMEBASE, UINT32_MAX);
    if (!good)
        platform.timebase = PLATFORM_FALLBACK_TIMEBASE;
    return good;
}

/* False, with the reason logged: it cannot be used. */
static bool read_harts(void)
{
    int cpu, cpus = tree_find_child(tree, 0, "cpus", 4);
    bool has_timebase =
        cpus >= 0 && devicetree_u64(tree, cpus, "timebase-frequency", &platform.timebase);

    if (cpus < 0) {
        log_error("the device tree has no /cpus");
        return false;
    }
    platform.mmu_type = PLATFORM_MMU_TYPES - 1;
    tree_for_each_child(cpu, tree, cpus)
    {
        /* Old trees have the frequency in each hart's node. */
        if (!has_timebase)
            has_timebase = devicetree_u64(tree, cpu, "timebase-frequency", &platform.timebase);
        add_hart(cpu);
    }
    if (listed_count == 0)
        log_error("the device tree names no hart that can be used");
    return is_timebase(has_timebase) && listed_count > 0;
}

unsigned platform_hart_count(void)
{
    return listed_count;
}

const struct platform_hart *platform_hart(unsigned index)
{
    return &listed[index];
}

/* The extensions of all harts that may run guests. A tree that gives no hart an MMU means all. */
static struct isa common_isa(void)
{
    struct isa common = {{UINT64_MAX, UINT64_MAX}};
    bool any_mmu = false;

    for (unsigned i = 0; i < listed_count; i++)
        any_mmu |= listed[i].has_mmu;
    for (unsigned i = 0; i < listed_count; i++) {
        if (listed[i].has_mmu || !any_mmu)
            common = isa_intersection(common, isas[i]);
    }
    return common;
}

void platform_set_hart_features(const struct hart_features *common)
{
    struct isa *extensions = &platform.guest_extensions;

    *extensions = common_isa();
    isa_limit(extensions, common);
    platform.cboz_block_size = common->zero_block;
    if (isa_has(extensions, "svade"))
        (void)isa_remove(extensions, "-svadu");
}

/* ---- Devices ---- */

/* The node that stdout-path names, by path or alias, with options behind a colon (Devicetree
 * 0.4, 3.6); negative if there is none. */
static int stdout_node(void)
{
    int chosen = tree_find_child(tree, 0, "chosen", 6);
    const char *path = chosen < 0 ? NULL : devicetree_string(tree, chosen, "stdout-path");

    if (!path)
        return -1;
    const char *colon = strchr(path, ':');

    return tree_find(tree, path, colon ? (size_t)(colon - path) : strlen(path));
}

static void find_serial(void)
{
    int node = stdout_node();

    if (node >= 0 && serial_init(tree, node)) {
        serial_node = node;
        return;
    }
    for (node = tree_next(tree, -1); node >= 0; node = tree_next(tree, node)) {
        if (devicetree_is_okay(tree, node) && serial_init(tree, node)) {
            serial_node = node;
            return;
        }
    }
}

typedef bool probe_function(const void *fdt, int node);

static bool probe_power(const void *fdt, int node)
{
    if (!platform.power && power_sifive_test.probe(fdt, node))
        platform.power = &power_sifive_test;
    return platform.power;
}

/* Of the driver that knows the name; NULL: there is none. */
static probe_function *probe_for(const char *name)
{
    for (unsigned i = 0; i < sizeof timer_drivers / sizeof timer_drivers[0]; i++) {
        if (devicetree_is_one_of(name, timer_drivers[i]->compatible))
            return timer_drivers[i]->probe;
    }
    for (unsigned i = 0; i < sizeof controllers / sizeof controllers[0]; i++) {
        if (devicetree_is_one_of(name, controllers[i]->compatible))
            return controllers[i]->probe;
    }
    return devicetree_is_one_of(name, power_sifive_test.compatible) ? probe_power : NULL;
}

/* By the first of its names, the most specific, that some driver knows. */
static void probe_node(int node)
{
    const char *name;
    size_t at = 0;
    probe_function *probe = NULL;

    while (!probe && (name = devicetree_compatible(tree, node, &at)))
        probe = probe_for(name);
    if (probe && devicetree_is_okay(tree, node))
        probe(tree, node);
}

static bool find_devices(void)
{
    for (int node = tree_next(tree, -1); node >= 0; node = tree_next(tree, node))
        probe_node(node);
    for (unsigned i = 0; i < listed_count; i++) {
        if (imsic_page(listed[i].id))
            clint_send_ipi_by(listed[i].id, imsic_page(listed[i].id));
        if (!clint_serves(listed[i].id))
            log_error("hart %llu has no timer or no inter-processor interrupt",
                      (unsigned long long)listed[i].id);
    }
    return clint_serves(listed[0].id);
}

/* The controller that a node's `interrupts` go to (Devicetree 0.4, 2.4.1); negative if none. */
static int interrupt_parent(int node)
{
    for (; node >= 0; node = tree_parent(tree, node)) {
        uint32_t phandle;

        if (devicetree_u32(tree, node, "interrupt-parent", &phandle))
            return tree_by_phandle(tree, phandle);
    }
    return -1;
}

static bool has_routed(const struct interrupt_driver *driver, int parent, unsigned source,
                       uint32_t type)
{
    if (!driver->route || !driver->passes(tree, parent) ||
        !driver->route(source, type, listed[0].id))
        return false;
    platform.controller = driver;
    serial_set_interrupt_source(source);
    return true;
}

/* The first hart looks after the port. Its source is the first cell after the controller; where a
 * controller has a second one, that is the type. */
static void connect_serial(void)
{
    int length, parent = interrupt_parent(serial_node);
    const fdt32_t *cells = tree_property(tree, serial_node, "interrupts", &length);

    if (!cells && (cells = tree_property(tree, serial_node, "interrupts-extended", &length)) &&
        length >= 8) {
        parent = tree_by_phandle(tree, fdt32_to_cpu(*cells++));
        length -= 4;
    }
    if (!cells || length < 4 || parent < 0)
        return;
    for (unsigned i = 0; i < sizeof controllers / sizeof controllers[0]; i++) {
        if (has_routed(controllers[i], parent, fdt32_to_cpu(cells[0]),
                       length >= 8 ? fdt32_to_cpu(cells[1]) : 0))
            return;
    }
}

const char *platform_serial_controller(void)
{
    return platform.controller ? platform.controller->name : "no controller: it is polled";
}

/* ---- */

static bool read_tree(void)
{
    find_serial();
    read_chosen();
    if (!read_harts())
        return false;
    if (!read_memory()) {
        log_error("the device tree names no memory that can be used");
        return false;
    }
    if (unreserved) {
        log_error("the device tree reserves memory in more pieces than there is room to note");
        return false;
    }
    if (!find_devices()) {
        log_error("the device tree has no timer for the first hart");
        return false;
    }
    if (serial_node >= 0)
        connect_serial();
    return true;
}

bool platform_init(const void *fdt)
{
    static struct tree_index index; /* nobody asks for anything later */

    /* The size that the tree states is all that bounds the check: there is no other. */
    if (tree_fault(fdt, fdt_totalsize(fdt))) {
        log_error("there is no device tree, or it is damaged");
        return false;
    }
    tree = fdt;
    tree_remember(fdt, &index);
    bool usable = read_tree();

    if (cbop_block_sizes_differ)
        platform.cbop_block_size = 0;
    tree_forget();
    return usable;
}

const void *platform_fdt(void)
{
    return tree;
}

const char *platform_bootargs(void)
{
    return bootargs_words;
}

bool platform_initrd(uint64_t *start, uint64_t *size)
{
    *start = initrd_start;
    *size = initrd_size;
    return initrd_size > 0;
}
