/* Seeds for guests. */
#include "unit.h"
#include "seed.h"
#include <string.h>

/* RFC 8439, 2.3.2. */
static void test_block_is_chacha20(void **state)
{
    const uint32_t input[12] = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                                0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c,
                                1,          0x09000000, 0x4a000000, 0};
    const uint32_t expected[16] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
                                   0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                                   0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
                                   0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
    uint32_t output[16];

    (void)state;
    seed_block(input, output);
    assert_memory_equal(output, expected, sizeof output);
}

static void test_no_seed_without_enough_of_one(void **state)
{
    uint8_t host[SEED_SIZE] = {1}, seed[SEED_SIZE];

    (void)state;
    assert_false(seed_take(5, seed));
    seed_init(host, SEED_SIZE - 1);
    assert_false(seed_take(5, seed));
    seed_init(host, SEED_SIZE);
    assert_true(seed_take(5, seed));
}

static void test_each_gets_another(void **state)
{
    uint8_t host[64], seeds[5][SEED_SIZE];

    (void)state;
    memset(host, 0x5a, sizeof host);
    host[0] = host[63] = 1;
    seed_init(host, sizeof host);
    assert_true(seed_take(7, seeds[0]));
    assert_true(seed_take(7, seeds[1]));
    assert_true(seed_take(8, seeds[2]));
    host[63] = 2; /* all bytes count */
    seed_init(host, sizeof host);
    assert_true(seed_take(7, seeds[3]));
    memcpy(seeds[4], host, SEED_SIZE);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < i; j++)
            assert_memory_not_equal(seeds[i], seeds[j], SEED_SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_is_chacha20),
        cmocka_unit_test(test_no_seed_without_enough_of_one),
        cmocka_unit_test(test_each_gets_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
