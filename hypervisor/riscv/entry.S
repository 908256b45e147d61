/*
 * Where the hart comes in: from reset, from a guest, from a fault of our own.
 *
 * tp holds this hart's struct hart whenever hypervisor code runs. mscratch holds the struct vcpu
 * whose guest runs, and zero while the hypervisor does; that is how a trap knows where it came
 * from. Machine interrupts stay disabled in the hypervisor, so only a fault interrupts it.
 */
#include "offsets.h"

/*
 * Reset (all harts at once; a0 = hart id, a1 = device tree). One wins the lottery and boots; the
 * others wait for boot_gate, look themselves up in harts[], and come in one by one.
 */
    .section .text.entry, "ax"
    .globl _start
_start:
    j start

/*
 * 16 bytes from the start: where the machine's vectors for resumable non-maskable interrupts and for
 * exceptions in their handling should point (Smrnmi 1.0). A fault while a trap is handled comes
 * here on a hart with Smdbltrp, too. Nothing is resumed.
 */
    .balign 16
    .globl rnmi_entry
rnmi_entry:
    csrw mscratch, a0
    csrr a0, 0x741                 /* mnepc */
    csrr a4, 0x742                 /* mncause */
    csrr t0, 0x744                 /* mnstatus: MNPP, from which mode? */
    li t1, MNSTATUS_MNPP
    and t0, t0, t1
    csrsi 0x744, 0x8               /* NMIE: only with it the next fault goes where mtvec says */
    li a5, 1
    bne t0, t1, 1f
    j fatal                        /* too far for a branch */
1:  mv a1, a0                      /* from a guest: tp is the guest's */
    mv a0, a4
    li a2, 0
    j last_words

start:
    /* With Smdbltrp, mstatus.MDT is set by reset and by each trap. With Smrnmi, traps go astray
     * until mnstatus.NMIE is set; without it, setting it traps to the line after. */
    li t0, MSTATUS_MDT
    la t1, 1f
    csrc mstatus, t0
    csrw mtvec, t1
    csrsi 0x744, 0x8               /* mnstatus.NMIE */
    .balign 4
1:  csrc mstatus, t0
    csrw mie, zero
    csrci mstatus, 0x8             /* mstatus.MIE */
    csrw mscratch, zero
    la t0, trap_entry
    csrw mtvec, t0
    la t0, boot_lottery
    li t1, 1
    amoswap.w.aqrl t1, t1, (t0)
    bnez t1, secondary

    la t0, bss_start               /* both ends are multiples of 64 */
    la t1, bss_end
1:  .irp n, 0,8,16,24,32,40,48,56
    sd zero, \n(t0)
    .endr
    addi t0, t0, 64
    bltu t0, t1, 1b
    la tp, boot_hart
    la sp, boot_stack_high
    call boot_main                 /* (hart id, device tree); does not return */

    .globl boot_leave
boot_leave:
    ld sp, HART_STACK_HIGH(tp)
    tail start_guests              /* does not return */

secondary:
    la t0, boot_gate
1:  .word 0x0100000f               /* pause (Zihintpause); a plain fence elsewhere */
    lw t1, (t0)
    beqz t1, 1b
    fence r, rw                    /* the gate opened after harts[] was written */
    la t0, harts
    la t1, hart_count
    lwu t1, (t1)
2:  beqz t1, park                  /* the device tree does not know this hart */
    ld tp, (t0)
    addi t0, t0, 8
    addi t1, t1, -1
    beqz tp, 2b
    ld t2, HART_ID(tp)
    bne t2, a0, 2b
    ld sp, HART_STACK_HIGH(tp)
    call boot_secondary            /* does not return */
    .balign 4
park:
    wfi
    j park

/*
 * guest_enter runs the guest of the struct vcpu in a0 and returns, with the same in a0, when it exits.
 * The vCPU's registers are then in its structure, with mcause and mtval. sp and tp are as before, and
 * all other registers are lost: the caller (run.c) has said so to the compiler.
 */
    .section .text, "ax"
    .globl guest_enter
    .balign 4
guest_enter:
    addi sp, sp, -16
    sd a0, 8(sp)                   /* for the way back from exit_fast() */
    sd ra, 0(sp)
    sd sp, VCPU_HOST_SP(a0)
    sd tp, VCPU_HOST_TP(a0)
    ld t0, VCPU_PC(a0)
    ld t1, VCPU_MSTATUS(a0)
    csrw mepc, t0
    csrw mstatus, t1
    csrw mscratch, a0
    lbu t2, VCPU_VIRTUAL(a0)
    bnez t2, enter_virtual
    .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld x\n, VCPU_X(\n)(a0)
    .endr
    ld a0, VCPU_X(10)(a0)
    mret

/* Into VS-mode or VU-mode. `sret` takes the virtualization mode from hstatus.SPV (Privileged 1.13,
 * 21.6.4) and the privilege from sstatus.SPP, which nobody else uses. mstatus.MPV would do as well, but QEMU
 * 10.0.13 lets only traps set it. */
enter_virtual:
    csrw sepc, t0
    li t2, STATUS_SPP_BIT
    csrc mstatus, t2
    srli t1, t1, 3                 /* MPP is S (01) or U (00): its low bit becomes SPP */
    and t1, t1, t2
    csrs mstatus, t1
    li t2, HSTATUS_SPV_BIT
    csrs 0x600, t2                 /* hstatus */
    .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld x\n, VCPU_X(\n)(a0)
    .endr
    ld a0, VCPU_X(10)(a0)
    sret

/*
 * Every trap into machine mode. From a guest there are three ways on, each only as long as it must be:
 *
 *   1. two calls that are answered here with two registers: which SBI this is, and setting a timer;
 *   2. exit_fast() (fast.c), a C function, so the registers that C may change are saved and no more;
 *   3. what it declines: the rest is saved and guest_enter() returns.
 */
    .globl trap_entry
    .balign 4
trap_entry:
    csrrw a0, mscratch, a0
    beqz a0, trap_from_hypervisor
    sd t0, VCPU_X(5)(a0)
    sd t1, VCPU_X(6)(a0)
    csrr t0, mcause
    addi t1, t0, -9                /* environment calls from S-mode and VS-mode: 9 and 10 */
    sltiu t1, t1, 2
    beqz t1, save_for_c
    bnez a6, save_for_c            /* both are function 0 */
    li t1, SBI_EXTENSION_BASE
    beq a7, t1, answer_version
    li t1, SBI_EXTENSION_TIME
    bne a7, t1, save_for_c

    lbu t0, VCPU_TIMER_CSR(a0)     /* set_timer (SBI 3.0, 6.1) */
    csrr t1, mscratch              /* the guest's a0: the deadline */
    beqz t0, set_machine_timer
    addi t0, t0, -TIMER_CSR_VSTIMECMP
    beqz t0, 1f
    csrw 0x14d, t1                 /* stimecmp */
    j timer_is_set
1:  csrw 0x24d, t1                 /* vstimecmp */
timer_is_set:
    li a1, 0
    ld t0, VCPU_EXITS(EXIT_SBI_TIME)(a0)
    addi t0, t0, 1
    sd t0, VCPU_EXITS(EXIT_SBI_TIME)(a0)
    j answer

/* The hart's own timer must fire for the guest. If it will fire sooner, it is left at that: it is set
 * anew when it does. Not here: a deadline that has passed, an interrupt that is pending and must go.
 * a1 is free, for it is part of the answer. */
set_machine_timer:
    ld t0, VCPU_HOST_TP(a0)        /* struct hart */
    ld a1, HART_MTIMECMP(t0)
    beqz a1, save_for_c
    csrr a1, time
    bgeu a1, t1, save_for_c
    ld a1, HART_LEVELS(t0)
    andi a1, a1, LEVEL_TIMER
    bnez a1, save_for_c
    sd t1, VCPU_TIMER(a0)
    sd t1, HART_GUEST_DEADLINE(t0)
    ld a1, HART_TIMER(t0)
    bgeu t1, a1, timer_is_set
    sd t1, HART_TIMER(t0)
    ld a1, HART_MTIMECMP(t0)
    sd t1, (a1)
    j timer_is_set

answer_version:                    /* get_spec_version (SBI 3.0, 4.1) */
    lui a1, SBI_VERSION >> 12
    ld t0, VCPU_EXITS(EXIT_SBI_BASE)(a0)
    addi t0, t0, 1
    sd t0, VCPU_EXITS(EXIT_SBI_BASE)(a0)
answer:                            /* a0 = 0, success; the call is 4 bytes long */
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    ld t0, VCPU_X(5)(a0)
    ld t1, VCPU_X(6)(a0)
    csrw mscratch, a0
    li a0, 0
    mret

save_for_c:
    .irp n, 1,2,4,7,11,12,13,14,15,16,17,28,29,30,31
    sd x\n, VCPU_X(\n)(a0)
    .endr
    csrrw t0, mscratch, zero
    sd t0, VCPU_X(10)(a0)
    ld sp, VCPU_HOST_SP(a0)
    ld tp, VCPU_HOST_TP(a0)
    csrr a1, mcause
    call exit_fast                 /* (vcpu, mcause); true: go on in the guest */
    ld a1, 8(sp)
    beqz a0, leave_guest
    csrw mscratch, a1
    mv a0, a1
    .irp n, 1,2,4,5,6,7,11,12,13,14,15,16,17,28,29,30,31
    ld x\n, VCPU_X(\n)(a0)
    .endr
    ld a0, VCPU_X(10)(a0)
    mret

leave_guest:
    .irp n, 3,8,9,18,19,20,21,22,23,24,25,26,27
    sd x\n, VCPU_X(\n)(a1)
    .endr
    csrr t1, mepc
    li t5, MSTATUS_MDT             /* a fault of ours from here on is no double trap */
    csrrc t2, mstatus, t5
    csrr t3, mcause
    csrr t4, mtval
    sd t1, VCPU_PC(a1)
    sd t2, VCPU_MSTATUS(a1)
    sd t3, VCPU_CAUSE(a1)
    sd t4, VCPU_TVAL(a1)
    ld ra, 0(sp)
    mv a0, a1
    addi sp, sp, 16
    ret

/*
 * A fault of the hypervisor itself. Expected only between guest_access_start and guest_access_end,
 * where it touches guest memory with the guest's rights; everything else is a bug of ours.
 */
trap_from_hypervisor:
    csrr a0, mepc
    la t0, guest_access_start
    bltu a0, t0, 1f
    la t0, guest_access_end
    bgeu a0, t0, 1f
    la t0, guest_access_fault
    csrw mepc, t0
    csrw mscratch, zero
    mret                           /* MPP is M: back to hypervisor code */
1:  csrr a4, mcause
    li a5, 0
fatal:
    la t0, trap_again              /* from here on a fault is one of these lines' own */
    csrw mtvec, t0
    li t0, MSTATUS_MDT
    csrc mstatus, t0
    mv a1, sp
    mv a2, ra
    csrr a3, mscratch
    csrw mscratch, zero
    ld sp, HART_STACK_HIGH(tp)     /* the old one may be the reason */
    call trap_bug                  /* (pc, sp, ra, a0, cause, in a trap?); does not return */

    .balign 4
trap_again:                        /* tp, sp and any data may be the reason */
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
last_words:                        /* (cause, pc, value): one hart, once */
    la t0, park
    csrw mtvec, t0
    li t0, MSTATUS_MDT
    csrc mstatus, t0
    la t0, last_words_said
    li t1, 1
    amoswap.w t1, t1, (t0)
    beqz t1, 1f
    j park
1:  la tp, boot_hart
    la sp, last_stack_high
    call trap_last_words           /* does not return */

/*
 * guest_load(address, size, mstatus, uint64_t *value) and guest_store(address, size, mstatus,
 * value): one access of 1, 2, 4 or 8 bytes with `mstatus` (MPRV set, MPP and MPV the guest's) in
 * force for that one instruction. Return 0, or 1 after a fault, with mcause and mtval as it left
 * them. t0 may be lost where they fault, which is what trap_from_hypervisor relies on.
 */
    .globl guest_load, guest_store
    .balign 4
guest_load:
    csrrw t2, mstatus, a2
    li t0, 2
guest_access_start:
    bltu a1, t0, 1f
    beq a1, t0, 2f
    li t0, 8
    beq a1, t0, 8f
    lwu t1, (a0)
    j 9f
1:  lbu t1, (a0)
    j 9f
2:  lhu t1, (a0)
    j 9f
8:  ld t1, (a0)
9:  csrw mstatus, t2
    sd t1, (a3)
    li a0, 0
    ret
guest_store:
    csrrw t2, mstatus, a2
    li t0, 2
    bltu a1, t0, 1f
    beq a1, t0, 2f
    li t0, 8
    beq a1, t0, 8f
    sw a3, (a0)
    j 9f
1:  sb a3, (a0)
    j 9f
2:  sh a3, (a0)
    j 9f
8:  sd a3, (a0)
9:  csrw mstatus, t2
    li a0, 0
    ret
/*
 * guest_load_instruction(address, mstatus, uint32_t *instruction): the same for the instruction at an
 * address, which need not be a multiple of 4. A short one has zeros above it.
 */
    .globl guest_load_instruction
guest_load_instruction:
    csrrw t2, mstatus, a1
    andi t0, a0, 2
    bnez t0, 1f
    lwu t1, (a0)                   /* both halves are in one page, whether the second is asked for or not */
    andi t0, t1, 3
    addi t0, t0, -3
    beqz t0, 2f
    slli t1, t1, 48
    srli t1, t1, 48
    j 2f
1:  lhu t1, (a0)
    andi t0, t1, 3
    addi t0, t0, -3
    bnez t0, 2f
    lhu t0, 2(a0)
    slli t0, t0, 16
    or t1, t1, t0
2:  csrw mstatus, t2
    sw t1, (a2)
    li a0, 0
    ret
guest_access_end:
guest_access_fault:
    csrw mstatus, t2
    li a0, 1
    ret

    .section .data
    .balign 4
    .globl boot_gate
boot_lottery:    .word 0           /* not in .bss, which the winner clears */
boot_gate:       .word 0
last_words_said: .word 0

    .section .bss
    .balign 16
    .skip 1024
last_stack_high:
