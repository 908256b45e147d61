/*
 * The payload's first and lowest code: entry, self-relocation, traps, the way to user mode.
 *
 * tp holds the struct hart_local of this hart in supervisor mode, sscratch always does.
 * The offsets into it are those of payload.h, where static assertions hold them.
 */
#define LOCAL_RESUME      0
#define LOCAL_TRAPPED     8
#define LOCAL_SCAUSE      16
#define LOCAL_STVAL       24
#define LOCAL_SEPC        32
#define LOCAL_USER_RETURN 40
#define LOCAL_SCRATCH     48
#define LOCAL_ID          56
#define LOCAL_STACK_TOP   64
#define LOCAL_A0          72

#define R_RISCV_RELATIVE  3

#define SSTATUS_SPP       (1 << 8)

    .section .text.start, "ax"
    .globl _start
_start:
    csrw sie, zero
    mv s0, a0
    mv s1, a1

    /* Add the load address to every pointer that the linker has left for us. */
    lla t0, __rela_start
    lla t1, __rela_end
    lla t2, __image_start
    li t6, R_RISCV_RELATIVE
1:  bgeu t0, t1, 2f
    ld t3, 0(t0)
    ld t4, 8(t0)
    ld t5, 16(t0)
    addi t0, t0, 24
    bne t4, t6, 1b
    add t3, t3, t2
    add t5, t5, t2
    sd t5, 0(t3)
    j 1b

2:  lla t0, __bss_start
    lla t1, __bss_end
3:  bgeu t0, t1, 4f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 3b

4:  fence.i
    lla tp, hart_locals
    lla sp, boot_stack_top
    sd s0, LOCAL_ID(tp)
    sd sp, LOCAL_STACK_TOP(tp)
    csrw sscratch, tp
    lla t0, trap_entry
    csrw stvec, t0
    mv a0, s0
    mv a1, s1
    call payload_start
5:  wfi
    j 5b

/* A hart that HSM has started: a0 its id, a1 its struct hart_local (the opaque value). */
    .globl secondary_entry
secondary_entry:
    mv tp, a1
    ld sp, LOCAL_STACK_TOP(tp)
    csrr a2, satp
    csrr a3, sstatus
    csrw sie, zero
    csrw sscratch, tp
    lla t0, trap_entry
    csrw stvec, t0
    call secondary_start
6:  wfi
    j 6b

    .text
/*
 * A trap from supervisor mode saves the registers that C may change, on the stack in use.
 * A trap from user mode ends user_run() instead: its caller's registers are on its stack.
 */
    .balign 4
    .globl trap_entry
trap_entry:
    csrrw tp, sscratch, tp
    sd t0, LOCAL_SCRATCH(tp)
    csrr t0, sstatus
    andi t0, t0, SSTATUS_SPP
    beqz t0, from_user
    csrw sscratch, tp
    ld t0, LOCAL_SCRATCH(tp)
    addi sp, sp, -144
    sd ra, 0(sp)
    sd t0, 8(sp)
    sd t1, 16(sp)
    sd t2, 24(sp)
    sd t3, 32(sp)
    sd t4, 40(sp)
    sd t5, 48(sp)
    sd t6, 56(sp)
    sd a0, 64(sp)
    sd a1, 72(sp)
    sd a2, 80(sp)
    sd a3, 88(sp)
    sd a4, 96(sp)
    sd a5, 104(sp)
    sd a6, 112(sp)
    sd a7, 120(sp)
    call trap_handle
    ld ra, 0(sp)
    ld t0, 8(sp)
    ld t1, 16(sp)
    ld t2, 24(sp)
    ld t3, 32(sp)
    ld t4, 40(sp)
    ld t5, 48(sp)
    ld t6, 56(sp)
    ld a0, 64(sp)
    ld a1, 72(sp)
    ld a2, 80(sp)
    ld a3, 88(sp)
    ld a4, 96(sp)
    ld a5, 104(sp)
    ld a6, 112(sp)
    ld a7, 120(sp)
    addi sp, sp, 144
    sret

from_user:
    csrw sscratch, tp
    csrr t0, scause
    sd t0, LOCAL_SCAUSE(tp)
    csrr t0, stval
    sd t0, LOCAL_STVAL(tp)
    csrr t0, sepc
    sd t0, LOCAL_SEPC(tp)
    li t0, 1
    sd t0, LOCAL_TRAPPED(tp)
    sd a0, LOCAL_A0(tp)
    ld sp, LOCAL_USER_RETURN(tp)
    ld ra, 0(sp)
    ld s0, 8(sp)
    ld s1, 16(sp)
    ld s2, 24(sp)
    ld s3, 32(sp)
    ld s4, 40(sp)
    ld s5, 48(sp)
    ld s6, 56(sp)
    ld s7, 64(sp)
    ld s8, 72(sp)
    ld s9, 80(sp)
    ld s10, 88(sp)
    ld s11, 96(sp)
    ld gp, 104(sp)
    addi sp, sp, 112
    ret

/* void user_run(entry, a0, a1): runs user code until its first trap, which lands in hart_local. */
    .globl user_run
user_run:
    addi sp, sp, -112
    sd ra, 0(sp)
    sd s0, 8(sp)
    sd s1, 16(sp)
    sd s2, 24(sp)
    sd s3, 32(sp)
    sd s4, 40(sp)
    sd s5, 48(sp)
    sd s6, 56(sp)
    sd s7, 64(sp)
    sd s8, 72(sp)
    sd s9, 80(sp)
    sd s10, 88(sp)
    sd s11, 96(sp)
    sd gp, 104(sp)
    sd sp, LOCAL_USER_RETURN(tp)
    csrw sepc, a0
    li t0, SSTATUS_SPP
    csrc sstatus, t0
    mv a0, a1
    mv a1, a2
    sret

/*
 * uint64_t sbi_preserves(const uint64_t call[8]): makes the SBI call whose a0..a7 are given, with
 * a known value in every other register, and returns a mask of the registers that came back
 * different. a0 and a1 are the call's results (SBI 3.0, 3). tp and sp are compared with themselves.
 */
    .globl sbi_preserves
sbi_preserves:
    addi sp, sp, -176
    sd ra, 0(sp)
    sd s0, 8(sp)
    sd s1, 16(sp)
    sd s2, 24(sp)
    sd s3, 32(sp)
    sd s4, 40(sp)
    sd s5, 48(sp)
    sd s6, 56(sp)
    sd s7, 64(sp)
    sd s8, 72(sp)
    sd s9, 80(sp)
    sd s10, 88(sp)
    sd s11, 96(sp)
    sd gp, 104(sp)
    sd tp, 112(sp)
    sd a0, 120(sp)
    sd sp, 128(sp)
    csrw sscratch, sp /* to compare sp with; no trap comes here: interrupts are off */
    mv t0, a0
    ld a0, 0(t0)
    ld a1, 8(t0)
    ld a2, 16(t0)
    ld a3, 24(t0)
    ld a4, 32(t0)
    ld a5, 40(t0)
    ld a6, 48(t0)
    ld a7, 56(t0)
    li ra, 0x101
    li gp, 0x103
    li t0, 0x105
    li t1, 0x106
    li t2, 0x107
    li s0, 0x108
    li s1, 0x109
    li s2, 0x112
    li s3, 0x113
    li s4, 0x114
    li s5, 0x115
    li s6, 0x116
    li s7, 0x117
    li s8, 0x118
    li s9, 0x119
    li s10, 0x11a
    li s11, 0x11b
    li t3, 0x11c
    li t4, 0x11d
    li t5, 0x11e
    li t6, 0x11f
    ecall
    /* s0..s11 go to memory first: then they are free to work with. */
    sd t0, 136(sp)
    sd t1, 144(sp)
    li a0, 0
    .macro compare register, value, bit
    li t1, \value
    beq \register, t1, 9f
    li t1, 1 << \bit
    or a0, a0, t1
9:
    .endm
    ld t0, 136(sp)
    compare t0, 0x105, 5
    ld t0, 144(sp)
    compare t0, 0x106, 6
    compare ra, 0x101, 1
    compare gp, 0x103, 3
    compare t2, 0x107, 7
    compare s0, 0x108, 8
    compare s1, 0x109, 9
    compare s2, 0x112, 18
    compare s3, 0x113, 19
    compare s4, 0x114, 20
    compare s5, 0x115, 21
    compare s6, 0x116, 22
    compare s7, 0x117, 23
    compare s8, 0x118, 24
    compare s9, 0x119, 25
    compare s10, 0x11a, 26
    compare s11, 0x11b, 27
    compare t3, 0x11c, 28
    compare t4, 0x11d, 29
    compare t5, 0x11e, 30
    compare t6, 0x11f, 31
    ld t0, 120(sp)
    .macro compare_argument register, offset, bit
    ld t1, \offset(t0)
    beq \register, t1, 9f
    li t1, 1 << \bit
    or a0, a0, t1
9:
    .endm
    compare_argument a2, 16, 12
    compare_argument a3, 24, 13
    compare_argument a4, 32, 14
    compare_argument a5, 40, 15
    compare_argument a6, 48, 16
    compare_argument a7, 56, 17
    ld t0, 112(sp)
    beq tp, t0, 7f
    ori a0, a0, 1 << 4
    mv tp, t0
7:  csrrw t0, sscratch, tp
    beq sp, t0, 8f
    ori a0, a0, 1 << 2
    mv sp, t0
8:  ld ra, 0(sp)
    ld s0, 8(sp)
    ld s1, 16(sp)
    ld s2, 24(sp)
    ld s3, 32(sp)
    ld s4, 40(sp)
    ld s5, 48(sp)
    ld s6, 56(sp)
    ld s7, 64(sp)
    ld s8, 72(sp)
    ld s9, 80(sp)
    ld s10, 88(sp)
    ld s11, 96(sp)
    ld gp, 104(sp)
    addi sp, sp, 176
    ret

/* What user mode runs to do nothing for ever. */
    .balign 4
    .globl user_spin
user_spin:
    j user_spin

/* try_instruction() writes one instruction here and calls it. */
    .section .data
    .balign 64
    .globl instruction_buffer
instruction_buffer:
    .4byte 0
    .4byte 0x00008067 /* ret */
    .4byte 0x00008067

    .section .bss
    .balign 16
    .skip 16384
boot_stack_top:
