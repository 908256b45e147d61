/*
 * A hart's own way to its IMSIC's machine-level interrupt file: miselect and mireg, and mtopei
 * (Advanced Interrupt Architecture 1.0, 2.1 and 3.10).
 *
 * On the build machine a test provides these functions.
 */
#ifndef DRIVERS_IMSIC_CSR_H
#define DRIVERS_IMSIC_CSR_H

#include <stdint.h>

#ifdef __riscv
static inline void imsic_csr_write(unsigned number, uint64_t value)
{
    __asm__ volatile("csrw 0x350, %0\n\tcsrw 0x351, %1" ::"r"((uint64_t)number), "r"(value));
}

/* Reads mtopei and claims what it reports in one instruction, so that it is the same. */
static inline uint64_t imsic_csr_claim(void)
{
    uint64_t top;
    __asm__ volatile("csrrw %0, 0x35c, zero" : "=r"(top)::"memory");
    return top;
}
#else
void imsic_csr_write(unsigned number, uint64_t value);
uint64_t imsic_csr_claim(void);
#endif

#endif
