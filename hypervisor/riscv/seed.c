/*
 * See seed.h. Linux has no randomness of its own for a while after its start, and until then asks
 * for it under one lock at each system call; firmware and boot loaders therefore hand it a seed,
 * and who hands one on must not hand it to two.
 *
 * The host's seed is the key of ChaCha20 (RFC 8439, 2.3), and each guest's is a block with a
 * counter of its own: one tells nothing of the key, nor of another. The time goes in as well, since
 * a boot loader may give the same seed twice.
 */
#include "boot_only.h"
#include "seed.h"
#include <stdatomic.h>
#include <string.h>

static uint32_t key[8];
static bool seeded;
static _Atomic uint32_t taken;

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

/* Column rounds, then diagonal rounds: the latter are the same with each row turned by its number.
 */
void seed_block(const uint32_t input[12], uint32_t output[16])
{
    uint32_t x[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    memcpy(x + 4, input, 12 * sizeof x[0]);
    memcpy(output, x, sizeof x);
    for (unsigned round = 0; round < 20; round++) {
        unsigned turn = round % 2;

        for (unsigned i = 0; i < 4; i++)
            quarter_round(&x[i], &x[4 + (i + turn) % 4], &x[8 + (i + 2 * turn) % 4],
                          &x[12 + (i + 3 * turn) % 4]);
    }
    for (unsigned i = 0; i < 16; i++)
        output[i] += x[i];
}

/* What is longer than a key is folded into one. */
BOOT_ONLY void seed_init(const uint8_t *bytes, size_t size)
{
    uint8_t folded[sizeof key] = {0};

    for (size_t i = 0; i < size; i++)
        folded[i % sizeof folded] ^= bytes[i];
    memcpy(key, folded, sizeof key);
    seeded = size >= SEED_SIZE;
}

bool seed_take(uint64_t time, uint8_t seed[SEED_SIZE])
{
    uint32_t input[12], output[16];

    if (!seeded)
        return false;
    memcpy(input, key, sizeof key);
    input[8] = atomic_fetch_add(&taken, 1);
    input[9] = 0;
    memcpy(input + 10, &time, sizeof time);
    seed_block(input, output);
    memcpy(seed, output, SEED_SIZE);
    return true;
}
