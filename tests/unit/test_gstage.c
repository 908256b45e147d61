/* G-stage tables: each address of the RAM and no other is translated, and by the largest page that
 * there can be. */
#include "unit.h"
#include "capsule.h"
#include "csr.h"
#include "isolation.h"
#include "log.h"
#include "memory.h"
#include "ownership.h"
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

/* Can one page of that size be behind this address? */
static bool fits(const struct capsule *capsule, uint64_t guest, uint64_t page)
{
    uint64_t first = align_down(guest, page), base = capsule->ram_base.value;
    return first >= base && first + page <= base + capsule->ram_size &&
           (capsule->ram_host.value - base) % page == 0;
}

/* Every megapage from well below the RAM to well above it. */
static void check_map(uint64_t host, uint64_t size)
{
    struct capsule capsule = {.ram_base = gpa(RAM_BASE), .ram_host = hpa(host), .ram_size = size};
    assert_int_equal(gstage_create(&capsule), OK);
    for (uint64_t guest = 0; guest < RAM_BASE + size + 2 * GIGAPAGE_SIZE; guest += MEGAPAGE_SIZE) {
        struct translation found = walk(&capsule, guest);
        bool inside = guest >= RAM_BASE && guest < RAM_BASE + size;
        if (!inside) {
            assert_int_equal(found.page, 0);
            continue;
        }
        assert_int_equal(found.host, host + (guest - RAM_BASE));
        assert_int_equal(found.page,
                         fits(&capsule, guest, GIGAPAGE_SIZE) ? GIGAPAGE_SIZE : MEGAPAGE_SIZE);
    }
    gstage_destroy(&capsule);
}

static void test_a_small_guest(void **state)
{
    (void)state;
    check_map(0x87800000, 4 * MEGAPAGE_SIZE);
}

static void test_whole_gigabytes(void **state)
{
    (void)state;
    check_map(4 * GIGAPAGE_SIZE, GIGAPAGE_SIZE);
    check_map(7 * GIGAPAGE_SIZE, 3 * GIGAPAGE_SIZE);
}

static void test_gigabytes_and_some(void **state)
{
    (void)state;
    check_map(4 * GIGAPAGE_SIZE, 2 * GIGAPAGE_SIZE + MEGAPAGE_SIZE);
    check_map(4 * GIGAPAGE_SIZE, 2 * GIGAPAGE_SIZE - MEGAPAGE_SIZE);
}

static void test_gigabytes_out_of_step(void **state)
{
    (void)state;
    check_map(4 * GIGAPAGE_SIZE + MEGAPAGE_SIZE, 2 * GIGAPAGE_SIZE);
}

static void test_anywhere(void **state)
{
    uint64_t seed = 1;
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t host = (1024 + unit_random(&seed) % 8192) * MEGAPAGE_SIZE;
        if (i % 2)
            host = align_down(host, GIGAPAGE_SIZE);
        check_map(host, (1 + unit_random(&seed) % 2048) * MEGAPAGE_SIZE);
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
