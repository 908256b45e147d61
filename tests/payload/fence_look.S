/*
 * uint64_t fence_look(volatile uint64_t *go, uint64_t round, const volatile uint64_t *window, const void *slow)
 *
 * Looks at *window until *go is `round`, and returns what it saw after that. All in one run of
 * instructions without a branch, and a long one before: a kick that comes meanwhile is taken behind
 * it by QEMU, which looks for interrupts between such runs. So who tells us to look before the fence
 * has been paid is found out. `slow` is an address whose loads take long: across two pages.
 */
    .section .text, "ax"
    .globl fence_look
    .balign 2048                   /* within one page, for a run ends with it */
fence_look:
    .rept 400
    ld t0, 0(a3)
    .endr
    ld t1, 0(a0)
    ld t2, 0(a2)
    bne t1, a1, fence_look
    mv a0, t2
    ret
