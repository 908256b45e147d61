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

    .text
    .balign 4
    .globl suspend_call
suspend_call:
    sd sp, STATE_SAVED + 0(a1)
    sd ra, STATE_SAVED + 8(a1)
    sd tp, STATE_SAVED + 16(a1)
    sd s0, STATE_SAVED + 24(a1)
    sd s1, STATE_SAVED + 32(a1)
    sd s2, STATE_SAVED + 40(a1)
    sd s3, STATE_SAVED + 48(a1)
    sd s4, STATE_SAVED + 56(a1)
    sd s5, STATE_SAVED + 64(a1)
    sd s6, STATE_SAVED + 72(a1)
    sd s7, STATE_SAVED + 80(a1)
    sd s8, STATE_SAVED + 88(a1)
    sd s9, STATE_SAVED + 96(a1)
    sd s10, STATE_SAVED + 104(a1)
    sd s11, STATE_SAVED + 112(a1)
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
    ld sp, STATE_SAVED + 0(a1)
    ld ra, STATE_SAVED + 8(a1)
    ld tp, STATE_SAVED + 16(a1)
    ld s0, STATE_SAVED + 24(a1)
    ld s1, STATE_SAVED + 32(a1)
    ld s2, STATE_SAVED + 40(a1)
    ld s3, STATE_SAVED + 48(a1)
    ld s4, STATE_SAVED + 56(a1)
    ld s5, STATE_SAVED + 64(a1)
    ld s6, STATE_SAVED + 72(a1)
    ld s7, STATE_SAVED + 80(a1)
    ld s8, STATE_SAVED + 88(a1)
    ld s9, STATE_SAVED + 96(a1)
    ld s10, STATE_SAVED + 104(a1)
    ld s11, STATE_SAVED + 112(a1)
    csrw sscratch, tp
    lla t0, trap_entry
    csrw stvec, t0
    ld t0, STATE_SAVED + 120(a1)
    csrw sie, t0
    li a0, 0
    ret
