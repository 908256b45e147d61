/* Places in structures that assembly knows; exit.c checks them against the structures. */
#ifndef RISCV_OFFSETS_H
#define RISCV_OFFSETS_H

/* struct vcpu_arch, which begins struct vcpu */
#define VCPU_X(n)    ((n)*8)
#define VCPU_PC      0
#define VCPU_MSTATUS 256
#define VCPU_HOST_SP 264
#define VCPU_HOST_TP 272
#define VCPU_CAUSE   280
#define VCPU_TVAL    288

/* struct hart */
#define HART_TRAP_SCRATCH 0
#define HART_STACK_HIGH   16
#define HART_ID           24

#endif
