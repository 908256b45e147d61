/*
 * The device tree of a capsule's machine: exactly what is there, described as QEMU describes its
 * `virt` (hw/riscv/virt.c), because kernels and boot loaders have been tested against that.
 * Written from front to back with libfdt's sequential functions; the first error stays in the
 * writer and makes the rest do nothing.
 */
#include "machine.h"
#include "port.h"
#include "seed.h"
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

struct writer {
    void *fdt;
    int error; /* of libfdt: 0 or negative */
};

/* Phandles: harts' interrupt controllers from 1, then: */
#define PHANDLE_HART(id) (1 + (id))
#define PHANDLE_PLIC     0x100
#define PHANDLE_SYSCON   0x101
#define PHANDLE_CPU(id)  (0x200 + (id))

#define NODE_NAME_MAX 32

/* Free bytes that count as the tree's own: boot loaders keep a copy of its size and edit that in
 * place (U-Boot's `booti` with the tree that U-Boot itself was given). */
#define EDIT_ROOM 4096

#define SERIAL_PATH "/soc/serial@10000000"

#define UART_CLOCK     0x384000 /* 3.6864 MHz, as on `virt` */
#define PLIC_NDEV      95
#define FINISHER_PASS  0x5555
#define FINISHER_RESET 0x7777
#define CONTEXT_ABSENT 0xffffffffU
#define EXTERNAL_S     9

static void note(struct writer *writer, int result)
{
    if (writer->error == 0)
        writer->error = result;
}

static void begin(struct writer *writer, const char *name)
{
    if (writer->error == 0)
        note(writer, fdt_begin_node(writer->fdt, name));
}

static void begin_at(struct writer *writer, const char *name, uint64_t address)
{
    char full[NODE_NAME_MAX] = "", *at = full + sizeof full - 1;
    size_t length = strlen(name);
    do
        *--at = "0123456789abcdef"[address % 16];
    while (address /= 16);
    *--at = '@';
    begin(writer, memcpy(at - length, name, length));
}

static void end(struct writer *writer)
{
    if (writer->error == 0)
        note(writer, fdt_end_node(writer->fdt));
}

static void bytes(struct writer *writer, const char *name, const void *value, size_t size)
{
    if (writer->error == 0)
        note(writer, fdt_property(writer->fdt, name, value, (int)size));
}

static void flag(struct writer *writer, const char *name)
{
    bytes(writer, name, "", 0);
}

static void string(struct writer *writer, const char *name, const char *value)
{
    bytes(writer, name, value, strlen(value) + 1);
}

static void cell(struct writer *writer, const char *name, uint32_t value)
{
    if (writer->error == 0)
        note(writer, fdt_property_u32(writer->fdt, name, value));
}

static void cell64(struct writer *writer, const char *name, uint64_t value)
{
    if (writer->error == 0)
        note(writer, fdt_property_u64(writer->fdt, name, value));
}

static void reg(struct writer *writer, uint64_t base, uint64_t size)
{
    fdt64_t range[2] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};
    bytes(writer, "reg", range, sizeof range);
}

static void cells_below(struct writer *writer, uint32_t address, uint32_t size)
{
    cell(writer, "#address-cells", address);
    cell(writer, "#size-cells", size);
}

static void interrupt(struct writer *writer, uint32_t source)
{
    cell(writer, "interrupts", source);
    cell(writer, "interrupt-parent", PHANDLE_PLIC);
}

static void aliases(struct writer *writer)
{
    begin(writer, "aliases");
    string(writer, "serial0", SERIAL_PATH);
    end(writer);
}

static void chosen(struct writer *writer, const struct capsule *capsule, uint64_t initrd_start,
                   uint64_t initrd_end)
{
    uint8_t seed[SEED_SIZE];
    begin(writer, "chosen");
    string(writer, "bootargs", capsule->config.bootargs);
    string(writer, "stdout-path", SERIAL_PATH);
    if (seed_take(port_time(), seed))
        bytes(writer, "rng-seed", seed, sizeof seed);
    if (initrd_end > initrd_start) {
        cell64(writer, "linux,initrd-start", initrd_start);
        cell64(writer, "linux,initrd-end", initrd_end);
    }
    end(writer);
}

/* RAM that begins behind the firmware's area is described as on a board: firmware's part is memory,
 * but reserved (Devicetree 0.4, 3.5). Boot loaders place kernels relative to where it begins. */
static void memory(struct writer *writer, const struct capsule *capsule)
{
    uint64_t start = align_down(capsule->ram_base.value, MEGAPAGE_SIZE);
    uint64_t firmware = capsule->ram_base.value - start;
    begin_at(writer, "memory", start);
    string(writer, "device_type", "memory");
    reg(writer, start, firmware + capsule->ram_size);
    end(writer);
    if (firmware == 0)
        return;
    begin(writer, "reserved-memory");
    cell(writer, "#address-cells", 2);
    cell(writer, "#size-cells", 2);
    flag(writer, "ranges");
    begin_at(writer, "firmware", start);
    reg(writer, start, firmware);
    flag(writer, "no-map");
    end(writer);
    end(writer);
}

/* Strings one after the other, an empty one at the end: the length of the property. */
static size_t list_size(const char *list)
{
    size_t size = 0;
    while (list[size])
        size += strlen(list + size) + 1;
    return size;
}

static void hart_interrupt_controller(struct writer *writer, unsigned id)
{
    begin(writer, "interrupt-controller");
    string(writer, "compatible", "riscv,cpu-intc");
    flag(writer, "interrupt-controller");
    cell(writer, "#address-cells", 0);
    cell(writer, "#interrupt-cells", 1);
    cell(writer, "phandle", PHANDLE_HART(id));
    end(writer);
}

/* riscv,isa for older software, the other two (Linux 6.7 and later) instead of it. */
static void cpu(struct writer *writer, unsigned id, const struct capsule *capsule,
                const struct machine_isa *isa)
{
    begin_at(writer, "cpu", id);
    string(writer, "device_type", "cpu");
    cell(writer, "reg", id);
    string(writer, "status", "okay");
    string(writer, "compatible", "riscv");
    string(writer, "riscv,isa", isa->base);
    string(writer, "riscv,isa-base", "rv64i");
    bytes(writer, "riscv,isa-extensions", isa->extensions, list_size(isa->extensions));
    string(writer, "mmu-type", platform_mmu_type());
    if (isa_has(&capsule->arch.isa, "zicbop") && platform_cbop_block_size() != 0)
        cell(writer, "riscv,cbop-block-size", platform_cbop_block_size());
    if (isa_has(&capsule->arch.isa, "zicboz"))
        cell(writer, "riscv,cboz-block-size", platform_cboz_block_size());
    cell(writer, "phandle", PHANDLE_CPU(id));
    hart_interrupt_controller(writer, id);
    end(writer);
}

/* All in one cluster, as on `virt` (bindings: cpu-map). */
static void cpu_map(struct writer *writer, unsigned harts)
{
    begin(writer, "cpu-map");
    begin(writer, "cluster0");
    for (unsigned id = 0; id < harts; id++) {
        char name[NODE_NAME_MAX];
        snprintf(name, sizeof name, "core%u", id);
        begin(writer, name);
        cell(writer, "cpu", PHANDLE_CPU(id));
        end(writer);
    }
    end(writer);
    end(writer);
}

static void cpus(struct writer *writer, const struct capsule *capsule)
{
    struct machine_isa isa;
    isa_format(&capsule->arch.isa, &isa);
    begin(writer, "cpus");
    cells_below(writer, 1, 0);
    cell(writer, "timebase-frequency", (uint32_t)port_frequency());
    for (unsigned id = 0; id < capsule->vcpu_count; id++)
        cpu(writer, id, capsule, &isa);
    cpu_map(writer, capsule->vcpu_count);
    end(writer);
}

static void serial(struct writer *writer)
{
    begin_at(writer, "serial", MACHINE_UART_BASE);
    string(writer, "compatible", "ns16550a");
    reg(writer, MACHINE_UART_BASE, MACHINE_UART_SIZE);
    cell(writer, "clock-frequency", UART_CLOCK);
    interrupt(writer, MACHINE_IRQ_UART);
    end(writer);
}

/* The contexts in their order: machine mode's, which a supervisor must pass over and which firmware
 * therefore marks with -1 (bindings: sifive,plic-1.0.0), then supervisor mode's. */
static void plic_contexts(struct writer *writer, unsigned harts)
{
    fdt32_t contexts[CAPSULE_VCPU_MAX][4];
    for (unsigned id = 0; id < harts; id++) {
        contexts[id][0] = contexts[id][2] = cpu_to_fdt32(PHANDLE_HART(id));
        contexts[id][1] = cpu_to_fdt32(CONTEXT_ABSENT);
        contexts[id][3] = cpu_to_fdt32(EXTERNAL_S);
    }
    bytes(writer, "interrupts-extended", contexts, harts * sizeof contexts[0]);
}

static void plic(struct writer *writer, const struct capsule *capsule)
{
    static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";
    begin_at(writer, "plic", MACHINE_PLIC_BASE);
    bytes(writer, "compatible", compatible, sizeof compatible);
    reg(writer, MACHINE_PLIC_BASE, MACHINE_PLIC_SIZE);
    flag(writer, "interrupt-controller");
    cell(writer, "#address-cells", 0);
    cell(writer, "#interrupt-cells", 1);
    plic_contexts(writer, capsule->vcpu_count);
    cell(writer, "riscv,ndev", PLIC_NDEV);
    cell(writer, "phandle", PHANDLE_PLIC);
    end(writer);
}

static void rtc(struct writer *writer)
{
    begin_at(writer, "rtc", MACHINE_RTC_BASE);
    string(writer, "compatible", "google,goldfish-rtc");
    reg(writer, MACHINE_RTC_BASE, MACHINE_RTC_SIZE);
    interrupt(writer, MACHINE_IRQ_RTC);
    end(writer);
}

static void test(struct writer *writer)
{
    static const char compatible[] = "sifive,test1\0sifive,test0\0syscon";
    begin_at(writer, "test", MACHINE_SYSCON_BASE);
    bytes(writer, "compatible", compatible, sizeof compatible);
    reg(writer, MACHINE_SYSCON_BASE, MACHINE_SYSCON_SIZE);
    cell(writer, "phandle", PHANDLE_SYSCON);
    end(writer);
}

static void virtio(struct writer *writer)
{
    for (unsigned slot = 0; slot < MACHINE_VIRTIO_COUNT; slot++) {
        uint64_t base = MACHINE_VIRTIO_BASE + slot * MACHINE_VIRTIO_SIZE;
        begin_at(writer, "virtio_mmio", base);
        string(writer, "compatible", "virtio,mmio");
        reg(writer, base, MACHINE_VIRTIO_SIZE);
        interrupt(writer, MACHINE_IRQ_VIRTIO + slot);
        end(writer);
    }
}

/* As on `virt`: one node for both banks, of those that there are. */
static void flash(struct writer *writer, const struct capsule *capsule)
{
    fdt64_t ranges[CAPSULE_FLASH_MAX][2];
    unsigned banks = 0;
    for (unsigned i = 0; i < CAPSULE_FLASH_MAX; i++) {
        if (!capsule->config.flash[i].data)
            continue;
        ranges[banks][0] = cpu_to_fdt64(MACHINE_FLASH_BASE + i * MACHINE_FLASH_SIZE);
        ranges[banks++][1] = cpu_to_fdt64(MACHINE_FLASH_SIZE);
    }
    if (banks == 0)
        return;
    begin_at(writer, "flash", fdt64_to_cpu(ranges[0][0]));
    string(writer, "compatible", "cfi-flash");
    bytes(writer, "reg", ranges, banks * sizeof ranges[0]);
    cell(writer, "bank-width", 4);
    end(writer);
}

static void soc(struct writer *writer, const struct capsule *capsule)
{
    begin(writer, "soc");
    cells_below(writer, 2, 2);
    string(writer, "compatible", "simple-bus");
    flag(writer, "ranges");
    test(writer);
    rtc(writer);
    plic(writer, capsule);
    serial(writer);
    virtio(writer);
    end(writer);
}

static void syscon_action(struct writer *writer, const char *name, const char *compatible,
                          uint32_t value)
{
    begin(writer, name);
    string(writer, "compatible", compatible);
    cell(writer, "regmap", PHANDLE_SYSCON);
    cell(writer, "offset", 0);
    cell(writer, "value", value);
    end(writer);
}

static void root(struct writer *writer, const struct capsule *capsule, uint64_t initrd_start,
                 uint64_t initrd_end)
{
    static const char compatible[] = "diosix,virt\0riscv-virtio";
    begin(writer, "");
    cells_below(writer, 2, 2);
    bytes(writer, "compatible", compatible, sizeof compatible);
    string(writer, "model", "diosix,virt");
    aliases(writer);
    chosen(writer, capsule, initrd_start, initrd_end);
    memory(writer, capsule);
    cpus(writer, capsule);
    soc(writer, capsule);
    flash(writer, capsule);
    syscon_action(writer, "poweroff", "syscon-poweroff", FINISHER_PASS);
    syscon_action(writer, "reboot", "syscon-reboot", FINISHER_RESET);
    end(writer);
}

/* One piece with all that it calls: it steps through the whole tree. */
__attribute__((flatten, noinline)) static int finish(void *fdt)
{
    return fdt_finish(fdt);
}

enum error machine_fdt(struct capsule *capsule, void *buffer, size_t size, uint64_t initrd_start,
                       uint64_t initrd_end)
{
    struct writer writer = {.fdt = buffer};
    /* Looking for each name among those before would take longer than all the rest. */
    note(&writer, fdt_create_with_flags(buffer, (int)size, FDT_CREATE_FLAG_NO_NAME_DEDUP));
    if (writer.error == 0)
        note(&writer, fdt_finish_reservemap(buffer));
    root(&writer, capsule, initrd_start, initrd_end);
    if (writer.error == 0)
        note(&writer, finish(buffer));
    if (writer.error != 0 || size - fdt_totalsize(buffer) < EDIT_ROOM)
        return ERROR_NO_MEMORY;
    /* libfdt clears the buffer, and gathers the strings at its end: nothing of that is the guest's.
     */
    size_t strings = fdt_size_dt_strings(buffer), left = size - fdt_totalsize(buffer);
    if (strings > left)
        strings = left;
    memset((char *)buffer + size - strings, 0, strings);
    fdt_set_totalsize(buffer, fdt_totalsize(buffer) + EDIT_ROOM);
    return OK;
}
