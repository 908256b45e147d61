/*
 * Sets all of a program's variables back to what they were before its first test: for code that
 * keeps its state in static variables and has, rightly, no way to start over. Included by one file
 * of a test; `snapshot_setup` is the set-up function of each test.
 */
#ifndef UNIT_SNAPSHOT_H
#define UNIT_SNAPSHOT_H

#include <stdint.h>
#include <stdlib.h>

extern char __data_start[], _end[]; /* ld: the program's variables */
static char *snapshot;

/* What a test allocates may stay in use to its end, and is then forgotten with everything else. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* The sanitizer keeps guards between variables, so its checks must stay out. */
__attribute__((no_sanitize("address", "undefined"))) static void snapshot_copy(char *to,
                                                                               const char *from)
{
    volatile uint64_t *words = (uint64_t *)to;

    for (size_t i = 0; i < (size_t)(_end - __data_start) / 8; i++)
        words[i] = ((const volatile uint64_t *)from)[i];
}

static int snapshot_setup(void **state)
{
    (void)state;
    if (!snapshot) {
        snapshot = malloc(_end - __data_start);
        snapshot_copy(snapshot, __data_start);
    }
    snapshot_copy(__data_start, snapshot);
    return 0;
}

#endif
