/* G-stage tables: each address of the RAM that is filled, and no other, is translated, and by the
 * largest page that there can be. */
#include "unit.h"
#include "capsule.h"
#include "csr.h"
#include "isolation.h"
#include "log.h"
#include "memory.h"
#include "ownership.h"
#include "port.h"
#include <stdlib.h>
#include <string.h>

#define RAM_BASE 0x80000000UL
#define PPN_BITS (PTE_PPN << PTE_PPN_SHIFT)

static void *tables; /* what was allocated last */

enum error memory_alloc_low(uint64_t size, uint64_t align, struct hpa *base)
{
    tables = aligned_alloc(align, align_up(size, align));
    memset(tables, 0xff, size); /* memory comes as it was left */
    *base = hpa_of(tables);
    return OK;
}

void memory_free(struct hpa base, uint64_t size, int owner)
{
    (void)size, (void)owner;
    free(hpa_pointer(base));
}

void ownership_set_tables(struct hpa base, uint64_t size, int capsule, bool is_table)
{
    (void)base, (void)size, (void)capsule, (void)is_table;
}

/* --- not called: nothing is filled here --- */

enum error capsule_stop(struct capsule *capsule)
{
    (void)capsule;
    return OK;
}

const char *error_name(enum error error)
{
    (void)error;
    return "";
}

enum error port_capsule_fdt(struct capsule *capsule, void *buffer, size_t size,
                            uint64_t initrd_start, uint64_t initrd_end)
{
    (void)capsule, (void)buffer, (void)size, (void)initrd_start, (void)initrd_end;
    return OK;
}

void port_capsule_show(struct capsule *capsule, uint64_t from, uint64_t to)
{
    (void)capsule, (void)from, (void)to;
}

void port_memory_open(struct capsule *capsule)
{
    (void)capsule;
}

void port_memory_close(void)
{
}

void log_write(const char *format, ...)
{
    (void)format;
}

/* --- a walk (Privileged 1.13, 21.5.1) --- */

struct translation {
    uint64_t host, page; /* page: its size; 0: it is not translated */
};

static struct translation leaf(uint64_t entry, uint64_t guest, uint64_t page)
{
    uint64_t host = (entry & PPN_BITS) >> PTE_PPN_SHIFT << 12;
    assert_int_equal(entry & ~PPN_BITS, PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D);
    assert_int_equal(host % page, 0); /* else the hart raises a fault */
    return (struct translation){host + guest % page, page};
}

static struct translation walk(const struct capsule *capsule, uint64_t guest)
{
    const uint64_t *root = hpa_pointer(capsule->arch.gstage_root), *table;
    uint64_t entry = root[guest / GIGAPAGE_SIZE];
    if (entry == 0)
        return (struct translation){0};
    if (entry & PTE_R)
        return leaf(entry, guest, GIGAPAGE_SIZE);
    assert_int_equal(entry & ~PPN_BITS, PTE_V);
    table = (const uint64_t *)((entry & PPN_BITS) >> PTE_PPN_SHIFT << 12);
    entry = table[guest / MEGAPAGE_SIZE % 512];
    return entry == 0 ? (struct translation){0} : leaf(entry, guest, MEGAPAGE_SIZE);
}

static bool is_shown(const struct capsule *capsule, uint64_t first, uint64_t end)
{
    return first >= RAM_BASE && end <= RAM_BASE + capsule->ram_size &&
           (end <= capsule->ram_low || first >= capsule->ram_high ||
            capsule->ram_low >= capsule->ram_high);
}

/* Can one page of that size be behind this address? */
static bool fits(const struct capsule *capsule, uint64_t guest, uint64_t page)
{
    uint64_t first = align_down(guest, page);
    return is_shown(capsule, first, first + page) &&
           (capsule->ram_host.value - RAM_BASE) % page == 0;
}

/* Every megapage from well below the RAM to well above it. */
static void check_map(const struct capsule *capsule)
{
    uint64_t size = capsule->ram_size;
    for (uint64_t guest = 0; guest < RAM_BASE + size + 2 * GIGAPAGE_SIZE; guest += MEGAPAGE_SIZE) {
        struct translation found = walk(capsule, guest);
        if (!is_shown(capsule, guest, guest + MEGAPAGE_SIZE)) {
            assert_int_equal(found.page, 0);
            continue;
        }
        assert_int_equal(found.host, capsule->ram_host.value + (guest - RAM_BASE));
        assert_int_equal(found.page,
                         fits(capsule, guest, GIGAPAGE_SIZE) ? GIGAPAGE_SIZE : MEGAPAGE_SIZE);
    }
}

static void show(struct capsule *capsule, bool low_end, uint64_t size)
{
    uint64_t low = capsule->ram_low, high = capsule->ram_high;
    if (size > high - low)
        size = high - low;
    if (low_end)
        capsule->ram_low = low + size;
    else
        capsule->ram_high = high - size;
    gstage_show_ram(capsule, low_end ? low : high - size, low_end ? low + size : high);
}

/* Shown at once, hidden again, and shown bit by bit from both ends. */
static void check_maps(uint64_t host, uint64_t size)
{
    struct capsule capsule = {.ram_base = gpa(RAM_BASE), .ram_host = hpa(host), .ram_size = size};
    uint64_t seed = host + size;
    capsule_memory_reset(&capsule);
    assert_int_equal(gstage_create(&capsule), OK);
    check_map(&capsule);
    show(&capsule, true, size);
    check_map(&capsule);
    capsule_memory_reset(&capsule);
    gstage_hide_ram(&capsule);
    check_map(&capsule);
    while (capsule.ram_low < capsule.ram_high) {
        for (unsigned i = unit_random(&seed) % 128; i > 0 && capsule.ram_low < capsule.ram_high;
             i--)
            show(&capsule, unit_random(&seed) % 2, (1 + unit_random(&seed) % 3) * MEGAPAGE_SIZE);
        check_map(&capsule);
    }
    gstage_destroy(&capsule);
}

static void test_a_small_guest(void **state)
{
    (void)state;
    check_maps(0x87800000, 4 * MEGAPAGE_SIZE);
}

static void test_whole_gigabytes(void **state)
{
    (void)state;
    check_maps(4 * GIGAPAGE_SIZE, GIGAPAGE_SIZE);
    check_maps(7 * GIGAPAGE_SIZE, 3 * GIGAPAGE_SIZE);
}

static void test_gigabytes_and_some(void **state)
{
    (void)state;
    check_maps(4 * GIGAPAGE_SIZE, 2 * GIGAPAGE_SIZE + MEGAPAGE_SIZE);
    check_maps(4 * GIGAPAGE_SIZE, 2 * GIGAPAGE_SIZE - MEGAPAGE_SIZE);
}

static void test_gigabytes_out_of_step(void **state)
{
    (void)state;
    check_maps(4 * GIGAPAGE_SIZE + MEGAPAGE_SIZE, 2 * GIGAPAGE_SIZE);
}

static void test_anywhere(void **state)
{
    uint64_t seed = 1;
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t host = (1024 + unit_random(&seed) % 8192) * MEGAPAGE_SIZE;
        if (i % 2)
            host = align_down(host, GIGAPAGE_SIZE);
        check_maps(host, (1 + unit_random(&seed) % 2048) * MEGAPAGE_SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_guest),      cmocka_unit_test(test_whole_gigabytes),
        cmocka_unit_test(test_gigabytes_and_some), cmocka_unit_test(test_gigabytes_out_of_step),
        cmocka_unit_test(test_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
