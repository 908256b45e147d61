/* What must hold of each plan that the loader makes: fuzz_image.c and fuzz_kernel.c. */
#ifndef FUZZ_PLAN_H
#define FUZZ_PLAN_H

#include "capsule.h"

/* Plans for RAM of `size` bytes at `base`, and checks what comes of it. */
void plan_check(const struct capsule_config *config, struct gpa base, uint64_t size);

#endif
