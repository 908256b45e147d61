/*
 * Addresses have types, so that mixing worlds does not compile: a host-physical address (HPA) is
 * what the machine's bus sees, a guest-physical address (GPA) what a capsule believes is one.
 */
#ifndef CORE_ADDR_H
#define CORE_ADDR_H

#include <stdint.h>

#define PAGE_SIZE     4096UL
#define MEGAPAGE_SIZE (512UL * PAGE_SIZE)
#define GIGAPAGE_SIZE (512UL * MEGAPAGE_SIZE)

struct hpa {
    uint64_t value;
};

struct gpa {
    uint64_t value;
};

static inline struct hpa hpa(uint64_t value)
{
    return (struct hpa){value};
}

static inline struct gpa gpa(uint64_t value)
{
    return (struct gpa){value};
}

/* The hypervisor runs without address translation: a host-physical address is a pointer. */
static inline void *hpa_pointer(struct hpa address)
{
    return (void *)(uintptr_t)address.value;
}

static inline struct hpa hpa_of(const void *pointer)
{
    return hpa((uintptr_t)pointer);
}

static inline uint64_t align_up(uint64_t value, uint64_t power_of_two)
{
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

static inline uint64_t align_down(uint64_t value, uint64_t power_of_two)
{
    return value & ~(power_of_two - 1);
}

#endif
