/* What each unit test includes: cmocka, which needs four headers before it, and a repeatable
 * source of random numbers. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* A 64-bit linear congruential generator (Knuth's MMIX constants); its upper half is returned. */
static inline uint32_t unit_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*seed >> 32);
}

#endif
