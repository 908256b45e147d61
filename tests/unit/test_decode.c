/* Instruction decode against encodings made by the assembler, and every compressed pattern.
 * test_decode_objdump.py compares with a disassembler over the whole space. */
#include "unit.h"
#include "decode.h"
#include <string.h>

struct known {
    const char *text;
    uint32_t instruction;
    struct access_instruction access;
};

#define LOAD(bytes, sign, is_fp, rd, rs1, imm, len)                                                \
    {                                                                                              \
        .kind = ACCESS_LOAD, .length = len, .size = bytes, .sign_extend = sign, .fp = is_fp,       \
        .data = rd, .base = rs1, .offset = imm                                                     \
    }
#define STORE(bytes, is_fp, rs2, rs1, imm, len)                                                    \
    {                                                                                              \
        .kind = ACCESS_STORE, .length = len, .size = bytes, .fp = is_fp, .data = rs2, .base = rs1, \
        .offset = imm                                                                              \
    }
#define ATOMIC(what, bytes, rs2, rd, rs1, funct5)                                                  \
    {                                                                                              \
        .kind = what, .length = 4, .size = bytes, .sign_extend = true, .data = rs2,                \
        .destination = rd, .base = rs1, .amo = funct5                                              \
    }

static const struct known known[] = {
#include "decode_table.h"
};

static void test_known_encodings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct access_instruction access;
        if (!decode_access(known[i].instruction, &access))
            fail_msg("%s is not decoded", known[i].text);
        const struct access_instruction *expected = &known[i].access;
        if (access.kind != expected->kind || access.length != expected->length ||
            access.size != expected->size || access.sign_extend != expected->sign_extend ||
            access.fp != expected->fp || access.data != expected->data ||
            access.destination != expected->destination || access.base != expected->base ||
            access.offset != expected->offset || access.amo != expected->amo)
            fail_msg("%s is decoded as something else", known[i].text);
    }
}

static void test_no_accesses(void **state)
{
    (void)state;
    static const uint32_t others[] = {
        0x00000013, /* addi x0, x0, 0 */
        0x00000073, /* ecall */
        0x10500073, /* wfi */
        0x00007003, /* LOAD with funct3 7 */
        0x00004023, /* STORE with funct3 4 */
        0x00004007, /* flq */
        0x02050007, /* vle8.v */
        0x02056007, /* vle32.v */
        0x0000002f, /* amoadd.b */
        0x1015252f, /* lr.w with rs2 not 0 */
        0x2805252f, /* amocas.w */
        0x0000100f, /* fence.i */
        0x00000000, 0xffffffff,
    };
    struct access_instruction access;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (decode_access(others[i], &access))
            fail_msg("0x%08x is decoded", others[i]);
}

/* What is decoded is sound, whatever the pattern; what lies in the upper half has no effect. */
static void test_all_compressed_patterns(void **state)
{
    (void)state;
    for (uint32_t pattern = 0; pattern < 0x10000; pattern++) {
        struct access_instruction access, with_upper;
        if ((pattern & 3) == 3)
            continue;
        bool is_access = decode_access(pattern, &access);
        assert_int_equal(is_access, decode_access(pattern | 0xabcd0000, &with_upper));
        assert_int_equal(decode_length(pattern), 2);
        if (!is_access)
            continue;
        assert_memory_equal(&access, &with_upper, sizeof access);
        assert_true(access.kind == ACCESS_LOAD || access.kind == ACCESS_STORE);
        assert_int_equal(access.length, 2);
        assert_true(access.size == 1 || access.size == 2 || access.size == 4 || access.size == 8);
        assert_true(access.data < 32 && access.base < 32);
        assert_true(access.offset >= 0 && access.offset < 512);
        assert_int_equal(access.offset % access.size, 0);
        assert_true(!access.fp || access.size == 8);
    }
}

/* Zcb's five accesses from its tables (28.3): how many patterns each has, and one of each. */
static void test_zcb(void **state)
{
    (void)state;
    unsigned count[2][2][2] = {0}; /* store, size - 1, sign */
    for (uint32_t pattern = 0x8000; pattern < 0xa000; pattern += 4) {
        struct access_instruction access;
        if (decode_access(pattern, &access))
            count[access.kind == ACCESS_STORE][access.size - 1][access.sign_extend]++;
    }
    assert_int_equal(count[0][0][0], 256); /* c.lbu: 8 * 8 registers, 4 offsets */
    assert_int_equal(count[0][1][0], 128); /* c.lhu: 2 offsets */
    assert_int_equal(count[0][1][1], 128); /* c.lh */
    assert_int_equal(count[1][0][0], 256); /* c.sb */
    assert_int_equal(count[1][1][0], 128); /* c.sh */
}

static uint64_t amo(unsigned funct5, unsigned size, uint64_t old, uint64_t operand)
{
    uint64_t result = 0;
    assert_true(decode_amo(funct5, size, old, operand, &result));
    return result;
}

static void test_amo_results(void **state)
{
    (void)state;
    assert_int_equal(amo(0x00, 8, UINT64_MAX, 2), 1);
    assert_int_equal(amo(0x00, 4, 0xffffffff, 2), 1);
    assert_int_equal(amo(0x01, 4, 1, 0xffffffff00000007), 7);
    assert_int_equal(amo(0x04, 8, 0xff, 0x0f), 0xf0);
    assert_int_equal(amo(0x08, 8, 0xf0, 0x0f), 0xff);
    assert_int_equal(amo(0x0c, 8, 0xff, 0x0f), 0x0f);
    assert_int_equal(amo(0x10, 4, 0xffffffff, 1), 0xffffffff);
    assert_int_equal(amo(0x14, 4, 0xffffffff, 1), 1);
    assert_int_equal(amo(0x18, 4, 0xffffffff, 1), 1);
    assert_int_equal(amo(0x1c, 4, 0xffffffff, 1), 0xffffffff);
    assert_int_equal(amo(0x10, 8, 0xffffffff, 1), 1);
    assert_int_equal(amo(0x10, 8, UINT64_MAX, 1), UINT64_MAX);
    assert_int_equal(amo(0x14, 8, UINT64_MAX, 1), 1);
    assert_int_equal(amo(0x18, 8, UINT64_MAX, 1), 1);
    assert_int_equal(amo(0x1c, 8, UINT64_MAX, 1), UINT64_MAX);
    uint64_t result;
    for (unsigned funct5 = 0; funct5 < 64; funct5++)
        if (funct5 >= 32 || (funct5 & 3 && funct5 != 1))
            assert_false(decode_amo(funct5, 8, 0, 0, &result));
}

static void test_csr(void **state)
{
    (void)state;
    struct csr_instruction csr;
    assert_true(decode_csr(0xc0102573, &csr)); /* rdtime a0: csrrs a0, time, x0 */
    assert_int_equal(csr.csr, 0xc01);
    assert_int_equal(csr.rd, 10);
    assert_int_equal(csr.operation, CSR_SET);
    assert_false(csr.writes);
    assert_false(csr.immediate);
    assert_true(decode_csr(0x14059573, &csr)); /* csrrw a0, sscratch, a1 */
    assert_int_equal(csr.csr, 0x140);
    assert_int_equal(csr.source, 11);
    assert_int_equal(csr.operation, CSR_WRITE);
    assert_true(csr.writes);
    assert_true(decode_csr(0x1001f073, &csr)); /* csrrci x0, sstatus, 3 */
    assert_int_equal(csr.source, 3);
    assert_true(csr.immediate && csr.writes);
    assert_int_equal(csr.operation, CSR_CLEAR);
    assert_true(decode_csr(0x10005073, &csr)); /* csrrwi x0, sstatus, 0 writes */
    assert_true(csr.writes);
    assert_false(decode_csr(0x00000073, &csr)); /* ecall */
    assert_false(decode_csr(0x10500073, &csr)); /* wfi */
    assert_false(decode_csr(0x6c05c573, &csr)); /* hlv: funct3 4 */
    assert_false(decode_csr(0xc0102503, &csr)); /* a load */
}

static void test_wfi_and_lengths(void **state)
{
    (void)state;
    assert_true(decode_is_wfi(0x10500073));
    assert_false(decode_is_wfi(0x10200073)); /* sret */
    assert_false(decode_is_wfi(0x10500f73));
    assert_true(decode_is_wrs_nto(0x00d00073));
    assert_false(decode_is_wrs_nto(0x01d00073)); /* wrs.sto */
    assert_false(decode_is_wrs_nto(0x00d00f73));
    assert_int_equal(decode_length(0x10500073), 4);
    assert_int_equal(decode_length(0x4501), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_encodings),
        cmocka_unit_test(test_no_accesses),
        cmocka_unit_test(test_all_compressed_patterns),
        cmocka_unit_test(test_zcb),
        cmocka_unit_test(test_amo_results),
        cmocka_unit_test(test_csr),
        cmocka_unit_test(test_wfi_and_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
