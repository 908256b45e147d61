/*
 * The table of the extensions that a guest may use, for isa.c, which stays, and isa_read.c, which
 * is for boot alone. A place in it is a bit of struct isa.
 */
#ifndef RISCV_ISA_TABLE_H
#define RISCV_ISA_TABLE_H

#include "isa.h"
#include <stdbool.h>

enum need {
    NEED_NOTHING,
    NEED_F,
    NEED_D,
    NEED_V,
    NEED_SSTC,
    NEED_SVADU,
    NEED_ZAWRS,
    NEED_ZICBOZ
};

struct extension {
    char name[13];
    uint8_t need; /* enum need: what must have been found by trying */
};

extern const struct extension isa_table[];
extern const size_t isa_count;

static inline bool isa_has_place(const struct isa *isa, size_t place)
{
    return place < isa_count && isa->bits[place / 64] >> place % 64 & 1;
}

/* The place of a name, in any case; isa_count: there is none. Most lists are in the table's order,
 * more or less, so the search begins behind what was found last. */
size_t isa_find_after(size_t last, const char *text, size_t length);
size_t isa_find(const char *text, size_t length);
/* Is it the name? */
bool isa_is_name(const char *name, const char *text, size_t length);

static inline char isa_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

#endif
