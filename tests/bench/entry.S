/*
 * The first instruction of the benchmark's guest reads how many came before it. What follows are
 * trap handlers as short as can be, so that a measurement is of the way there and back.
 */
    .section .text.start, "ax"
    .globl bench_start
bench_start:
    csrr t0, instret
    lla t1, first_instret
    sd t0, 0(t1)
    j _start

    .data
    .balign 8
    .globl first_instret
first_instret: .8byte 0            /* not in .bss, which _start clears */

    .text
/* Interrupts: make the reason go away, and set t2 for the one who waits. */
    .balign 4
    .globl take_ipi, take_timer
take_ipi:
    csrci sip, 2                   /* sip.SSIP */
    li t2, 1
    sret
    .balign 4
take_timer:
    csrw sie, zero
    li t2, 1
    sret

/* Exceptions: go on behind the instruction, of four bytes. Uses t0. */
    .balign 4
    .globl skip_instruction
skip_instruction:
    csrr t0, sepc
    addi t0, t0, 4
    csrw sepc, t0
    sret
