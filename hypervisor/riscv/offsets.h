/* Places in structures that assembly knows; exit.c checks them against the structures. */
#ifndef RISCV_OFFSETS_H
#define RISCV_OFFSETS_H

/* struct vcpu_arch, which begins struct vcpu */
#define VCPU_X(n)      ((n)*8)
#define VCPU_PC        0
#define VCPU_MSTATUS   256
#define VCPU_HOST_SP   264
#define VCPU_HOST_TP   272
#define VCPU_CAUSE     280
#define VCPU_TVAL      288
#define VCPU_TIMER_CSR 296
#define VCPU_VIRTUAL   297
#define VCPU_TIMER     304

/* struct vcpu: counts.exits[reason], for the two that entry.S counts, of enum diosix_exit */
#define VCPU_EXITS(reason) (840 + 8 * (reason))
#define EXIT_SBI_BASE      4
#define EXIT_SBI_TIME      5

/* Values of vcpu_arch.timer_csr: where the guest's timer is. */
#define TIMER_CSR_NONE      0 /* with us: the hart has no Sstc */
#define TIMER_CSR_STIMECMP  1
#define TIMER_CSR_VSTIMECMP 2

/* hart_arch.levels: the supervisor's timer interrupt, by its bit in sip (12.1.3) */
#define LEVEL_TIMER (1 << 5)

/* mstatus.SPP, at bit 8 (3.1.6), and hstatus.SPV, at bit 7 (21.2.1) */
#define STATUS_SPP_BIT  (1 << 8)
#define HSTATUS_SPV_BIT (1 << 7)

/* mstatus: "a trap now is a double trap" (Smdbltrp 1.0) */
#define MSTATUS_MDT (1 << 42)

/* mnstatus: the mode that an RNMI came from (Smrnmi 1.0) */
#define MNSTATUS_MNPP (3 << 11)

/* The calls that entry.S answers (SBI 3.0, chapters 4 and 6). */
#define SBI_EXTENSION_BASE 0x10
#define SBI_EXTENSION_TIME 0x54494d45
#define SBI_VERSION        0x03000000 /* 3.0 */

/* struct hart */
#define HART_STACK_HIGH     0
#define HART_ID             8
#define HART_LEVELS         16
#define HART_TIMER          24
#define HART_MTIMECMP       32
#define HART_GUEST_DEADLINE 736

#endif
