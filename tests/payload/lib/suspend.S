/*
 * long suspend_call(uint64_t type, struct resume_state *state, uint64_t extension, uint64_t function)
 *
 * Suspends in a way that loses the registers (HSM non-retentive, SUSP) and comes back as if the call
 * had returned: 0 after a resume, with what was found then in *state, or the call's error.
 */
#define STATE_HART    0
#define STATE_SATP    8
#define STATE_SSTATUS 16
#define STATE_SIE     24
#define STATE_SAVED   32

/* sp, ra, tp and what a call keeps: `op` is sd or ld. */
    .macro kept_registers op
    .set offset, STATE_SAVED
    .irp register, sp, ra, tp, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    \op \register, offset(a1)
    .set offset, offset + 8
    .endr
    .endm

    .text
    .balign 4
    .globl suspend_call
suspend_call:
    kept_registers sd
    csrr t0, sie
    sd t0, STATE_SAVED + 120(a1)
    mv a7, a2
    mv a6, a3
    mv a2, a1                      /* opaque */
    lla a1, resume
    ecall
    ret

    .balign 4
resume:                            /* a0: hart, a1: what was opaque */
    sd a0, STATE_HART(a1)
    csrr t0, satp
    sd t0, STATE_SATP(a1)
    csrr t0, sstatus
    sd t0, STATE_SSTATUS(a1)
    csrr t0, sie
    sd t0, STATE_SIE(a1)
    kept_registers ld
    csrw sscratch, tp
    lla t0, trap_entry
    csrw stvec, t0
    ld t0, STATE_SAVED + 120(a1)
    csrw sie, t0
    li a0, 0
    ret
