/*
 * From an instruction's bits to a description of what it does. The fields are those of the
 * Unprivileged ISA's formats: chapters 2 (I and S), 14 (A), 20 and 21 (F, D), 26 (C) and 28 (Zcb)
 * of the 20240411 edition. A pattern that is reserved is no access, whatever it resembles.
 */
#include "decode.h"

/* Major opcodes (Unprivileged ISA, "RV32/64G Instruction Set Listings", table 70). */
#define OPCODE_LOAD_FP  0x07
#define OPCODE_STORE_FP 0x27
#define OPCODE_AMO      0x2f
#define OPCODE_SYSTEM   0x73

#define INSTRUCTION_WFI     0x10500073U
#define INSTRUCTION_WRS_NTO 0x00D00073U /* Unprivileged, "Zawrs" 1.01; wrs.sto never traps */

/* funct5 of the A extension (14.2, 14.4). */
#define AMO_ADD  0x00
#define AMO_SWAP 0x01
#define AMO_LR   0x02
#define AMO_SC   0x03
#define AMO_XOR  0x04
#define AMO_OR   0x08
#define AMO_AND  0x0c
#define AMO_MIN  0x10
#define AMO_MAX  0x14
#define AMO_MINU 0x18
#define AMO_MAXU 0x1c

#define REGISTER_SP 2

/* Bits high..low of the instruction, as the specification writes inst[high:low]. */
static unsigned field(uint32_t instruction, unsigned high, unsigned low)
{
    return (instruction >> low) & ((1U << (high - low + 1)) - 1);
}

static int64_t sign_extend_12(uint32_t value)
{
    return (int64_t)(value ^ 0x800) - 0x800;
}

unsigned decode_length(uint32_t instruction)
{
    return field(instruction, 1, 0) == 3 ? 4 : 2;
}

bool decode_is_wfi(uint32_t instruction)
{
    return instruction == INSTRUCTION_WFI;
}

bool decode_is_wrs_nto(uint32_t instruction)
{
    return instruction == INSTRUCTION_WRS_NTO;
}

static void set_integer_load(struct access_instruction *access, unsigned funct3)
{
    access->kind = ACCESS_LOAD;
    access->size = 1U << (funct3 & 3);
    access->sign_extend = !(funct3 & 4);
}

static bool decode_load(uint32_t instruction, struct access_instruction *access)
{
    unsigned funct3 = field(instruction, 14, 12);
    if (funct3 == 7) /* an unsigned load of 8 bytes does not exist */
        return false;
    set_integer_load(access, funct3);
    access->data = field(instruction, 11, 7);
    access->base = field(instruction, 19, 15);
    access->offset = sign_extend_12(field(instruction, 31, 20));
    return true;
}

static bool decode_store(uint32_t instruction, struct access_instruction *access)
{
    unsigned funct3 = field(instruction, 14, 12);
    if (funct3 > 3)
        return false;
    access->kind = ACCESS_STORE;
    access->size = 1U << funct3;
    access->data = field(instruction, 24, 20);
    access->base = field(instruction, 19, 15);
    access->offset = sign_extend_12(field(instruction, 31, 25) << 5 | field(instruction, 11, 7));
    return true;
}

/* The FP opcodes share their other widths with the vector extension: only those of Zfhmin, F and D
 * are ours. */
static bool decode_fp(uint32_t instruction, struct access_instruction *access, bool store)
{
    unsigned funct3 = field(instruction, 14, 12);
    if (funct3 < 1 || funct3 > 3)
        return false;
    bool known = store ? decode_store(instruction, access) : decode_load(instruction, access);
    access->fp = true;
    access->sign_extend = false;
    return known;
}

static bool decode_atomic(uint32_t instruction, struct access_instruction *access)
{
    unsigned funct3 = field(instruction, 14, 12);
    if (funct3 != 2 && funct3 != 3)
        return false;
    access->size = 1U << funct3;
    access->sign_extend = true;
    access->data = field(instruction, 24, 20);
    access->destination = field(instruction, 11, 7);
    access->base = field(instruction, 19, 15);
    access->amo = field(instruction, 31, 27);
    switch (access->amo) {
    case AMO_LR:
        access->kind = ACCESS_LR;
        if (access->data != 0) /* rs2 of LR is reserved but for 0 */
            return false;
        access->data = access->destination;
        return true;
    case AMO_SC:
        access->kind = ACCESS_SC;
        return true;
    default:
        access->kind = ACCESS_AMO;
        uint64_t unused;
        return decode_amo(access->amo, access->size, 0, 0, &unused);
    }
}

static bool decode_32(uint32_t instruction, struct access_instruction *access)
{
    switch (field(instruction, 6, 0)) {
    case OPCODE_LOAD:
        return decode_load(instruction, access);
    case OPCODE_STORE:
        return decode_store(instruction, access);
    case OPCODE_LOAD_FP:
        return decode_fp(instruction, access, false);
    case OPCODE_STORE_FP:
        return decode_fp(instruction, access, true);
    case OPCODE_AMO:
        return decode_atomic(instruction, access);
    default:
        return false;
    }
}

/* 26.3.2: the widths of funct3's low two bits, the same in quadrants 0 and 2. */
static bool set_compressed_width(struct access_instruction *access, unsigned funct3)
{
    access->kind = funct3 & 4 ? ACCESS_STORE : ACCESS_LOAD;
    switch (funct3 & 3) {
    case 1:
        access->size = 8;
        access->fp = true;
        return true;
    case 2:
        access->size = 4;
        access->sign_extend = access->kind == ACCESS_LOAD;
        return true;
    case 3:
        access->size = 8;
        access->sign_extend = access->kind == ACCESS_LOAD;
        return true;
    default:
        return false;
    }
}

/* Zcb (28.2): c.lbu, c.lhu, c.lh, c.sb, c.sh. */
static bool decode_zcb(uint32_t instruction, struct access_instruction *access)
{
    unsigned operation = field(instruction, 12, 10);
    if (operation > 3)
        return false;
    bool half = operation & 1;
    bool bit6 = field(instruction, 6, 6);
    access->kind = operation & 2 ? ACCESS_STORE : ACCESS_LOAD;
    access->size = half ? 2 : 1;
    access->offset = field(instruction, 5, 5) << 1;
    if (!half)
        access->offset |= bit6;
    else if (access->kind == ACCESS_LOAD)
        access->sign_extend = bit6;
    else if (bit6)
        return false;
    return true;
}

/* Quadrant 0: a base register and an offset, both registers of x8..x15 or f8..f15. */
static bool decode_quadrant_0(uint32_t instruction, struct access_instruction *access)
{
    unsigned funct3 = field(instruction, 15, 13);
    access->data = 8 + field(instruction, 4, 2);
    access->base = 8 + field(instruction, 9, 7);
    if (funct3 == 4)
        return decode_zcb(instruction, access);
    if (!set_compressed_width(access, funct3))
        return false;
    access->offset = field(instruction, 12, 10) << 3;
    if (access->size == 4)
        access->offset |= field(instruction, 6, 6) << 2 | field(instruction, 5, 5) << 6;
    else
        access->offset |= field(instruction, 6, 5) << 6;
    return true;
}

/* Quadrant 2: an offset from the stack pointer. */
static bool decode_quadrant_2(uint32_t instruction, struct access_instruction *access)
{
    if (!set_compressed_width(access, field(instruction, 15, 13)))
        return false;
    access->base = REGISTER_SP;
    if (access->kind == ACCESS_STORE) {
        access->data = field(instruction, 6, 2);
        if (access->size == 4)
            access->offset = field(instruction, 12, 9) << 2 | field(instruction, 8, 7) << 6;
        else
            access->offset = field(instruction, 12, 10) << 3 | field(instruction, 9, 7) << 6;
        return true;
    }
    access->data = field(instruction, 11, 7);
    access->offset = field(instruction, 12, 12) << 5;
    if (access->size == 4)
        access->offset |= field(instruction, 6, 4) << 2 | field(instruction, 3, 2) << 6;
    else
        access->offset |= field(instruction, 6, 5) << 3 | field(instruction, 4, 2) << 6;
    /* c.lwsp and c.ldsp to x0 are reserved; f0 is a register like the others. */
    return access->fp || access->data != 0;
}

bool decode_access(uint32_t instruction, struct access_instruction *access)
{
    *access = (struct access_instruction){.length = decode_length(instruction)};
    switch (field(instruction, 1, 0)) {
    case 0:
        return decode_quadrant_0(instruction, access);
    case 2:
        return decode_quadrant_2(instruction, access);
    case 3:
        return decode_32(instruction, access);
    default:
        return false;
    }
}

bool decode_amo(unsigned funct5, unsigned size, uint64_t old, uint64_t operand, uint64_t *result)
{
    uint64_t mask = size == 4 ? UINT32_MAX : UINT64_MAX;
    int64_t signed_old = size == 4 ? (int32_t)old : (int64_t)old;
    int64_t signed_operand = size == 4 ? (int32_t)operand : (int64_t)operand;
    old &= mask;
    operand &= mask;
    switch (funct5) {
    case AMO_ADD:
        *result = (old + operand) & mask;
        return true;
    case AMO_SWAP:
        *result = operand;
        return true;
    case AMO_XOR:
        *result = old ^ operand;
        return true;
    case AMO_OR:
        *result = old | operand;
        return true;
    case AMO_AND:
        *result = old & operand;
        return true;
    case AMO_MIN:
        *result = signed_old < signed_operand ? old : operand;
        return true;
    case AMO_MAX:
        *result = signed_old > signed_operand ? old : operand;
        return true;
    case AMO_MINU:
        *result = old < operand ? old : operand;
        return true;
    case AMO_MAXU:
        *result = old > operand ? old : operand;
        return true;
    default:
        return false;
    }
}

/* Zicsr (Unprivileged ISA, chapter 6). */
bool decode_csr(uint32_t instruction, struct csr_instruction *csr)
{
    unsigned funct3 = field(instruction, 14, 12);
    if (field(instruction, 6, 0) != OPCODE_SYSTEM || (funct3 & 3) == 0)
        return false;
    *csr = (struct csr_instruction){
        .csr = field(instruction, 31, 20),
        .rd = field(instruction, 11, 7),
        .source = field(instruction, 19, 15),
        .immediate = funct3 & 4,
        .operation = funct3 & 3,
    };
    csr->writes = csr->operation == CSR_WRITE || csr->source != 0;
    return true;
}
