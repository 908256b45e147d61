/*
 * Changes to a device tree that leave it one: bytes that are changed at random seldom get past the
 * check of its structure. The target's LLVMFuzzerCustomMutator and LLVMFuzzerCustomCrossOver call
 * these.
 */
#ifndef FUZZ_TREE_H
#define FUZZ_TREE_H

#include <stddef.h>
#include <stdint.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* libFuzzer's own, for the target to define. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other,
                                 size_t other_size, uint8_t *to, size_t max_size, unsigned seed);

#define TREE_MAX 65536

/* The size that the tree states; 0 if these bytes are none. */
size_t tree_size(const uint8_t *data, size_t size);
/* Both return the new size, 0 if nothing was done. `names` ends with NULL: properties that the code
 * under test looks for. */
size_t tree_mutate(const uint8_t *tree, uint8_t *to, size_t max_size, const char *const *names,
                   unsigned seed);
size_t tree_cross(const uint8_t *tree, const uint8_t *other, uint8_t *to, size_t max_size,
                  unsigned seed);

#endif
