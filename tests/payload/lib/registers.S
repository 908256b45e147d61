/*
 * Moving, filling and checking the FP and vector registers. The library is compiled for RV64GCV; a
 * payload calls only what its hart has.
 */
    .macro each_register operation:vararg
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \operation \n
    .endr
    .endm

    .text
/* void fp_fill(uint64_t seed): register i gets seed + 1 + i. single_fill: where there is no D. */
    .macro fill number
    addi a0, a0, 1
    fmv.d.x f\number, a0
    .endm
    .globl fp_fill
fp_fill:
    each_register fill
    ret

    .macro fill_single number
    addi a0, a0, 1
    fmv.w.x f\number, a0
    .endm
    .globl single_fill
single_fill:
    each_register fill_single
    ret

/* uint64_t fp_check(uint64_t seed): how many registers differ from what fp_fill has put there. */
    .macro look number
    addi a0, a0, 1
    fmv.x.d a2, f\number
    xor a2, a2, a0
    snez a2, a2
    add a1, a1, a2
    .endm
    .globl fp_check
fp_check:
    li a1, 0
    each_register look
    mv a0, a1
    ret

    .macro look_single number
    addi a0, a0, 1
    fmv.x.w a2, f\number
    xor a2, a2, a0
    snez a2, a2
    add a1, a1, a2
    .endm
    .globl single_check
single_check:
    li a1, 0
    each_register look_single
    mv a0, a1
    ret

/* void fp_store(uint64_t registers[32]), void fp_load(const uint64_t registers[32]) */
    .macro store number
    fsd f\number, (\number * 8)(a0)
    .endm
    .globl fp_store
fp_store:
    each_register store
    ret

    .macro load number
    fld f\number, (\number * 8)(a0)
    .endm
    .globl fp_load
fp_load:
    each_register load
    ret

/* void vector_store(uint8_t *registers, uint64_t vlenb), vector_load(…): all 32, whatever vtype says.
 * Whole-register moves heed vstart, which has to be 0. */
    .macro each_eighth op
    slli a1, a1, 3
    \op v0, (a0)
    add a0, a0, a1
    \op v8, (a0)
    add a0, a0, a1
    \op v16, (a0)
    add a0, a0, a1
    \op v24, (a0)
    .endm

    .globl vector_store
vector_store:
    each_eighth vs8r.v
    ret

    .globl vector_load
vector_load:
    each_eighth vl8re8.v
    ret

/* void vector_set_type(uint64_t vl, uint64_t vtype) */
    .globl vector_set_type
vector_set_type:
    vsetvl zero, a0, a1
    ret

/* uint64_t fp_harmonic(uint64_t terms): the bits of the sum of 1/i, to see arithmetic survive. */
    .globl fp_harmonic
fp_harmonic:
    fmv.d.x ft0, zero
    li a1, 1
    fcvt.d.l ft1, a1
1:  fcvt.d.l ft2, a0
    fdiv.d ft2, ft1, ft2
    fadd.d ft0, ft0, ft2
    addi a0, a0, -1
    bnez a0, 1b
    fmv.x.d a0, ft0
    ret

/* uint64_t vector_harmonic(uint64_t terms): the bits of the sum of 1/i by vector instructions, each
 * element its own sum, added up at the end. Leaves another vl, vtype and registers behind. */
    .globl vector_harmonic
vector_harmonic:
    li t0, 4
    vsetvli zero, t0, e64, m2, ta, ma  /* four elements wherever VLEN is 128 or more */
    vid.v v8
    vadd.vi v8, v8, 1
    vmv.v.i v10, 0
    li t1, 1
    fcvt.d.l ft1, t1
1:  vfcvt.f.xu.v v12, v8
    vfrdiv.vf v12, v12, ft1
    vfadd.vv v10, v10, v12
    vadd.vi v8, v8, 4
    addi a0, a0, -4
    bgtz a0, 1b
    fmv.d.x ft0, zero
    vfmv.s.f v14, ft0
    vfredosum.vs v14, v10, v14
    vfmv.f.s ft0, v14
    fmv.x.d a0, ft0
    ret
