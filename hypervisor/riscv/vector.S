/*
 * Moving the vector registers (Vector 1.0). Called only on harts that have V, with mstatus.VS on.
 * a0 = where the 32 registers are, vlenb bytes each; a1 = vlenb. Whole-register moves, eight
 * registers at a time, don't depend on vtype. By encoding, since old assemblers don't know V:
 * vs8r.v vN, (a0) and vl8re8.v vN, (a0).
 */
    .section .text, "ax"
    .globl vector_save, vector_restore, vector_set_type
vector_save:
    slli a1, a1, 3
    .word 0xe2850027               /* vs8r.v v0, (a0) */
    add a0, a0, a1
    .word 0xe2850427               /* vs8r.v v8, (a0) */
    add a0, a0, a1
    .word 0xe2850827               /* vs8r.v v16, (a0) */
    add a0, a0, a1
    .word 0xe2850c27               /* vs8r.v v24, (a0) */
    ret

vector_restore:
    slli a1, a1, 3
    .word 0xe2850007               /* vl8re8.v v0, (a0) */
    add a0, a0, a1
    .word 0xe2850407               /* vl8re8.v v8, (a0) */
    add a0, a0, a1
    .word 0xe2850807               /* vl8re8.v v16, (a0) */
    add a0, a0, a1
    .word 0xe2850c07               /* vl8re8.v v24, (a0) */
    ret

/* a0 = vl, a1 = vtype: vl and vtype are read-only and set by vsetvl. */
vector_set_type:
    .word 0x80b57057               /* vsetvl x0, a0, a1 */
    ret
