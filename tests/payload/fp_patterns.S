/* Small uses of the FP and vector units, for RV64GCV; called only where they are there. */
    .text
/* void fp_set_rounding(uint64_t mode), uint64_t fp_rounding(void) */
    .globl fp_set_rounding
fp_set_rounding:
    fsrm a0
    ret
    .globl fp_rounding
fp_rounding:
    frrm a0
    ret

/* void vector_fill(uint64_t seed): v0..v31, each double word seed + register * 64. */
    .globl vector_fill
vector_fill:
    vsetvli a1, zero, e64, m1, ta, ma
    .macro vfill number
    addi a0, a0, 64
    vmv.v.x v\number, a0
    .endm
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    vfill \n
    .endr
    ret

/* uint64_t vector_check(uint64_t seed, uint8_t *buffer): differing double words, and the vl kept. */
    .globl vector_check
vector_check:
    csrr t0, vl
    li a5, 0
    .macro vlook number
    addi a0, a0, 64
    vse64.v v\number, (a1)
    mv a2, a1
    mv a3, t0
8:  ld a4, 0(a2)
    xor a4, a4, a0
    snez a4, a4
    add a5, a5, a4
    addi a2, a2, 8
    addi a3, a3, -1
    bnez a3, 8b
    .endm
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    vlook \n
    .endr
    mv a0, a5
    ret
