#include "unit.h"
#include "ring.h"
#include <string.h>

#define SIZE 16

static uint8_t buffer[SIZE];
static struct ring ring;

static int setup(void **state)
{
    (void)state;
    ring_init(&ring, buffer, SIZE);
    return 0;
}

static void test_first_in_first_out(void **state)
{
    uint8_t out[SIZE];

    (void)state;
    assert_true(ring_empty(&ring));
    assert_int_equal(ring_put(&ring, (const uint8_t *)"hello", 5), 5);
    assert_false(ring_empty(&ring));
    assert_int_equal(ring_used(&ring), 5);
    assert_int_equal(ring_get(&ring, out, 2), 2);
    assert_memory_equal(out, "he", 2);
    assert_int_equal(ring_get(&ring, out, sizeof(out)), 3);
    assert_memory_equal(out, "llo", 3);
    assert_int_equal(ring_get(&ring, out, sizeof(out)), 0);
}

static void test_takes_what_fits(void **state)
{
    uint8_t out[SIZE];

    (void)state;
    assert_int_equal(ring_put(&ring, (const uint8_t *)"0123456789abcdefXYZ", 19), SIZE);
    assert_int_equal(ring_space(&ring), 0);
    assert_int_equal(ring_put(&ring, (const uint8_t *)"!", 1), 0);
    assert_int_equal(ring_get(&ring, out, SIZE), SIZE);
    assert_memory_equal(out, "0123456789abcdef", SIZE);
}

static void test_bytes_can_be_thrown_away(void **state)
{
    uint8_t out[SIZE];

    (void)state;
    ring_put(&ring, (const uint8_t *)"abcdef", 6);
    assert_int_equal(ring_get(&ring, NULL, 4), 4);
    assert_int_equal(ring_get(&ring, out, SIZE), 2);
    assert_memory_equal(out, "ef", 2);
}

/* Counters and buffer positions wrap at different times; nothing may be lost at either. */
static void test_counters_wrap(void **state)
{
    uint64_t seed = 1;
    uint8_t next_in = 0, next_out = 0;

    (void)state;
    ring.head = ring.tail = UINT32_MAX - 1000;
    for (unsigned i = 0; i < 4000; i++) {
        uint8_t bytes[SIZE];
        size_t used = ring_used(&ring), count = unit_random(&seed) % (SIZE + 1);

        for (size_t b = 0; b < count; b++)
            bytes[b] = (uint8_t)(next_in + b);
        size_t put = ring_put(&ring, bytes, count);

        assert_int_equal(put, count < SIZE - used ? count : SIZE - used);
        next_in = (uint8_t)(next_in + put);
        size_t got = ring_get(&ring, bytes, unit_random(&seed) % (SIZE + 1));

        for (size_t b = 0; b < got; b++)
            assert_int_equal(bytes[b], next_out++);
        assert_int_equal(ring_used(&ring), used + put - got);
    }
    assert_true(ring.head < UINT32_MAX / 2); /* it did wrap */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_first_in_first_out, setup),
        cmocka_unit_test_setup(test_takes_what_fits, setup),
        cmocka_unit_test_setup(test_bytes_can_be_thrown_away, setup),
        cmocka_unit_test_setup(test_counters_wrap, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
