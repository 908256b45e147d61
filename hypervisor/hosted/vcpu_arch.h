/* The hosted port's vCPU: a test decides what it does and whether an interrupt is pending. */
#ifndef HOSTED_VCPU_ARCH_H
#define HOSTED_VCPU_ARCH_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu_arch {
    uint64_t entry, a0, a1; /* of the last reset */
    unsigned resets;
    bool interrupt; /* one is pending: port_vcpu_wakes_at() */
    uint64_t timer; /* when one will be; 0 never */
};

#endif
