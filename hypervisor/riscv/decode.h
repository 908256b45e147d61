/*
 * Decoding the instructions that a hart hands to us: loads and stores that hit a device or are
 * misaligned, `wfi`, CSR reads. Pure: from bits to a description, nothing else.
 */
#ifndef RISCV_DECODE_H
#define RISCV_DECODE_H

#include <stdbool.h>
#include <stdint.h>

/* Major opcodes (Unprivileged ISA, "RV32/64G Instruction Set Listings", table 70). */
#define OPCODE_LOAD  0x03
#define OPCODE_STORE 0x23

/* What `size` bytes, 1 to 8, hold of a value; and as a number with a sign. */
static inline uint64_t low_bytes(uint64_t value, unsigned size)
{
    return value & ~0UL >> (64 - 8 * size);
}

static inline uint64_t sign_extend(uint64_t value, unsigned size)
{
    unsigned shift = 64 - 8 * size;
    return (uint64_t)((int64_t)(value << shift) >> shift);
}

enum access_kind {
    ACCESS_LOAD,
    ACCESS_STORE,
    ACCESS_AMO,
    ACCESS_LR,
    ACCESS_SC
};

struct access_instruction {
    enum access_kind kind;
    unsigned length;      /* of the instruction: 2 or 4 bytes */
    unsigned size;        /* of the access: 1, 2, 4 or 8 bytes */
    bool sign_extend;     /* loads */
    bool fp;              /* the register is an FP register (NaN-boxed when size < 8) */
    unsigned data;        /* rd of a load, rs2 of a store or AMO */
    unsigned destination; /* rd of an AMO */
    unsigned base;        /* rs1 */
    int64_t offset;       /* added to it */
    unsigned amo;         /* funct5 of an AMO (Unprivileged, chapter 14) */
};

/* False when it is no load or store of the base ISA, A, F, D, C (Zcb included). A compressed
 * instruction is in the low half. */
bool decode_access(uint32_t instruction, struct access_instruction *access);

/* The result of an AMO of `size` 4 or 8 on memory's `old` with register's `operand`. False for an
 * unknown funct5. */
bool decode_amo(unsigned funct5, unsigned size, uint64_t old, uint64_t operand, uint64_t *result);

struct csr_instruction {
    unsigned csr, rd;
    unsigned source; /* rs1, or the immediate */
    bool immediate;
    enum {
        CSR_WRITE = 1,
        CSR_SET = 2,
        CSR_CLEAR = 3
    } operation;
    bool writes; /* false for csrrs/csrrc with x0 or 0 */
};
bool decode_csr(uint32_t instruction, struct csr_instruction *csr);

bool decode_is_wfi(uint32_t instruction);
bool decode_is_wrs_nto(uint32_t instruction);
/* Bytes of the instruction: 2 or 4. */
unsigned decode_length(uint32_t instruction);

#endif
