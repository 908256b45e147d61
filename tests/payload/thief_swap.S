/* The trick: see thief.c. */
    .text
/* void thief_swap(uint64_t code, volatile uint64_t *entry, uint64_t value, uint64_t device) */
    .globl thief_swap
thief_swap:
    addi sp, sp, -16
    sd ra, 0(sp)
    mv t2, a0
    mv t3, a1
    mv t4, a2
    mv a0, a3
    li a1, 0
    jalr t2                        /* its translation is in the hart now */
    sd t4, 0(t3)
    jalr 8(t2)                     /* and is used again, out of date */
    ld ra, 0(sp)
    addi sp, sp, 16
    ret
