/* The hosted port's capsule: counts what the core asks for, so that a test can find leaks. */
#ifndef HOSTED_CAPSULE_ARCH_H
#define HOSTED_CAPSULE_ARCH_H

#include <stdbool.h>
#include <stdint.h>

struct capsule_arch {
    void *machine;
    bool created; /* between port_capsule_create and port_capsule_destroy */
    unsigned resets, console_events;
    uint64_t shown;                /* bytes of RAM, in this life */
    uint64_t shown_from, shown_to; /* what of it was shown last */
};

#endif
