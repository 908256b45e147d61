/* The bus, the small devices on it, and the device tree. */
#include "machine_fakes.h"
#include "hart.h"
#include "port.h"
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    (void)state;
    return fake_setup(2);
}

static int teardown(void **state)
{
    (void)state;
    return fake_teardown();
}

static void test_holes(void **state)
{
    (void)state;
    static const uint64_t holes[] = {
        0,          0xfffff,    0x102000,   0x2000000,          0xbfffffc,
        0xc600000,  0xffffffc,  0x10000100, 0x10000ff8,         0x10009000,
        0x7ffffff8, 0x80000000, UINT64_MAX, UINT64_MAX - 0xfff, 0x110000000,
    };
    for (size_t i = 0; i < sizeof holes / sizeof holes[0]; i++)
        for (unsigned size = 1; size <= 8; size *= 2) {
            uint64_t value = 1;
            assert_false(fake_access(holes[i], size, false, &value));
            assert_false(fake_access(holes[i], size, true, &value));
            assert_int_equal(value, 1);
        }
}

/* The handlers assert that the lock is not held when the life cycle is asked to change. */
static void test_syscon(void **state)
{
    (void)state;
    write32(MACHINE_SYSCON_BASE, 0x5554);
    write32(MACHINE_SYSCON_BASE + 4, 0x5555);
    assert_int_equal(fake.stop_calls, 0);
    assert_int_equal(read32(MACHINE_SYSCON_BASE), 0);
    write32(MACHINE_SYSCON_BASE, 0x5555);
    assert_int_equal(fake.stop_calls, 1);
    write32(MACHINE_SYSCON_BASE, 0x7 << 16 | 0x3333);
    assert_int_equal(fake.stop_calls, 2);
    assert_int_equal(fake.restart_calls, 0);
    write32(MACHINE_SYSCON_BASE, 0x7777);
    assert_int_equal(fake.restart_calls, 1);
    assert_int_equal(fake.stop_calls, 2);
    uint64_t value = 0x5555;
    assert_true(fake_access(MACHINE_SYSCON_BASE, 2, true, &value));
    assert_int_equal(fake.stop_calls, 3);
    assert_false(fake_access(MACHINE_SYSCON_BASE, 1, true, &value));
    assert_false(fake_access(MACHINE_SYSCON_BASE, 8, true, &value));
    assert_int_equal(fake.stop_calls, 3);
}

static void test_empty_virtio_slots(void **state)
{
    (void)state;
    for (unsigned slot = 0; slot < MACHINE_VIRTIO_COUNT; slot++) {
        uint64_t base = MACHINE_VIRTIO_BASE + slot * MACHINE_VIRTIO_SIZE, value = 0;
        assert_int_equal(read32(base), 0x74726976);
        assert_int_equal(read32(base + 4), 2);
        assert_int_equal(read32(base + 8), 0);
        write32(base + 0x70, 1);
        assert_int_equal(read32(base + 0x70), 0);
        assert_false(fake_access(base, 1, false, &value));
        assert_false(fake_access(base, 8, false, &value));
        assert_true(fake_access(base + 0x100, 1, false, &value));
        assert_int_equal(read32(base + 0xffc), 0);
    }
}

#define AMO_ADD 0x00
#define AMO_OR  0x08

/* One read and one write of the register, with nothing between; the widths are the device's. */
static void test_atomics(void **state)
{
    (void)state;
    uint64_t enable = MACHINE_PLIC_BASE + 0x2000, value = 0x30;
    write32(enable, 0x11);
    assert_true(machine_amo(fake_vcpu(0), gpa(enable), 4, AMO_OR, &value));
    assert_int_equal(value, 0x10); /* there is no source 0 */
    assert_int_equal(read32(enable), 0x30);
    value = 0x5555;
    assert_true(machine_amo(fake_vcpu(0), gpa(MACHINE_SYSCON_BASE), 4, AMO_ADD, &value));
    assert_int_equal(value, 0);
    assert_int_equal(fake.stop_calls, 1);
    value = 7;
    assert_false(machine_amo(fake_vcpu(0), gpa(enable), 8, AMO_OR, &value));
    assert_false(machine_amo(fake_vcpu(0), gpa(enable + 2), 4, AMO_OR, &value));
    assert_false(machine_amo(fake_vcpu(0), gpa(0x2000000), 4, AMO_OR, &value));
    assert_false(machine_amo(fake_vcpu(0), gpa(enable), 4, 5, &value)); /* amocas */
    assert_int_equal(value, 7);
    assert_int_equal(read32(enable), 0x30);
}

#define RTC(offset) (MACHINE_RTC_BASE + (offset))
#define SECOND      UINT64_C(1000000000)

static uint64_t rtc_time(void)
{
    uint64_t low = read32(RTC(0));
    return (uint64_t)read32(RTC(4)) << 32 | low;
}

static void test_rtc_time(void **state)
{
    (void)state;
    uint64_t start = rtc_time();
    assert_int_equal(start, MACHINE_RTC_START * SECOND);
    assert_in_range(start / SECOND, 1600000000, 4000000000);
    fake.time = 3 * fake.frequency + 1;
    assert_int_equal(rtc_time(), start + 3 * SECOND + 100);
    fake.time = 20 * 365 * 86400 * fake.frequency; /* ticks times 10^9 does not fit in 64 bits */
    assert_int_equal(rtc_time(), start + 20 * 365 * 86400 * SECOND);
}

static void test_rtc_latches_the_high_half(void **state)
{
    (void)state;
    uint64_t before = rtc_time();
    read32(RTC(0));
    fake.time += 100 * fake.frequency;
    assert_int_equal(read32(RTC(4)), before >> 32);
    assert_int_not_equal(rtc_time() >> 32, before >> 32);
}

static void test_rtc_can_be_set(void **state)
{
    (void)state;
    write32(RTC(4), 0x12345678);
    write32(RTC(0), 0x9abcdef0);
    assert_int_equal(rtc_time(), 0x123456789abcdef0);
    fake.time += fake.frequency;
    assert_int_equal(rtc_time(), 0x123456789abcdef0 + SECOND);
}

static void test_rtc_alarm(void **state)
{
    (void)state;
    write32(MACHINE_PLIC_BASE + 4 * MACHINE_IRQ_RTC, 1);
    write32(MACHINE_PLIC_BASE + 0x2080, 1U << MACHINE_IRQ_RTC);
    uint64_t alarm = rtc_time() + 5 * SECOND;
    write32(RTC(0xc), (uint32_t)(alarm >> 32));
    write32(RTC(8), (uint32_t)alarm);
    write32(RTC(0x10), 1);
    assert_int_equal(read32(RTC(0x18)), 1);
    assert_int_equal(fake.lines[0], 0);
    assert_true(fake.timer_updates > 0);
    uint64_t due = port_hart()->arch.alarm; /* when its hart's timer will fire: */
    assert_in_range(due, fake.time + 5 * fake.frequency, fake.time + 5 * fake.frequency + 1);
    fake.time = due - 2;
    machine_alarms(port_hart());
    assert_int_equal(fake.lines[0], 0);
    assert_int_equal(port_hart()->arch.alarm, due);
    fake.time = due;
    machine_alarms(port_hart());
    assert_int_equal(port_hart()->arch.alarm, UINT64_MAX);
    assert_int_equal(fake.lines[0], 1U << IRQ_S_EXTERNAL);
    assert_int_equal(read32(RTC(0x18)), 0);
    assert_int_equal(read32(MACHINE_PLIC_BASE + 0x201004), MACHINE_IRQ_RTC);
    write32(RTC(0x1c), 1);
    write32(MACHINE_PLIC_BASE + 0x201004, MACHINE_IRQ_RTC);
    assert_int_equal(fake.lines[0], 0);
    write32(RTC(8), 0); /* long past */
    assert_int_equal(fake.lines[0], 1U << IRQ_S_EXTERNAL);
}

static void test_rtc_alarm_can_be_cleared(void **state)
{
    (void)state;
    write32(RTC(0xc), 0xffffffff);
    write32(RTC(8), 0);
    assert_int_equal(read32(RTC(0x18)), 1);
    assert_int_equal(read32(RTC(0xc)), 0xffffffff);
    write32(RTC(0x14), 1);
    assert_int_equal(read32(RTC(0x18)), 0);
}

/* The hart looks every hour. When the clock is set past the alarm, that is its time. */
static void test_rtc_alarm_far_ahead(void **state)
{
    (void)state;
    uint64_t hour = 3600 * fake.frequency;
    write32(RTC(0x10), 1);
    write32(RTC(0xc), 0xffffffff);
    write32(RTC(8), 0xffffffff);
    assert_in_range(port_hart()->arch.alarm, fake.time + hour, fake.time + hour + 1);
    fake.time += hour + 1;
    machine_alarms(port_hart());
    assert_in_range(port_hart()->arch.alarm, fake.time + hour, fake.time + hour + 1);
    assert_int_equal(read32(RTC(0x18)), 1);
    write32(RTC(0xc), (uint32_t)(rtc_time() >> 32) + 1);
    write32(RTC(8), 0);
    write32(RTC(4), (uint32_t)(rtc_time() >> 32) + 1);
    assert_int_equal(read32(RTC(0x18)), 0);
}

/* Once it is due, and after a reset, nobody looks any more. */
static void test_rtc_alarm_ends_with_a_reset(void **state)
{
    (void)state;
    write32(RTC(0x10), 1);
    write32(RTC(0xc), (uint32_t)(rtc_time() >> 32) + 1);
    write32(RTC(8), 0);
    fake.locked = true;
    machine_reset(&fake.capsule);
    fake.locked = false;
    fake.time = port_hart()->arch.alarm;
    machine_alarms(port_hart());
    assert_int_equal(port_hart()->arch.alarm, UINT64_MAX);
    assert_int_equal(fake.lines[0], 0);
}

static char tree[256 * 1024];

static void make_tree(void)
{
    assert_int_equal(machine_fdt(&fake.capsule, tree, sizeof tree, 0x80004000, 0x80005000), OK);
    assert_int_equal(fdt_check_full(tree, fdt_totalsize(tree)), 0);
}

static uint32_t tree_cell(const char *path, const char *name, unsigned index)
{
    int length, node = fdt_path_offset(tree, path);
    const fdt32_t *cells = fdt_getprop(tree, node, name, &length);
    assert_non_null(cells);
    assert_true((unsigned)length >= 4 * (index + 1));
    return fdt32_to_cpu(cells[index]);
}

static const char *tree_string(const char *path, const char *name)
{
    return fdt_getprop(tree, fdt_path_offset(tree, path), name, NULL);
}

static void test_tree_says_what_is_there(void **state)
{
    (void)state;
    make_tree();
    assert_string_equal(tree_string("/chosen", "bootargs"), "console=ttyS0");
    assert_string_equal(tree_string("/chosen", "stdout-path"), "/soc/serial@10000000");
    assert_int_equal(tree_cell("/chosen", "linux,initrd-start", 1), 0x80004000);
    assert_int_equal(tree_cell("/chosen", "linux,initrd-end", 1), 0x80005000);
    assert_int_equal(tree_cell("/memory@80000000", "reg", 1), FAKE_RAM_BASE);
    assert_int_equal(tree_cell("/memory@80000000", "reg", 3), FAKE_RAM_SIZE);
    assert_int_equal(tree_cell("/cpus", "timebase-frequency", 0), fake.frequency);
    assert_string_equal(tree_string("/cpus/cpu@1", "riscv,isa"), "rv64imafdc_zicsr_zifencei");
    int node = fdt_path_offset(tree, "/cpus/cpu@1");
    assert_int_equal(fdt_stringlist_count(tree, node, "riscv,isa-extensions"), 8);
    assert_int_equal(fdt_stringlist_search(tree, node, "riscv,isa-extensions", "zifencei"), 7);
    assert_true(fdt_path_offset(tree, "/cpus/cpu@2") < 0);
    assert_int_equal(tree_cell("/soc/serial@10000000", "interrupts", 0), MACHINE_IRQ_UART);
    assert_int_equal(tree_cell("/soc/virtio_mmio@10008000", "interrupts", 0), 8);
    assert_int_equal(fdt_node_check_compatible(tree, 0, "riscv-virtio"), 0);
}

static void test_tree_maps_the_harts(void **state)
{
    (void)state;
    make_tree();
    for (unsigned id = 0; id < 2; id++) {
        char core[64], hart[64];
        snprintf(core, sizeof core, "/cpus/cpu-map/cluster0/core%u", id);
        snprintf(hart, sizeof hart, "/cpus/cpu@%u", id);
        assert_int_equal(tree_cell(core, "cpu", 0), tree_cell(hart, "phandle", 0));
    }
    assert_true(fdt_path_offset(tree, "/cpus/cpu-map/cluster0/core2") < 0);
}

/* What is said of blocks is said with the extension, and where it is known. */
static void test_tree_says_the_size_of_blocks(void **state)
{
    (void)state;
    fake.cboz_block_size = 128;
    fake.cbop_block_size = 32;
    make_tree();
    assert_null(tree_string("/cpus/cpu@1", "riscv,cbop-block-size"));
    fake.capsule.arch.isa = isa_of_string("rv64imac_zicbop");
    make_tree();
    assert_int_equal(tree_cell("/cpus/cpu@1", "riscv,cbop-block-size", 0), 32);
    assert_null(tree_string("/cpus/cpu@1", "riscv,cboz-block-size"));
    fake.cbop_block_size = 0;
    make_tree();
    assert_null(tree_string("/cpus/cpu@1", "riscv,cbop-block-size"));
    fake.capsule.arch.isa = isa_of_string("rv64imac_zicboz");
    make_tree();
    assert_int_equal(tree_cell("/cpus/cpu@1", "riscv,cboz-block-size", 0), 128);
}

static void test_tree_wires_the_plic(void **state)
{
    (void)state;
    make_tree();
    static const char plic[] = "/soc/plic@c000000";
    uint32_t phandle = tree_cell(plic, "phandle", 0);
    assert_int_equal(tree_cell("/soc/serial@10000000", "interrupt-parent", 0), phandle);
    for (unsigned id = 0; id < 2; id++) {
        char path[64];
        snprintf(path, sizeof path, "/cpus/cpu@%u/interrupt-controller", id);
        uint32_t hart = tree_cell(path, "phandle", 0);
        assert_int_equal(tree_cell(plic, "interrupts-extended", 4 * id), hart);
        assert_int_equal(tree_cell(plic, "interrupts-extended", 4 * id + 1), 0xffffffff);
        assert_int_equal(tree_cell(plic, "interrupts-extended", 4 * id + 2), hart);
        assert_int_equal(tree_cell(plic, "interrupts-extended", 4 * id + 3), 9);
    }
    uint32_t syscon = tree_cell("/soc/test@100000", "phandle", 0);
    assert_int_equal(tree_cell("/poweroff", "regmap", 0), syscon);
    assert_int_equal(tree_cell("/poweroff", "value", 0), 0x5555);
    assert_int_equal(tree_cell("/reboot", "value", 0), 0x7777);
}

static void test_tree_without_initrd(void **state)
{
    (void)state;
    assert_int_equal(machine_fdt(&fake.capsule, tree, sizeof tree, 0, 0), OK);
    assert_null(tree_string("/chosen", "linux,initrd-start"));
}

/* A boot loader that edits its copy in place overwrites nothing behind it. */
static void test_tree_has_room_for_changes(void **state)
{
    (void)state;
    make_tree();
    uint32_t size = fdt_totalsize(tree);
    char *copy = malloc(size), words[1024];
    memcpy(copy, tree, size);
    memset(words, 'w', sizeof words);
    words[sizeof words - 1] = '\0';
    int chosen = fdt_path_offset(copy, "/chosen");
    assert_int_equal(fdt_setprop_string(copy, chosen, "bootargs", words), 0);
    assert_int_equal(fdt_setprop_u64(copy, chosen, "another-property", 1), 0);
    free(copy);
}

/* Neither what was in the room before nor what libfdt put there on its way. */
static void test_nothing_is_left_behind_the_tree(void **state)
{
    (void)state;
    memset(tree, 0xaa, sizeof tree);
    make_tree();
    for (size_t i = fdt_off_dt_strings(tree) + fdt_size_dt_strings(tree); i < sizeof tree; i++)
        assert_int_equal(tree[i], 0);
    size_t least = fdt_totalsize(tree);
    char *room = malloc(least);
    assert_int_equal(machine_fdt(&fake.capsule, room, least, 0x80004000, 0x80005000), OK);
    for (size_t i = fdt_off_dt_strings(room) + fdt_size_dt_strings(room); i < least; i++)
        assert_int_equal(room[i], 0);
    free(room);
}

/* Whatever the room, an error or a whole tree, and nothing behind the room. */
static void test_tree_in_too_little_room(void **state)
{
    (void)state;
    make_tree();
    size_t needed = fdt_totalsize(tree);
    for (size_t size = 0; size < needed; size += 13) {
        char *room = malloc(size + 1);
        assert_int_equal(machine_fdt(&fake.capsule, room, size, 0x80004000, 0x80005000),
                         ERROR_NO_MEMORY);
        free(room);
    }
}

/* With every extension that there is, in the room that the loader leaves. */
static void test_tree_of_64_harts_fits(void **state)
{
    (void)state;
    fake_teardown();
    assert_int_equal(fake_setup(64), 0);
    fake.capsule.arch.isa = (struct isa){{UINT64_MAX, UINT64_MAX}};
    make_tree();
    assert_true(fdt_totalsize(tree) < LOAD_FDT_SIZE + 63 * PAGE_SIZE);
    assert_true(fdt_totalsize(tree) > LOAD_FDT_SIZE);
    assert_true(fdt_path_offset(tree, "/cpus/cpu@3f") > 0);
}

/* dtc knows the bindings' rules: it must find nothing to warn of. */
static void test_dtc_accepts_the_tree(void **state)
{
    (void)state;
    make_tree();
    char name[] = "/tmp/diosix-tree-XXXXXX", command[128], line[256];
    int file = mkstemp(name);
    assert_true(file >= 0);
    FILE *out = fdopen(file, "w");
    assert_int_equal(fwrite(tree, 1, fdt_totalsize(tree), out), fdt_totalsize(tree));
    fclose(out);
    snprintf(command, sizeof command, "dtc -I dtb -O dts -o /dev/null %s 2>&1", name);
    FILE *dtc = popen(command, "r");
    assert_non_null(dtc);
    bool warned = false;
    while (fgets(line, sizeof line, dtc)) {
        warned = true;
        print_message("%s", line);
    }
    assert_int_equal(pclose(dtc), 0);
    remove(name);
    assert_false(warned);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_holes),
        TEST(test_syscon),
        TEST(test_empty_virtio_slots),
        TEST(test_atomics),
        TEST(test_rtc_time),
        TEST(test_rtc_latches_the_high_half),
        TEST(test_rtc_can_be_set),
        TEST(test_rtc_alarm),
        TEST(test_rtc_alarm_can_be_cleared),
        TEST(test_rtc_alarm_far_ahead),
        TEST(test_rtc_alarm_ends_with_a_reset),
        TEST(test_tree_says_what_is_there),
        TEST(test_tree_maps_the_harts),
        TEST(test_tree_says_the_size_of_blocks),
        TEST(test_tree_wires_the_plic),
        TEST(test_tree_without_initrd),
        TEST(test_tree_has_room_for_changes),
        TEST(test_nothing_is_left_behind_the_tree),
        TEST(test_tree_in_too_little_room),
        TEST(test_tree_of_64_harts_fits),
        TEST(test_dtc_accepts_the_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
