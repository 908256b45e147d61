/*
 * What the fuzz targets share. A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput(); what
 * it cannot accept, beyond what the sanitizers find, it states with CHECK.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run as a finding. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* At the start of each input: all variables of the code under test as the program began. */
void fuzz_reset(void);

/* The bytes in heap memory of exactly their size, so that each step beyond is seen. */
void *fuzz_copy(const void *bytes, size_t size);
/* The same as a string, with its NUL. */
char *fuzz_string(const void *bytes, size_t size);

/* What was logged since the reset, whatever of it fits. */
extern char fuzz_logged[];
bool fuzz_is_printable(const char *text);

/* An input that is taken piece by piece; what is missing at its end reads as zero. */
struct input {
    const uint8_t *at;
    size_t left;
};

/* A little-endian number of `bytes` bytes, 1 to 8. */
static inline uint64_t take(struct input *input, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && input->left; i++, input->left--)
        value |= (uint64_t)*input->at++ << 8 * i;
    return value;
}

/* Up to `most` bytes as they are; *count says how many. */
static inline const uint8_t *take_bytes(struct input *input, size_t most, size_t *count)
{
    const uint8_t *bytes = input->at;

    *count = most < input->left ? most : input->left;
    if (*count)
        input->at += *count;
    input->left -= *count;
    return bytes;
}

#endif
