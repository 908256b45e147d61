/* Filling and checking the FP registers of a hart with F. */
    .text
/* void single_fill(uint64_t seed): register i gets seed + i. */
    .globl single_fill
single_fill:
    .macro fill number
    addi a0, a0, 1
    fmv.w.x f\number, a0
    .endm
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fill \n
    .endr
    ret

/* uint64_t single_check(uint64_t seed): how many differ. */
    .globl single_check
single_check:
    li a1, 0
    .macro look number
    addi a0, a0, 1
    fmv.x.w a2, f\number
    xor a2, a2, a0
    snez a2, a2
    add a1, a1, a2
    .endm
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    look \n
    .endr
    mv a0, a1
    ret
