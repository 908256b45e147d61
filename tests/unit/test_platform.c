/*
 * The physical machine by its device tree: those that QEMU makes, and one of our own with all that
 * boards may do (data/board.dts). Platform and drivers keep what they read in static variables;
 * before each test the whole program's variables are set back to what they were at its start.
 */
#include "registers.h"
#include "snapshot.h"
#include "driver.h"
#include "hart.h"
#include "isa.h"
#include "machine.h"
#include "memory.h"
#include "platform.h"
#include "port.h"
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct machine_isa *guest_isa(void)
{
    static struct machine_isa text;

    isa_format(platform_guest_extensions(), &text);
    return &text;
}

/* ---- The rest of the port ---- */

static uint64_t now;

uint64_t port_time(void)
{
    return now;
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
    abort();
}

/* ---- Trees ---- */

/* The file's tree in memory of exactly its size, so that the sanitizer sees every step beyond. */
static void *load(const char *name, size_t *size)
{
    char path[256];
    FILE *file;
    const size_t most = 2 << 20;
    void *bytes = malloc(most), *tree;

    snprintf(path, sizeof path, UNIT_DATA "/%s.dtb", name);
    if (!(file = fopen(path, "rb")))
        fail_msg("%s is missing", path);
    *size = fread(bytes, 1, most, file);
    fclose(file);
    assert_true(*size > 0);
    assert_int_equal(fdt_pack(bytes), 0);
    *size = fdt_totalsize(bytes);
    tree = memcpy(malloc(*size), bytes, *size);
    free(bytes);
    return tree;
}

static void start(const char *name)
{
    size_t size;

    assert_true(platform_init(load(name, &size)));
}

static const struct hart_features everything = {
    .s = true, .h = true, .f = true, .d = true, .v = true, .sstc = true};

static void test_virt(void **state)
{
    bool seen[8] = {false};

    (void)state;
    start("virt");
    assert_int_equal(platform_hart_count(), 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(platform_hart(i)->id < 8 && platform_hart(i)->has_mmu);
        assert_false(seen[platform_hart(i)->id]);
        seen[platform_hart(i)->id] = true;
    }
    assert_int_equal(platform_timebase(), 10000000);
    assert_int_equal(memory_owned(MEMORY_FREE), 128 << 20);
    assert_string_equal(platform_bootargs(), "");
    assert_int_equal(platform_cbop_block_size(), 0);
    /* The CLINT is at 0x200_0000, the PLIC at 0xc00_0000; hart h has context 2h. */
    clint_set_timer(3, 0x123456789aULL);
    assert_int_equal(written(0x2004018), 0x123456789aULL);
    assert_int_equal(clint_mtimecmp(7), 0x2004038);
    clint_send_ipi(5);
    assert_int_equal(written(0x2000014), 1);
    clint_clear_ipi(5);
    assert_int_equal(written(0x2000014), 0);
    assert_false(clint_serves(8));
    assert_int_equal(serial_interrupt_source(), 10);
    assert_false(serial_needs_poll());
    assert_int_equal(written(0xc000000 + 4 * 10), 1);
    assert_int_equal(written(0xc002000 + 0x100 * platform_hart(0)->id), 1 << 10);
    assert_int_equal(written(0x10000001), 1); /* the UART's IER */
    platform_power_off();
    assert_int_equal(written(0x100000), 0x5555);
}

static void test_sifive_u(void **state)
{
    (void)state;
    start("sifive_u");
    assert_int_equal(platform_hart_count(), 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(platform_hart(i)->has_mmu, platform_hart(i)->id != 0);
    assert_int_equal(platform_timebase(), 1000000);
    assert_int_equal(serial_interrupt_source(), 4);
    assert_int_equal(written(0x10010010), 2); /* the UART's ie: rxwm */
    /* Hart 0 has only a machine-mode context: 0. Hart h has 2h - 1. */
    assert_true(plic.route(5, 0, 0));
    assert_true(plic.route(5, 0, 2));
    assert_int_equal(written(0xc002000) & 1 << 5, 1 << 5);
    assert_int_equal(written(0xc002180) & 1 << 5, 1 << 5);
    assert_false(plic.route(5, 0, 9));
    assert_false(plic.route(0, 0, 1));
    assert_false(plic.route(54, 0, 1));
    /* What the monitor hart lacks does not matter to guests. */
    platform_set_hart_features(&everything);
    assert_non_null(strstr(guest_isa()->base, "rv64imafdc_"));
}

static void test_spike(void **state)
{
    (void)state;
    start("spike");
    assert_int_equal(platform_hart_count(), 2);
    assert_false(plic.route(1, 0, platform_hart(0)->id));
    assert_true(serial_needs_poll());
    port_serial_write("x", 1);
    assert_int_equal(written(0x1000008), 1ULL << 56 | 1ULL << 48 | 'x');
}

static void test_aclint(void **state)
{
    (void)state;
    start("aclint");
    clint_set_timer(1, 77);
    assert_int_equal(written(0x2004008), 77);
    mmio_write(0x200bff8, 8, 1234);
    assert_int_equal(clint_time(), 1234);
    clint_send_ipi(1);
    assert_int_equal(written(0x2000004), 1);
}

/* ---- Advanced interrupt architecture ---- */

#define APLIC 0x0c000000UL
#define IMSIC 0x24000000UL

static uint64_t file[0x100]; /* the hart's own interrupt file, by number */
static uint64_t pending[4];  /* what mtopei reports, one after the other */
static unsigned claims;

void imsic_csr_write(unsigned number, uint64_t value)
{
    assert_in_range(number, 0x70, 0xff);
    assert_true(number == 0x70 || number == 0x72 || (number >= 0x80 && number % 2 == 0));
    file[number] = value;
}

uint64_t imsic_csr_claim(void)
{
    return claims < 4 ? pending[claims++] : 0;
}

static void test_aplic(void **state)
{
    (void)state;
    start("aplic");
    assert_string_equal(platform_serial_controller(), "APLIC");
    assert_false(serial_needs_poll());
    assert_int_equal(serial_interrupt_source(), 10);
    assert_int_equal(written(APLIC), 1 << 8);     /* domaincfg: on, direct */
    assert_int_equal(written(APLIC + 4 * 10), 6); /* a level, high; not delegated any more */
    assert_int_equal(written(APLIC + 4 * 11), 0); /* nor are the others */
    assert_int_equal(written(APLIC + 0x1f00), UINT32_MAX);
    uint64_t index = platform_hart(0)->id, idc = APLIC + 0x4000 + 32 * index;

    assert_int_equal(written(APLIC + 0x3000 + 4 * 10), index << 18 | 1);
    assert_int_equal(written(APLIC + 0x1edc), 10); /* setienum */
    assert_int_equal(written(idc), 1);             /* idelivery */
    mmio_write(idc + 0x1c, 4, 10 << 16 | 1);
    assert_int_equal(platform_claim(index), 10);
    platform_complete(index, 10);
    assert_int_equal(platform_claim(99), 0);
    assert_false(aplic.route(0, 4, 0));
    assert_false(aplic.route(97, 4, 0));
    assert_false(aplic.route(5, 4, 9));
    assert_true(aplic.route(96, 1, 1 - index));
    assert_int_equal(written(APLIC + 4 * 96), 4); /* rising edges */
    assert_int_equal(written(APLIC + 0x3000 + 4 * 96), (1 - index) << 18 | 1);
}

static void test_aplic_and_imsics(void **state)
{
    uint64_t hart, page;

    (void)state;
    start("aia");
    hart = platform_hart(0)->id;
    page = IMSIC + 0x1000 * hart;
    assert_int_equal(imsic_page(hart), page);
    assert_int_equal(imsic_page(2), 0);
    assert_int_equal(written(APLIC), 1 << 8 | 1 << 2); /* on, by messages */
    assert_int_equal(written(APLIC + 0x1bc0), IMSIC >> 12);
    assert_int_equal(written(APLIC + 0x1bc4), 1 << 12); /* LHXW: one bit for two harts */
    assert_int_equal(written(APLIC + 0x3000 + 4 * 10), hart << 18 | IMSIC_FORWARDED);
    assert_false(serial_needs_poll());
    /* Each hart opens its own file, and nothing from before is left in it. */
    imsic_start(7);
    assert_int_equal(file[0x70], 0);
    file[0x86] = file[0xc6] = UINT64_MAX;
    imsic_start(hart);
    assert_int_equal(file[0x70], 1);
    assert_int_equal(file[0xc0], 1 << IMSIC_KICK | 1 << IMSIC_FORWARDED);
    assert_int_equal(file[0x86] | file[0xc6] | file[0x72], 0);
    /* A kick on the way is taken and passed over. */
    pending[0] = (uint64_t)IMSIC_KICK << 16 | IMSIC_KICK;
    pending[1] = (uint64_t)IMSIC_FORWARDED << 16 | IMSIC_FORWARDED;
    assert_int_equal(platform_claim(hart), 10);
    assert_int_equal(claims, 2);
    assert_int_equal(platform_claim(hart), 0);
    /* The line fell: nothing more to do. It is high: another message, please. */
    platform_complete(hart, 10);
    assert_int_equal(written(APLIC + 0x2000), 0);
    mmio_write(APLIC + 0x1d00, 4, 1 << 10);
    platform_complete(hart, 10);
    assert_int_equal(written(APLIC + 0x2000), 10);
    /* A CLINT is the shorter way for kicks. */
    clint_send_ipi(hart);
    assert_int_equal(written(0x2000000 + 4 * hart), 1);
    assert_int_equal(written(page), 0);
}

static uint64_t locked(uint64_t address, unsigned size, uint64_t value)
{
    (void)size;
    return address == APLIC + 0x1bc4 ? 1U << 31 : value;
}

static void test_locked_addresses_are_left_alone(void **state)
{
    (void)state;
    on_read = locked;
    start("aia");
    assert_int_equal(written(APLIC + 0x1bc0), 0);
    assert_int_equal(written(APLIC + 0x1bc4), 0);
    assert_false(serial_needs_poll());
}

static void test_kicks_by_imsic(void **state)
{
    (void)state;
    start("aia_aclint"); /* no MSWI */
    assert_true(clint_serves(0) && clint_serves(1));
    clint_send_ipi(1);
    assert_int_equal(written(IMSIC + 0x1000), IMSIC_KICK);
    clint_clear_ipi(1); /* its claim has done that */
    assert_int_equal(written(IMSIC + 0x1000), IMSIC_KICK);
}

static void test_a_machine_without_controller_is_polled(void **state)
{
    (void)state;
    start("spike");
    assert_int_equal(platform_claim(0), 0);
    assert_true(serial_needs_poll());
    now = 5;
    serial_polled();
    assert_int_equal(serial_poll_deadline(UINT64_MAX), 5 + 10000000 / 50);
    assert_int_equal(serial_poll_deadline(6), 6);
}

/* ---- data/board.dts ---- */

#define SERIAL 0x200000300UL /* through both buses */
#define PLIC   0x4c000000UL
#define TIMER  0x44000000UL

static void test_board_memory(void **state)
{
    uint64_t initrd, size;

    (void)state;
    start("board");
    assert_string_equal(platform_bootargs(), "isolation=pmp loglevel=debug");
    assert_true(platform_initrd(&initrd, &size));
    assert_int_equal(initrd, 0x84000000);
    assert_int_equal(size, 0x100001);
    assert_int_equal(memory_lookup(hpa(0x84000000)).owner, MEMORY_HYPERVISOR);
    assert_int_equal(memory_lookup(hpa(0x840ff000)).owner, MEMORY_HYPERVISOR);
    assert_int_equal(memory_lookup(hpa(0x84100000)).owner, MEMORY_RESERVED); /* not ours alone */
    assert_int_equal(memory_lookup(hpa(0x84101000)).owner, MEMORY_FREE);
    assert_int_equal(memory_lookup(hpa(0x8001ffff)).owner, MEMORY_RESERVED);
    assert_int_equal(memory_lookup(hpa(0x87f00000)).owner, MEMORY_RESERVED);
    assert_int_equal(memory_lookup(hpa(0x100000000)).owner, MEMORY_FREE);
    assert_int_equal(memory_lookup(hpa(0x104000000)).owner, MEMORY_NONE);
    assert_int_equal(memory_owned(MEMORY_FREE), 0xc000000 - 0x20000 - 0x100000 - 0x101000);
}

static void test_board_harts(void **state)
{
    (void)state;
    start("board");
    assert_int_equal(platform_hart_count(), 3);
    assert_int_equal(platform_hart(0)->id, 1);
    assert_false(platform_hart(0)->has_mmu);
    assert_int_equal(platform_hart(1)->id, 7);
    assert_int_equal(platform_hart(2)->id, 0x100000003);
    assert_int_equal(platform_timebase(), 4000000);
    platform_set_hart_features(&everything);
    assert_string_equal(guest_isa()->base, "rv64imafdc_zicbop_zicsr_zba_sstc");
    assert_memory_equal(guest_isa()->extensions, "i\0m\0a\0f\0d\0c\0zicbop\0zicsr\0zba\0sstc\0",
                        36);
    assert_string_equal(platform_mmu_type(), "riscv,sv39");
    assert_int_equal(platform_cbop_block_size(), 32);
}

static void test_board_block_sizes_differ(void **state)
{
    size_t size;
    uint8_t *tree = load("board", &size);

    (void)state;
    int cpu = fdt_path_offset(tree, "/cpus/cpu@7");
    assert_int_equal(fdt_setprop_inplace_u32(tree, cpu, "riscv,cbop-block-size", 64), 0);
    assert_true(platform_init(tree));
    assert_int_equal(platform_cbop_block_size(), 0);
}

/* A 32-bit timer is never early: its high half goes out of the way first. */
static struct {
    uint64_t address, value;
} order[3];
static unsigned orders;

static void note_order(uint64_t address, unsigned size, uint64_t value)
{
    assert_int_equal(size, 4);
    if (orders < 3) {
        order[orders].address = address;
        order[orders].value = value;
    }
    orders++;
}

static void test_board_interrupts(void **state)
{
    (void)state;
    start("board");
    on_write = note_order;
    clint_set_timer(7, 0x1122334455667788ULL);
    on_write = NULL;
    assert_int_equal(orders, 3);
    assert_int_equal(order[0].address, TIMER + 0x400c);
    assert_int_equal(order[0].value, UINT32_MAX);
    assert_int_equal(order[1].address, TIMER + 0x4008);
    assert_int_equal(order[1].value, 0x55667788);
    assert_int_equal(order[2].value, 0x11223344);
    assert_int_equal(clint_mtimecmp(7), 0); /* not in one store */
    clint_send_ipi(0x100000003);
    assert_int_equal(written(TIMER + 8), 1);
    assert_int_equal(serial_interrupt_source(), 33);
    assert_int_equal(written(PLIC + 0x2004), 1 << 1);
    assert_true(plic.route(33, 0, 7));
    assert_int_equal(written(PLIC + 0x2104), 1 << 1);
    mmio_write(PLIC + 0x204004, 4, 33);
    assert_int_equal(platform_claim(0x100000003), 33);
    platform_complete(0x100000003, 21);
    assert_int_equal(written(PLIC + 0x204004), 21);
    assert_int_equal(platform_claim(99), 0);
}

static uint64_t uart_status; /* LSR */
static unsigned status_reads;

static uint64_t read_uart(uint64_t address, unsigned size, uint64_t value)
{
    if (address != SERIAL + 5 * 4)
        return value;
    assert_int_equal(size, 4);
    status_reads++;
    return uart_status;
}

static void test_board_serial(void **state)
{
    char bytes[8];

    (void)state;
    start("board");
    assert_int_equal(written(SERIAL + 3 * 4), 3); /* LCR: 8N1 */
    assert_int_equal(written(SERIAL + 2 * 4), 7); /* FCR: on, both cleared */
    assert_int_equal(written(SERIAL + 1 * 4), 1); /* IER after DLM: 0, then the interrupt */
    assert_int_equal(written(SERIAL), 1);         /* DLL: 1,843,200 Hz / 16 / 115,200 baud */
    on_read = read_uart;
    uart_status = 0x60;
    port_serial_write("ab", 2);
    assert_int_equal(written(SERIAL), 'b');
    assert_int_equal(port_serial_read(bytes, 8), 0);
    uart_status = 0x61;
    mmio_write(SERIAL, 4, 'q');
    assert_int_equal(port_serial_read(bytes, 8), 8);
    assert_memory_equal(bytes, "qqqqqqqq", 8);
}

static uint64_t read_uart_with_fifos(uint64_t address, unsigned size, uint64_t value)
{
    return address == SERIAL + 2 * 4 ? 0xc1 : read_uart(address, size, value);
}

static void test_a_serial_port_with_fifos_is_filled(void **state)
{
    (void)state;
    uart_status = 0x60;
    on_read = read_uart_with_fifos;
    start("board");
    status_reads = 0;
    port_serial_write("sixteen of these, then sixteen, then nine", 41);
    assert_int_equal(status_reads, 3);
    assert_int_equal(written(SERIAL), 'e');
    uart_status = 0; /* something is still being sent */
    port_serial_write("lost", 4);
    assert_int_equal(written(SERIAL), 'e');
}

static void test_a_jammed_port_does_not_hold_anybody_up(void **state)
{
    char text[10000] = {0};

    (void)state;
    start("board");
    on_read = read_uart;
    uart_status = 0;
    port_serial_write(text, sizeof text);
    assert_true(status_reads > 1000);                  /* it is given a chance… */
    assert_true(status_reads < 2000000 + sizeof text); /* …once */
    uart_status = 0x60;
    port_serial_write("z", 1);
    assert_int_equal(written(SERIAL), 'z');
}

/* ---- Hostile trees ---- */

static void test_what_is_no_tree(void **state)
{
    static uint64_t zero[16];

    (void)state;
    assert_false(platform_init(zero));
    assert_false(platform_init((char *)zero + 4));
    assert_int_equal(platform_timebase(), 10000000); /* nobody divides by 0 after it */
}

/* Time is divided by it, and guests' trees have 32 bits for it. */
static void test_a_timebase_that_cannot_be(void **state)
{
    static const struct {
        uint64_t frequency;
        bool good;
    } cases[] = {{0, false},         {1, false},         {999, false},       {1000, true},
                 {UINT32_MAX, true}, {1UL << 32, false}, {UINT64_MAX, false}};
    size_t size;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snapshot_setup(state);
        uint8_t *tree = load("board", &size);
        int cpus = fdt_path_offset(tree, "/cpus");

        assert_int_equal(
            fdt_setprop_inplace_u64(tree, cpus, "timebase-frequency", cases[i].frequency), 0);
        assert_int_equal(platform_init(tree), cases[i].good);
        assert_int_equal(platform_timebase(), cases[i].good ? cases[i].frequency : 10000000);
    }
}

/* What could not be noted would be given to guests. */
static void test_more_reservations_than_can_be_noted(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 64; count *= 8) {
        size_t size;
        void *loaded = load("virt", &size), *tree = malloc(size + 4096);

        snapshot_setup(NULL);
        assert_int_equal(fdt_open_into(loaded, tree, (int)size + 4096), 0);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(fdt_add_mem_rsv(tree, 0x80100000 + i * 2 * PAGE_SIZE, PAGE_SIZE), 0);
        assert_int_equal(platform_init(tree), count < 64);
        if (count < 64)
            assert_int_equal(memory_owned(MEMORY_RESERVED), count * PAGE_SIZE);
        free(tree);
        free(loaded);
    }
}

/* A region that ends before its registers do is not touched beyond its end. */
static void test_a_plic_without_room_for_its_registers(void **state)
{
    const uint32_t reg[] = {0, cpu_to_fdt32(0xc000000), 0, cpu_to_fdt32(0x1ff000)};
    size_t size;
    void *tree = load("small", &size);
    int node = fdt_node_offset_by_compatible(tree, -1, "sifive,plic-1.0.0");

    (void)state;
    assert_int_equal(fdt_setprop_inplace(tree, node, "reg", reg, sizeof reg), 0);
    assert_true(platform_init(tree));
    assert_false(plic.route(1, 0, platform_hart(0)->id));
    assert_true(serial_needs_poll());
}

/* Whatever a byte of the tree is, nothing is touched outside it (the sanitizers would tell). */
static void damage(const char *name)
{
    size_t size;
    uint8_t *tree = load(name, &size), *copied = malloc(size);
    unsigned accepted = 0;

    for (size_t i = 0; i < size; i++) {
        /* The size in the header is the one thing that nothing else bounds. */
        if (i >= 4 && i < 8)
            continue;
        snapshot_setup(NULL);
        memcpy(copied, tree, size);
        copied[i] ^= (uint8_t[]){0x01, 0x80, 0xff}[i % 3];
        accepted += platform_init(copied);
        platform_set_hart_features(&everything);
    }
    assert_true(accepted > 0);
    free(copied);
    free(tree);
}

static void test_damaged_virt(void **state)
{
    (void)state;
    damage("small");
}

static void test_damaged_aia(void **state)
{
    (void)state;
    damage("aia_aclint");
}

static void test_damaged_board(void **state)
{
    (void)state;
    damage("board");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_virt, snapshot_setup),
        cmocka_unit_test_setup(test_sifive_u, snapshot_setup),
        cmocka_unit_test_setup(test_spike, snapshot_setup),
        cmocka_unit_test_setup(test_aclint, snapshot_setup),
        cmocka_unit_test_setup(test_aplic, snapshot_setup),
        cmocka_unit_test_setup(test_aplic_and_imsics, snapshot_setup),
        cmocka_unit_test_setup(test_locked_addresses_are_left_alone, snapshot_setup),
        cmocka_unit_test_setup(test_kicks_by_imsic, snapshot_setup),
        cmocka_unit_test_setup(test_a_machine_without_controller_is_polled, snapshot_setup),
        cmocka_unit_test_setup(test_board_memory, snapshot_setup),
        cmocka_unit_test_setup(test_board_harts, snapshot_setup),
        cmocka_unit_test_setup(test_board_block_sizes_differ, snapshot_setup),
        cmocka_unit_test_setup(test_board_interrupts, snapshot_setup),
        cmocka_unit_test_setup(test_board_serial, snapshot_setup),
        cmocka_unit_test_setup(test_a_serial_port_with_fifos_is_filled, snapshot_setup),
        cmocka_unit_test_setup(test_a_jammed_port_does_not_hold_anybody_up, snapshot_setup),
        cmocka_unit_test_setup(test_what_is_no_tree, snapshot_setup),
        cmocka_unit_test_setup(test_a_timebase_that_cannot_be, snapshot_setup),
        cmocka_unit_test_setup(test_more_reservations_than_can_be_noted, snapshot_setup),
        cmocka_unit_test_setup(test_a_plic_without_room_for_its_registers, snapshot_setup),
        cmocka_unit_test_setup(test_damaged_virt, snapshot_setup),
        cmocka_unit_test_setup(test_damaged_aia, snapshot_setup),
        cmocka_unit_test_setup(test_damaged_board, snapshot_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
