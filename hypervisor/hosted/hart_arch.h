/* The hosted port's hart: notes what the core asks of it. */
#ifndef HOSTED_HART_ARCH_H
#define HOSTED_HART_ARCH_H

#include <stdint.h>

struct hart_arch {
    uint64_t timer; /* what port_set_timer was last told */
    unsigned kicks; /* how often port_kick was called for it */
};

#endif
