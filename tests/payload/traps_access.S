/*
 * Every form of load and store, at one address each: void form(uint64_t address, uint64_t value)
 * for stores and uint64_t form(uint64_t address) for loads. Assembled for RV64GC, so that the
 * compressed and floating-point forms are there; the tests call those only where the hart has F and D.
 * Each is one instruction and a return, so that the fault's pc is the function's address.
 */
    .text
    .macro form name, code:vararg
    .balign 4
    .globl \name
\name:
    .option push
    .option norvc
    \code
    .option pop
    ret
    .endm
    .macro compressed name, code:vararg
    .balign 4
    .globl \name
\name:
    \code
    ret
    .endm

    form load_lb, lb a0, 0(a0)
    form load_lbu, lbu a0, 0(a0)
    form load_lh, lh a0, 0(a0)
    form load_lhu, lhu a0, 0(a0)
    form load_lw, lw a0, 0(a0)
    form load_lwu, lwu a0, 0(a0)
    form load_ld, ld a0, 0(a0)
    form load_lw_negative, lw a0, -4(a0)
    form load_lw_far, lw a0, 2044(a0)
    compressed load_c_lw, c.lw a0, 0(a0)
    compressed load_c_ld, c.ld a0, 0(a0)
    form store_sb, sb a1, 0(a0)
    form store_sh, sh a1, 0(a0)
    form store_sw, sw a1, 0(a0)
    form store_sd, sd a1, 0(a0)
    form store_sw_negative, sw a1, -4(a0)
    compressed store_c_sw, c.sw a1, 0(a0)
    compressed store_c_sd, c.sd a1, 0(a0)

/* Zcb, by encoding, for assemblers without it. */
    form load_c_lbu, .half 0x8108  /* c.lbu a0, 0(a0) */
    form load_c_lhu, .half 0x8508
    form load_c_lh, .half 0x8548
    form store_c_sb, .half 0x890c  /* c.sb a1, 0(a0) */
    form store_c_sh, .half 0x8d0c

/* uint64_t form(uint64_t address, uint64_t operand): what was there before. */
    form amo_swap, amoswap.w a0, a1, (a0)
    form amo_add, amoadd.w a0, a1, (a0)
    form amo_add_aqrl, amoadd.w.aqrl a0, a1, (a0)
    form amo_xor, amoxor.w a0, a1, (a0)
    form amo_or, amoor.w a0, a1, (a0)
    form amo_and, amoand.w a0, a1, (a0)
    form amo_min, amomin.w a0, a1, (a0)
    form amo_max, amomax.w a0, a1, (a0)
    form amo_minu, amominu.w a0, a1, (a0)
    form amo_maxu, amomaxu.w a0, a1, (a0)
    form amo_or_x0, amoor.w zero, a1, (a0)
    form amo_or_d, amoor.d a0, a1, (a0)

/* 0: stored; else not. */
    form store_conditional, sc.w a0, a1, (a0)

/* Half precision, by encoding: flh ft0, 0(a0); fmv.x.d shows all 64 bits. */
    .balign 4
    .globl load_flh
load_flh:
    .word 0x00051007
    fmv.x.d a0, ft0
    ret
    .balign 4
    .globl store_fsh
store_fsh:
    fmv.d.x ft0, a1
    .word 0x00051027               /* fsh ft0, 0(a0) */
    ret

/* A vector of one byte. */
    .balign 4
    .globl load_vector, store_vector
load_vector:
    vsetivli zero, 1, e8, m1, ta, ma
    vle8.v v0, (a0)
    ret
    .balign 4
store_vector:
    vsetivli zero, 1, e8, m1, ta, ma
    vse8.v v0, (a0)
    ret

/* The forms that go through sp: two more instructions around them. */
    .balign 4
    .globl load_c_lwsp
load_c_lwsp:
    mv t1, sp
    mv sp, a0
    c.lwsp a0, 0(sp)
    mv sp, t1
    ret
    .balign 4
    .globl store_c_swsp
store_c_swsp:
    mv t1, sp
    mv sp, a0
    c.swsp a1, 0(sp)
    mv sp, t1
    ret

/* Floating point: through ft0, which a load leaves NaN-boxed (fmv.x.d shows all 64 bits). */
    .balign 4
    .globl load_flw
load_flw:
    flw ft0, 0(a0)
    fmv.x.d a0, ft0
    ret
    .balign 4
    .globl load_fld
load_fld:
    fld ft0, 0(a0)
    fmv.x.d a0, ft0
    ret
    .balign 4
    .globl store_fsw
store_fsw:
    fmv.w.x ft0, a1
    fsw ft0, 0(a0)
    ret
    .balign 4
    .globl store_fsd
store_fsd:
    fmv.d.x ft0, a1
    fsd ft0, 0(a0)
    ret
    .balign 4
    .globl load_c_fld
load_c_fld:
    c.fld fa0, 0(a0)
    fmv.x.d a0, fa0
    ret
    .balign 4
    .globl store_c_fsd
store_c_fsd:
    fmv.d.x fa0, a1
    c.fsd fa0, 0(a0)
    ret

/* What user mode runs. */
    .macro user name, code:vararg
    .balign 4
    .globl \name
\name:
    \code
    ecall
    .endm
    user user_ecall, nop
    user user_wfi, wfi
    user user_load, ld a0, 0(a0)
    user user_load_word, lwu a0, 0(a0)
    user user_store, sd a1, 0(a0)
    user user_jump, jr a0
    user user_rdtime, rdtime a0
    user user_rdcycle, rdcycle a0
    user user_rdinstret, rdinstret a0
    user user_sstatus, csrr a0, sstatus
    user user_satp, csrw satp, zero
    user user_sfence, sfence.vma
    user user_sret, sret
    user user_ebreak, ebreak
