/*
 * The host's device tree: platform, drivers, memory map. A machine that was accepted must make
 * sense, and its drivers must touch no register outside the regions that the tree gives to its
 * devices.
 */
#include "fuzz.h"
#include "tree.h"
#include "devicetree.h"
#include "driver.h"
#include "hart.h"
#include "isa.h"
#include "machine.h"
#include "memory.h"
#include "mmio.h"
#include "platform.h"
#include "port.h"
#include <libfdt.h>
#include <string.h>

static const char *const names[] = {
    "reg",
    "ranges",
    "compatible",
    "status",
    "device_type",
    "#address-cells",
    "#size-cells",
    "interrupts",
    "interrupts-extended",
    "interrupt-parent",
    "phandle",
    "riscv,isa",
    "riscv,isa-extensions",
    "mmu-type",
    "timebase-frequency",
    "stdout-path",
    "bootargs",
    "rng-seed",
    "linux,initrd-start",
    "linux,initrd-end",
    "reg-shift",
    "reg-io-width",
    "reg-offset",
    "clock-frequency",
    "current-speed",
    "riscv,ndev",
    "riscv,num-sources",
    "riscv,hart-indexes",
    "riscv,children",
    "msi-parent",
    "riscv,num-ids",
    "riscv,hart-index-bits",
    "riscv,group-index-bits",
    "riscv,group-index-shift",
    "riscv,guest-index-bits",
    NULL,
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    if (seed % 16 && tree_size(data, size)) {
        size_t changed = tree_mutate(data, data, max_size, names, seed);

        if (changed)
            return changed;
    }
    return LLVMFuzzerMutate(data, size, max_size);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other,
                                 size_t other_size, uint8_t *to, size_t max_size, unsigned seed)
{
    if (!tree_size(one, one_size) || !tree_size(other, other_size))
        return 0;
    return tree_cross(one, other, to, max_size, seed);
}

/* ---- Registers ---- */

#define REGIONS_MAX 1024

extern uint64_t tohost, fromhost; /* of uart_htif.c: in memory, not in the tree */

static struct {
    uint64_t base, size;
} regions[REGIONS_MAX];
static unsigned region_count;
static bool reads_ones;
static unsigned claims;

static void list_regions(const void *tree)
{
    region_count = 0;
    for (int node = 0; node >= 0; node = fdt_next_node(tree, node, NULL)) {
        uint64_t base, size;

        for (unsigned i = 0;
             region_count < REGIONS_MAX && devicetree_reg(tree, node, i, &base, &size); i++) {
            regions[region_count].base = base;
            regions[region_count++].size = size;
        }
    }
}

static bool is_register(uint64_t address, unsigned size)
{
    static unsigned last;

    for (unsigned i = 0; i < region_count; i++) {
        unsigned r = (last + i) % region_count;

        if (address - regions[r].base < regions[r].size &&
            size <= regions[r].size - (address - regions[r].base)) {
            last = r;
            return true;
        }
    }
    return region_count == REGIONS_MAX || address == (uintptr_t)&tohost ||
           address == (uintptr_t)&fromhost;
}

/* All ones or all zeroes, in turn: then everybody who waits for a bit sees it. */
uint64_t mmio_read(uint64_t address, unsigned size)
{
    CHECK(address % size == 0);
    CHECK(is_register(address, size));
    reads_ones = !reads_ones;
    return reads_ones ? UINT64_MAX >> (64 - 8 * size) : 0;
}

void mmio_write(uint64_t address, unsigned size, uint64_t value)
{
    CHECK(address % size == 0);
    CHECK(is_register(address, size));
    CHECK(size == 8 || value >> 8 * size == 0);
}

void imsic_csr_write(unsigned number, uint64_t value)
{
    (void)value;
    CHECK(number == 0x70 || number == 0x72 ||
          (number >= 0x80 && number <= 0xff && number % 2 == 0));
}

uint64_t imsic_csr_claim(void)
{
    return ++claims % 4 << 16;
}

/* ---- The rest of the port ---- */

uint64_t port_time(void)
{
    return 12345;
}

struct hart *port_hart(void)
{
    return NULL;
}

void port_relax(void)
{
}

void port_halt(void)
{
    CHECK(!"a panic");
    abort();
}

void panic(const char *format, ...)
{
    (void)format;
    port_halt();
}

/* ---- What must hold ---- */

/* The extents cover, in order, without a gap that is inside one, and none wraps. */
static void check_memory(void)
{
    struct memory_extent extent;
    uint64_t end = 0;

    CHECK(memory_owned(MEMORY_FREE) > 0);
    for (size_t i = 0; memory_extent_at(i, &extent); i++) {
        CHECK(extent.size > 0 && extent.size - 1 <= UINT64_MAX - extent.base.value);
        CHECK(extent.base.value % PAGE_SIZE == 0 && extent.size % PAGE_SIZE == 0);
        CHECK(i == 0 || (end != 0 && extent.base.value >= end));
        end = extent.base.value + extent.size;
    }
}

static void check_harts(void)
{
    unsigned count = platform_hart_count();

    CHECK(count >= 1 && count <= HART_MAX);
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < i; j++)
            CHECK(platform_hart(i)->id != platform_hart(j)->id);
    CHECK(clint_serves(platform_hart(0)->id));
    CHECK(platform_timebase() >= 1000 && platform_timebase() <= UINT32_MAX);
}

/* What guests are told of the harts can be read back. */
static void check_isa(void)
{
    static struct machine_isa text;
    const struct hart_features features = {.s = true, .f = true, .d = true, .sstc = true};

    platform_set_hart_features(&features);
    isa_format(platform_guest_extensions(), &text);
    CHECK(!isa_has(platform_guest_extensions(), "v") && !isa_has(platform_guest_extensions(), "h"));
    CHECK(strncmp(platform_mmu_type(), "riscv,sv", 8) == 0);
}

static void check_initrd(void)
{
    uint64_t start, size;

    if (platform_initrd(&start, &size))
        CHECK(size > 0 && size <= UINT64_MAX - start);
    CHECK(strlen(platform_bootargs()) < TREE_MAX);
}

static void use_devices(void)
{
    char bytes[64];

    for (unsigned i = 0; i < platform_hart_count(); i++) {
        uint64_t id = platform_hart(i)->id;

        clint_set_timer(id, 1);
        clint_send_ipi(id);
        clint_clear_ipi(id);
        CHECK(clint_mtimecmp(id) % 8 == 0);
        imsic_start(id);
        unsigned source = platform_claim(id);

        if (source)
            platform_complete(id, serial_interrupt_source());
    }
    clint_time();
    port_serial_write("text", 4);
    if (serial_needs_poll())
        serial_polled();
    port_serial_read(bytes, sizeof bytes);
    platform_power_off();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_reset();
    if (size < sizeof(struct fdt_header))
        return -1;
    void *tree = fuzz_copy(data, size);

    /* The size that the tree states is the one thing that nothing else bounds. */
    if (fdt_totalsize(tree) > size)
        fdt_set_totalsize(tree, (uint32_t)size);
    region_count = 0;
    reads_ones = false;
    claims = 0;
    if (tree_size(tree, size))
        list_regions(tree);
    if (platform_init(tree)) {
        check_harts();
        check_memory();
        check_isa();
        check_initrd();
        use_devices();
    }
    CHECK(fuzz_is_printable(fuzz_logged));
    free(tree);
    return 0;
}
