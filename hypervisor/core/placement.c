/* What is asked for after boot; placement_admit.c has decided it. */
#include "placement.h"
#include "capsule.h"

struct hart_set placement_shared = {.harts = UINT64_MAX};

bool placement_has_own_harts(const struct capsule *capsule)
{
    const struct capsule_config *config = &capsule->config;
    return config->exclusive && config->cap == 0 &&
           config->cpus <= (unsigned)__builtin_popcountl(capsule->set->harts);
}
