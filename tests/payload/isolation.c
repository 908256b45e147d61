/*
 * A capsule reaches nothing but its RAM and its devices. Every address that matters is read,
 * written, executed and modified, without paging, through page tables, and by page tables that
 * themselves lie outside; each must be an access fault, and the memory before and after must not
 * have changed hands. `extra=N` (hexadecimal in the bootargs, a neighbour's address) adds one.
 */
#include "payload.h"

static unsigned tried;

/* Is it one of this machine's own: RAM or a device of the device tree? */
static bool ours(uint64_t address)
{
    static const char *const devices[] = {
        "ns16550a", "riscv,plic0", "sifive,plic-1.0.0", "google,goldfish-rtc",
        "syscon",   "sifive,test0"};
    if (address - ram.base < ram.size)
        return true;
    for (unsigned i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        const uint32_t *node = fdt_by_compatible(devices[i]);
        struct range range = node ? fdt_reg(node) : (struct range){0, 0};
        if (address - range.base < range.size)
            return true;
    }
    return address - 0x10001000 < 0x8000; /* the virtio transports */
}

static void expect(struct trap trap, uint64_t cause, uint64_t value, const char *name)
{
    tried++;
    check(trap.trapped && trap.scause == cause && trap.stval == value, name,
          "0x%lx: trapped %lu scause %lu stval 0x%lx, expected %lu", value, trap.trapped,
          trap.scause, trap.stval, cause);
}

/* QEMU reports an AMO's fault as a load's; the specification wants a store's. */
static void expect_amo(struct trap trap, uint64_t value, const char *name)
{
    bool load = trap.scause == CAUSE_LOAD_ACCESS;
    expect(trap, load ? CAUSE_LOAD_ACCESS : CAUSE_STORE_ACCESS, value, name);
}

/* A walk into forbidden memory: QEMU 7.2 with two stages of translation reports a load's fault
 * whatever the access was. */
static void expect_walk(struct trap trap, uint64_t cause, uint64_t value, const char *name)
{
    bool load = trap.scause == CAUSE_LOAD_ACCESS;
    expect(trap, load ? CAUSE_LOAD_ACCESS : cause, value, name);
}

/* A store of a whole block, which QEMU reports by where that begins. */
static void expect_zero(uint64_t address, const char *name)
{
    if (!isa_has("zicboz"))
        return;
    uint64_t size = fdt_cell(fdt_by_name("cpu"), "riscv,cboz-block-size", 0);
    struct trap trap = try_zero(address);
    bool begin = trap.stval == (address & ~(size - 1));
    expect(trap, CAUSE_STORE_ACCESS, begin ? trap.stval : address, name);
}

static void outside(uint64_t address, const char *name)
{
    static const unsigned sizes[] = {1, 2, 4, 8};
    for (unsigned i = 0; i < 4; i++) {
        expect(try_load(address, sizes[i], NULL), CAUSE_LOAD_ACCESS, address, name);
        expect(try_store(address, sizes[i], 0x5a5a), CAUSE_STORE_ACCESS, address, name);
    }
    expect_amo(try_amo(address, 4, 1, NULL), address, name);
    expect_amo(try_amo(address, 8, 1, NULL), address, name);
    expect_zero(address, name);
    expect(try_lr(address, 8), CAUSE_LOAD_ACCESS, address, name);
    expect(try_execute(address), CAUSE_FETCH_ACCESS, address, name);
}

/* The same physical address behind a translation, and as the place of a table. */
static void outside_paged(uint64_t address, const char *name)
{
    uint64_t page = address & ~(PAGE - 1), at = WINDOW + address % PAGE;
    if (page >> 56) /* a page-table entry holds 56 bits */
        return;
    paging_on();
    page_map(WINDOW, page, PTE_LEAF);
    expect(try_load(at, 8, NULL), CAUSE_LOAD_ACCESS, at, name);
    expect(try_store(at, 8, 0), CAUSE_STORE_ACCESS, at, name);
    expect_amo(try_amo(at, 8, 0, NULL), at, name);
    expect_zero(at, name);
    expect(try_execute(at), CAUSE_FETCH_ACCESS, at, name);
    uint64_t behind = WINDOW + 0x200000;
    page_middle[1] = pte(page, PTE_V);
    fence_vma();
    expect_walk(try_load(behind, 8, NULL), CAUSE_LOAD_ACCESS, behind, name);
    expect_walk(try_store(behind, 8, 0), CAUSE_STORE_ACCESS, behind, name);
    expect_walk(try_execute(behind), CAUSE_FETCH_ACCESS, behind, name);
    page_middle[1] = 0;
    paging_off();
}

static uint64_t hexadecimal(const char *digits)
{
    uint64_t value = 0;
    for (;; digits++) {
        if (*digits >= '0' && *digits <= '9')
            value = value << 4 | (uint64_t)(*digits - '0');
        else if (*digits >= 'a' && *digits <= 'f')
            value = value << 4 | (uint64_t)(*digits - 'a' + 10);
        else
            return value;
    }
}

static void try_address(uint64_t address, const char *name)
{
    if (ours(address)) {
        print("# %s: 0x%lx is this machine's own", name, address);
        return;
    }
    outside(address, name);
    outside_paged(address, name);
}

/* An access that begins inside RAM and ends outside of it. */
static void straddle(void)
{
    uint64_t end = ram.base + ram.size;
    struct trap trap = try_load(end - 4, 8, NULL);
    check(trap.trapped && trap.scause == CAUSE_LOAD_ACCESS && trap.stval - (end - 4) < 8,
          "straddle.load", "scause %lu stval 0x%lx", trap.scause, trap.stval);
    trap = try_store(end - 4, 8, 0);
    check(trap.trapped && trap.scause == CAUSE_STORE_ACCESS && trap.stval - (end - 4) < 8,
          "straddle.store", "scause %lu stval 0x%lx", trap.scause, trap.stval);
}

static void firmware(void)
{
    outside(0x80000000, "firmware");
    outside(0x02000000, "clint");
}

static void everything_else(void)
{
    uint64_t end = ram.base + ram.size;
    try_address(0, "zero");
    try_address(0x1000, "boot_rom");
    try_address(0x02000000, "clint.msip");
    try_address(0x02004000, "clint.mtimecmp");
    try_address(0x0200bff8, "clint.mtime");
    try_address(0x03000000, "pci.io");
    try_address(0x04000000, "platform_bus");
    try_address(0x0c600000, "plic.after");
    try_address(0x10000100, "uart.after");
    try_address(0x10100000, "fw_cfg");
    try_address(0x20000000, "flash");
    try_address(0x24000000, "imsic.m");
    try_address(0x28000000, "imsic.s");
    try_address(0x30000000, "pci.config");
    try_address(0x80000000, "hypervisor");
    try_address(0x80010000, "hypervisor.more");
    try_address(0x80100000, "hypervisor.data");
    try_address(ram.base - 8, "before_ram");
    try_address(ram.base - 0x200000, "before_ram.megapage");
    try_address(end, "after_ram");
    try_address(end + PAGE, "after_ram.page");
    try_address(end + 0x1ffff8, "after_ram.megapage");
    try_address(end + 0x10000000, "after_ram.far");
    try_address(1UL << 32, "four_gigabytes");
    try_address(1UL << 40, "terabyte");
    try_address((1UL << 55) + 8, "top_of_sv");
    try_address(~0UL - 7, "top");
    const char *extra = argument("extra");
    if (extra)
        try_address(hexadecimal(extra), "extra");
    straddle();
}

/* Nothing of what was tried may have changed our own memory. */
static void own_memory(uint64_t seed, bool fill)
{
    static uint64_t block[8192];
    unsigned wrong = 0;
    for (unsigned i = 0; i < 8192; i++) {
        if (fill)
            block[i] = seed ^ i * 0x9e3779b97f4a7c15;
        wrong += block[i] != (seed ^ i * 0x9e3779b97f4a7c15);
    }
    if (!fill)
        check(!wrong, "own_memory", "%u words have changed", wrong);
}

void payload_main(void)
{
    own_memory(0x0123456789abcdef, true);
    print("# ram 0x%lx, 0x%lx bytes", ram.base, ram.size);
    if (in_diosix)
        everything_else();
    else
        firmware();
    own_memory(0x0123456789abcdef, false);
    print("# %u accesses tried", tried);
}
