/*
 * Random numbers for guests' /chosen/rng-seed, made of the one that the machine's own device tree
 * brought. Any hart, any locks.
 */
#ifndef RISCV_SEED_H
#define RISCV_SEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEED_SIZE 32

/* At boot. Fewer than SEED_SIZE bytes are not enough. */
void seed_init(const uint8_t *bytes, size_t size);
/* A seed that nobody else gets; false if there is nothing to make it of. */
bool seed_take(uint64_t time, uint8_t seed[SEED_SIZE]);

/* The ChaCha20 block function behind the four constant words: key, counter, nonce. */
void seed_block(const uint32_t input[12], uint32_t output[16]);

#endif
