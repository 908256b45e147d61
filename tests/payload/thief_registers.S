/* Filling, checking and reading the FP registers; for RV64GC. And the trick: see thief.c. */
    .text
/* void fp_fill(uint64_t seed): register i gets seed + i. */
    .globl fp_fill
fp_fill:
    .macro fill number
    addi a0, a0, 1
    fmv.d.x f\number, a0
    .endm
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fill \n
    .endr
    ret

/* uint64_t fp_check(uint64_t seed): how many differ. */
    .globl fp_check
fp_check:
    li a1, 0
    .macro look number
    addi a0, a0, 1
    fmv.x.d a2, f\number
    xor a2, a2, a0
    snez a2, a2
    add a1, a1, a2
    .endm
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    look \n
    .endr
    mv a0, a1
    ret

/* void thief_read(uint64_t registers[32]) */
    .globl thief_read
thief_read:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd f\n, (\n * 8)(a0)
    .endr
    ret

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
