/*
 * Into an action and back. The offsets are those of fuzz.h, where static assertions hold them.
 *
 * Each worker has a trap entry of its own, so that nothing but the pc must have survived an action:
 * not sscratch, no register. Translation is switched off first of all, which works because every
 * table that an action uses maps this code where it is.
 */
#define WORKERS       8
#define WORKER_SIZE   2048
#define WORKER_INSIDE 128
#define WORKER_SCAUSE 136
#define WORKER_STVAL  144
#define WORKER_SEPC   152
#define WORKER_A0     160
#define WORKER_STACK  168
#define WORKER_BURST  176
#define WORKER_REFUSED 184
#define WORKER_NEXT   192
#define STATE_SATP    256
#define STATE_SSTATUS 264
#define STATE_SIE     272

#define SSTATUS_UNITS 0x6600        /* FS and VS: dirty */

    .text
    .option norvc
    .balign 256
    .globl fuzz_traps
fuzz_traps:
    .set number, 0
    .rept WORKERS
    .rept 16                        /* one for each interrupt, if stvec is vectored */
    j 1f
    .endr
1:  csrr t0, satp
    beqz t0, 2f
    csrw satp, zero
    sfence.vma
2:  lla t0, workers + number * WORKER_SIZE
    j trapped
    .balign 128
    .set number, number + 1
    .endr

trapped:
    sd a0, WORKER_A0(t0)
    sd s2, WORKER_BURST(t0)
    sd s3, WORKER_REFUSED(t0)
    sd s5, WORKER_NEXT(t0)
    csrw sie, zero
    li t1, SSTATUS_UNITS
    csrw sstatus, t1
    csrr t1, scause
    sd t1, WORKER_SCAUSE(t0)
    csrr t1, stval
    sd t1, WORKER_STVAL(t0)
    csrr t1, sepc
    sd t1, WORKER_SEPC(t0)
    ld t1, WORKER_INSIDE(t0)
    sd zero, WORKER_INSIDE(t0)
    beqz t1, stray
    ld ra, 0(t0)
    ld sp, 8(t0)
    ld gp, 16(t0)
    ld tp, 24(t0)
    ld s0, 32(t0)
    ld s1, 40(t0)
    ld s2, 48(t0)
    ld s3, 56(t0)
    ld s4, 64(t0)
    ld s5, 72(t0)
    ld s6, 80(t0)
    ld s7, 88(t0)
    ld s8, 96(t0)
    ld s9, 104(t0)
    ld s10, 112(t0)
    ld s11, 120(t0)
    ret

/* The loop itself trapped, or an action came back to life: begin the loop anew. */
stray:
    ld sp, WORKER_STACK(t0)
    mv a0, t0
    tail worker_stray

/* A hart that was started or resumed: a0 is its id, and so the number of its worker. */
    .globl worker_entry
worker_entry:
    csrw sie, zero
    andi a0, a0, WORKERS - 1
    li t0, WORKER_SIZE
    mul t0, t0, a0
    lla a0, workers
    add a0, a0, t0
    ld sp, WORKER_STACK(a0)
    tail worker_run

/* void fuzz_enter(struct worker *worker, const struct state *state): returns after the trap. */
    .globl fuzz_enter
fuzz_enter:
    sd ra, 0(a0)
    sd sp, 8(a0)
    sd gp, 16(a0)
    sd tp, 24(a0)
    sd s0, 32(a0)
    sd s1, 40(a0)
    sd s2, 48(a0)
    sd s3, 56(a0)
    sd s4, 64(a0)
    sd s5, 72(a0)
    sd s6, 80(a0)
    sd s7, 88(a0)
    sd s8, 96(a0)
    sd s9, 104(a0)
    sd s10, 112(a0)
    sd s11, 120(a0)
    li t0, 1
    sd t0, WORKER_INSIDE(a0)
    ld t0, 0(a1)
    csrw sepc, t0
    ld t0, STATE_SSTATUS(a1)
    csrw sstatus, t0
    ld t0, STATE_SIE(a1)
    csrw sie, t0
    ld t0, 40(a1)
    csrw sscratch, t0
    ld t0, STATE_SATP(a1)
    .irp n, 1,2,3,4,6,7,8,9,10,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld x\n, (\n * 8)(a1)
    .endr
    ld a1, 88(a1)
    beqz t0, 3f
    csrw satp, t0
    sfence.vma
3:  csrr t0, sscratch
    sret

    .globl fuzz_ecall, fuzz_return, fuzz_wait, fuzz_calls, fuzz_sweep, fuzz_zeros
/* s5 to s6: what is to be done; s2 counts what has been done, s3 what was refused. */
fuzz_calls:
    ld a0, 0(s5)
    ld a1, 8(s5)
    ld a2, 16(s5)
    ld a3, 24(s5)
    ld a4, 32(s5)
    ld a5, 40(s5)
    ld a6, 48(s5)
    ld a7, 56(s5)
    addi s5, s5, 64
    addi s2, s2, 1
    ecall
    srli a0, a0, 63
    add s3, s3, a0
    bltu s5, s6, fuzz_calls
    ebreak
fuzz_sweep:
    ld a1, 0(s5)
    ld a2, 8(s5)
    addi s5, s5, 16
    addi s2, s2, 1
    sw a2, (a1)
    addi s2, s2, 1
    lw a0, (a1)
    bltu s5, s6, fuzz_sweep
    ebreak
fuzz_zeros:
    ld a1, 0(s5)
    addi s5, s5, 64
    addi s2, s2, 1
    .insn i 0x0f, 2, x0, a1, 4      /* cbo.zero (a1) */
    bltu s5, s6, fuzz_zeros
    ebreak
fuzz_ecall:
    ecall
    ebreak
fuzz_return:
    ret
    ebreak
fuzz_wait:
    wfi
    csrsi sstatus, 2                /* SIE */
    wfi
    ebreak
