/*
 * Instruction decode, instruction by instruction: what was understood is written down again as the
 * 32-bit instruction that does the same, and must be understood as the same; of a 32-bit
 * instruction it must be the very bits.
 */
#include "fuzz.h"
#include "decode.h"
#include <string.h>

#define OPCODE_LOAD_FP  0x07
#define OPCODE_STORE_FP 0x27
#define OPCODE_AMO      0x2f
#define OPCODE_SYSTEM   0x73

#define AMO_LR 2

static unsigned log2_of(unsigned size)
{
    return (unsigned)__builtin_ctz(size);
}

static uint32_t encode_load(const struct access_instruction *access)
{
    unsigned funct3 = log2_of(access->size) | (access->sign_extend || access->fp ? 0 : 4);

    return ((uint32_t)access->offset & 0xfff) << 20 | access->base << 15 | funct3 << 12 |
           access->data << 7 | (access->fp ? OPCODE_LOAD_FP : OPCODE_LOAD);
}

static uint32_t encode_store(const struct access_instruction *access)
{
    uint32_t offset = (uint32_t)access->offset & 0xfff;

    return offset >> 5 << 25 | access->data << 20 | access->base << 15 |
           log2_of(access->size) << 12 | (offset & 31) << 7 |
           (access->fp ? OPCODE_STORE_FP : OPCODE_STORE);
}

static uint32_t encode_atomic(const struct access_instruction *access)
{
    unsigned rs2 = access->kind == ACCESS_LR ? 0 : access->data;

    return access->amo << 27 | rs2 << 20 | access->base << 15 | log2_of(access->size) << 12 |
           access->destination << 7 | OPCODE_AMO;
}

static uint32_t encode(const struct access_instruction *access)
{
    switch (access->kind) {
    case ACCESS_LOAD:
        return encode_load(access);
    case ACCESS_STORE:
        return encode_store(access);
    default:
        return encode_atomic(access);
    }
}

static void check_fields(const struct access_instruction *access)
{
    CHECK(access->size == 1 || access->size == 2 || access->size == 4 || access->size == 8);
    CHECK(access->data < 32 && access->base < 32 && access->destination < 32 && access->amo < 32);
    CHECK(access->offset >= -2048 && access->offset <= 2047);
    CHECK(!access->fp || access->kind == ACCESS_LOAD || access->kind == ACCESS_STORE);
    CHECK((access->kind == ACCESS_LR) == (access->amo == AMO_LR && access->kind > ACCESS_STORE));
    if (access->length ==
        2) { /* offsets are scaled by the access's size; x0 cannot be loaded: 26.3 */
        CHECK(access->offset >= 0 && access->offset % access->size == 0);
        CHECK(access->kind == ACCESS_STORE || access->fp || access->data != 0);
    }
}

static bool is_equal(const struct access_instruction *one, const struct access_instruction *other)
{
    return one->kind == other->kind && one->size == other->size && one->fp == other->fp &&
           one->sign_extend == other->sign_extend && one->data == other->data &&
           one->destination == other->destination && one->base == other->base &&
           one->offset == other->offset && one->amo == other->amo;
}

static void check_access(uint32_t instruction)
{
    struct access_instruction access, again, upper;
    bool known = decode_access(instruction, &access);

    CHECK(decode_length(instruction) == ((instruction & 3) == 3 ? 4 : 2));
    CHECK(access.length == decode_length(instruction));
    if (access.length == 2) /* what follows it in memory does not matter */
        CHECK(decode_access(instruction & 0xffff, &upper) == known &&
              memcmp(&upper, &access, sizeof access) == 0);
    if (!known)
        return;
    check_fields(&access);
    CHECK(decode_access(encode(&access), &again) && is_equal(&access, &again));
    /* Of an atomic one, aq and rl tell nothing that is kept. */
    uint32_t kept = access.kind > ACCESS_STORE ? ~(3U << 25) : ~0U;

    CHECK(access.length == 2 || encode(&access) == (instruction & kept));
}

static void check_csr(uint32_t instruction)
{
    struct csr_instruction csr;
    struct access_instruction access;

    if (!decode_csr(instruction, &csr))
        return;
    CHECK(!decode_access(instruction, &access) && !decode_is_wfi(instruction) &&
          !decode_is_wrs_nto(instruction));
    CHECK(csr.csr < 4096 && csr.rd < 32 && csr.source < 32);
    CHECK(csr.writes == (csr.operation == CSR_WRITE || csr.source != 0));
    CHECK((csr.csr << 20 | csr.source << 15 | (unsigned)csr.immediate << 14 |
           (unsigned)csr.operation << 12 | csr.rd << 7 | OPCODE_SYSTEM) == instruction);
}

/* By a second way: as the compiler does it for the build machine. */
static bool amo(unsigned funct5, uint64_t old, uint64_t operand, bool is_less, bool is_below,
                uint64_t *result)
{
    switch (funct5) {
    case 0:
        return *result = old + operand, true;
    case 1:
        return *result = operand, true;
    case 4:
        return *result = old ^ operand, true;
    case 8:
        return *result = old | operand, true;
    case 12:
        return *result = old & operand, true;
    case 16:
        return *result = is_less ? old : operand, true;
    case 20:
        return *result = is_less ? operand : old, true;
    case 24:
        return *result = is_below ? old : operand, true;
    case 28:
        return *result = is_below ? operand : old, true;
    default:
        return false;
    }
}

static void check_amo(unsigned funct5, uint64_t old, uint64_t operand)
{
    uint64_t expected, result;

    if (amo(funct5, old, operand, (int64_t)old < (int64_t)operand, old < operand, &expected))
        CHECK(decode_amo(funct5, 8, old, operand, &result) && result == expected);
    else
        CHECK(!decode_amo(funct5, 8, old, operand, &result));
    if (amo(funct5, old, operand, (int32_t)old < (int32_t)operand,
            (uint32_t)old < (uint32_t)operand, &expected))
        CHECK(decode_amo(funct5, 4, old, operand, &result) && result == (uint32_t)expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    while (input.left >= 2) {
        struct input next = input;
        uint32_t instruction = (uint32_t)take(&next, 4);

        check_access(instruction);
        check_csr(instruction);
        take(&input, decode_length(instruction));
    }
    input = (struct input){data, size};
    unsigned funct5 = take(&input, 1) & 31;
    uint64_t old = take(&input, 8);

    check_amo(funct5, old, take(&input, 8));
    return 0;
}
