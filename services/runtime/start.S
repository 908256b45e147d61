/*
 * The first instructions of a service. The hypervisor enters vCPU 0 in supervisor mode with a0 the
 * hart id and a1 the device tree (SBI 3.0, 9.1), without address translation (satp = 0).
 *
 * A service is a static position-independent executable, linked at 0, because on the `pmp` back
 * end nobody knows before boot where its RAM will be. The linker leaves a table of the words that
 * hold addresses, and each gets the load address added here, before any C runs.
 *
 * service.ld gives the symbols. This code owns every register.
 */
    .section .text.start, "ax"
    .option norvc               /* both so that lla stays a plain auipc and addi */
    .option norelax
    .globl _start
_start:
    mv      s0, a0
    mv      s1, a1
    csrw    sie, zero
    lla     t0, trap_entry
    csrw    stvec, t0
    lla     sp, stack_top

    /* The image's bytes end in front of .bss, and RAM behind them comes zeroed. But a service
     * that runs below another loader than ours may not count on that. */
    lla     t0, bss_start
    lla     t1, bss_end
1:  bgeu    t0, t1, 2f
    sd      zero, 0(t0)
    addi    t0, t0, 8
    j       1b

    /* Elf64_Rela is r_offset, r_info, r_addend (psABI, chapter 8). The linker makes no other type
     * than R_RISCV_RELATIVE for a static PIE; one that we don't know would leave a wrong word. */
2:  lla     t0, rela_start
    lla     t1, rela_end
    lla     t2, image_start     /* linked at 0, so this is what is to be added */
    li      t3, 3               /* R_RISCV_RELATIVE */
3:  bgeu    t0, t1, 4f
    ld      t4, 8(t0)
    bne     t4, t3, 5f
    ld      t4, 0(t0)
    ld      t5, 16(t0)
    add     t4, t4, t2
    add     t5, t5, t2
    sd      t5, 0(t4)
    addi    t0, t0, 24
    j       3b

4:  mv      a0, s0
    mv      a1, s1
    call    runtime_start
5:  unimp                       /* the hypervisor takes no service without one: crash */
    j       5b

/*
 * A trap in a service is a mistake in it: nothing is resumed. The registers go to the stack (a
 * second one, since the first may be what is broken) for the report in runtime_trap().
 */
    .balign 4
trap_entry:
    csrw    sscratch, sp
    lla     sp, trap_stack_top
    addi    sp, sp, -256
    sd      x1, 8(sp)
    .irp    n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd      x\n, \n * 8(sp)
    .endr
    csrr    t0, sscratch
    sd      t0, 16(sp)
    csrr    t0, sepc
    sd      t0, 0(sp)
    csrr    a0, scause
    csrr    a1, stval
    mv      a2, sp
    call    runtime_trap
6:  j       6b
