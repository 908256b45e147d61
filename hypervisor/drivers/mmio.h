/*
 * Device registers. The fences order them against memory, which the ISA otherwise does not (RISC-V
 * unprivileged specification, 2.7): what was written to memory before is visible when the device
 * is told, and what is read from memory after is not older than the device's answer.
 *
 * On the build machine a test provides mmio_read and mmio_write, and with them the devices.
 */
#ifndef DRIVERS_MMIO_H
#define DRIVERS_MMIO_H

#include <stdint.h>

#ifdef __riscv
static inline uint64_t mmio_read(uint64_t address, unsigned size)
{
    uint64_t value;

    if (size == 1)
        value = *(volatile uint8_t *)address;
    else if (size == 2)
        value = *(volatile uint16_t *)address;
    else if (size == 4)
        value = *(volatile uint32_t *)address;
    else
        value = *(volatile uint64_t *)address;
    __asm__ volatile("fence i, r" ::: "memory");
    return value;
}

static inline void mmio_write(uint64_t address, unsigned size, uint64_t value)
{
    __asm__ volatile("fence w, o" ::: "memory");
    if (size == 1)
        *(volatile uint8_t *)address = value;
    else if (size == 2)
        *(volatile uint16_t *)address = value;
    else if (size == 4)
        *(volatile uint32_t *)address = value;
    else
        *(volatile uint64_t *)address = value;
}
#else
uint64_t mmio_read(uint64_t address, unsigned size);
void mmio_write(uint64_t address, unsigned size, uint64_t value);
#endif

static inline uint32_t mmio_read32(uint64_t address)
{
    return mmio_read(address, 4);
}

static inline void mmio_write32(uint64_t address, uint32_t value)
{
    mmio_write(address, 4, value);
}

#endif
