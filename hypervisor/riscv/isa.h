/* Which ISA extensions a hart has, by its device tree, of those that a guest may use. */
#ifndef RISCV_ISA_H
#define RISCV_ISA_H

#include "hart_arch.h"
#include <stddef.h>

struct isa {
    uint64_t bits[2]; /* by place in isa.c's table */
};

/* Reads a string like riscv,isa: "rv64imafdc_zicsr_zba", in any case, with or without versions.
 * What a guest may not use, or nobody here knows, is left out. */
struct isa isa_of_string(const char *string);
/* Reads a list like riscv,isa-extensions: strings with their NULs, `size` bytes in all. */
struct isa isa_of_list(const char *list, size_t size);
struct isa isa_intersection(struct isa a, struct isa b);
bool isa_has(const struct isa *isa, const char *name);
/* Takes away what a manifest's `isa` names, "-v,-zba" say, and all that cannot be without it. NULL,
 * or the first of the names, up to a comma or a space, that nobody knows or that must stay. */
const char *isa_remove(struct isa *isa, const char *names);
/* Removes what was tried and is not there, whatever the device tree says. */
void isa_limit(struct isa *isa, const struct hart_features *features);
struct machine_isa;
/* Writes both forms into `text`. */
void isa_format(const struct isa *isa, struct machine_isa *text);

#endif
