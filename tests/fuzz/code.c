/* Programs; see fuzz.h. Instruction formats: Unprivileged ISA, chapters 2, 14, 20 and 26. */
#include "fuzz.h"

static struct program programs[WORKERS_MAX][POOLS][PROGRAMS];

static unsigned any_register(struct worker *worker)
{
    return (unsigned)below(worker, 32);
}

static void emit_half(struct worker *worker, uint16_t instruction)
{
    memcpy(worker->code + worker->code_at, &instruction, sizeof instruction);
    worker->code_at += sizeof instruction;
}

void emit(struct worker *worker, uint32_t instruction)
{
    emit_half(worker, (uint16_t)instruction);
    emit_half(worker, (uint16_t)(instruction >> 16));
}

static void emit_csr(struct worker *worker, unsigned funct3, unsigned csr, unsigned rd,
                     unsigned source)
{
    emit(worker, csr << 20 | source << 15 | funct3 << 12 | rd << 7 | 0x73);
}

/* --- programs --- */

static void finish_program(struct worker *worker)
{
    emit(worker, EBREAK);
    worker->program->made = true;
    __asm__ volatile("fence.i" ::: "memory");
}

void use_program(struct worker *worker, enum pool pool, uint64_t chances,
                 void (*make)(struct worker *worker))
{
    uint64_t number = below(worker, PROGRAMS);
    uint64_t begin = (pool * PROGRAMS + number) * PROGRAM_SIZE + 2 * (number & 1);
    worker->program = &programs[worker->id][pool][number];
    worker->state.x[0] = (uint64_t)worker->code + begin;
    if (worker->program->made && !one_in(worker, chances))
        return;
    *worker->program = (struct program){0};
    worker->code_at = begin;
    make(worker);
    finish_program(worker);
}

/* Notes that the program expects an operand in this register, which it returns. */
static unsigned operand(struct worker *worker, unsigned number, enum operand what, int64_t offset)
{
    struct program *program = worker->program;
    if (program->count == OPERANDS_MAX)
        return number;
    program->registers[program->count] = (uint8_t)number;
    program->operands[program->count] = (uint8_t)what;
    program->offsets[program->count++] = (int16_t)offset;
    return number;
}

/* A register for an address, less the offset that the instruction adds. */
static uint32_t base_for(struct worker *worker, int64_t offset)
{
    return operand(worker, 1 + (unsigned)below(worker, 31), OPERAND_ADDRESS, offset);
}

/* --- accesses --- */

static int64_t any_offset(struct worker *worker)
{
    static const int64_t offsets[] = {0, 0, 0, 4, 8, -8, 1, 2047, -2048};
    return PICK(worker, offsets);
}

static void emit_load(struct worker *worker)
{
    int64_t offset = any_offset(worker);
    uint32_t base = base_for(worker, offset), funct3 = (uint32_t)below(worker, 8);
    static const uint32_t opcodes[] = {0x03, 0x03, 0x03, 0x07}; /* LOAD, LOAD-FP */
    emit(worker, (uint32_t)offset << 20 | base << 15 | funct3 << 12 | any_register(worker) << 7 |
                     PICK(worker, opcodes));
}

static void emit_store(struct worker *worker)
{
    int64_t offset = any_offset(worker);
    uint32_t base = base_for(worker, offset), low = (uint32_t)offset & 0xfff;
    static const uint32_t opcodes[] = {0x23, 0x23, 0x23, 0x27}; /* STORE, STORE-FP */
    uint32_t funct3 = (uint32_t)below(worker, one_in(worker, 8) ? 8 : 4);
    emit(worker, (low >> 5) << 25 | any_register(worker) << 20 | base << 15 | funct3 << 12 |
                     (low & 31) << 7 | PICK(worker, opcodes));
}

/* LR, SC, AMOs, also of Zabha's and Zacas's widths, and what is reserved. */
static void emit_atomic(struct worker *worker)
{
    static const uint32_t operations[] = {0, 1, 2, 2, 3, 3, 4, 5, 8, 12, 16, 20, 24, 28, 31};
    static const uint32_t widths[] = {2, 2, 2, 3, 3, 3, 0, 1, 4};
    uint32_t operation = PICK(worker, operations);
    uint32_t data = operation == 2 && !one_in(worker, 8) ? 0 : any_register(worker);
    emit(worker, operation << 27 | (uint32_t)below(worker, 4) << 25 | data << 20 |
                     base_for(worker, 0) << 15 | PICK(worker, widths) << 12 |
                     any_register(worker) << 7 | 0x2f);
}

/* Quadrant 0, with x8 to x15 as base, and quadrant 2, with sp. */
static void emit_compressed(struct worker *worker)
{
    uint32_t funct3 = (uint32_t)below(worker, 8);
    if (one_in(worker, 3)) {
        operand(worker, 2, OPERAND_ADDRESS, 0);
        uint32_t data = any_register(worker);
        emit_half(worker, (uint16_t)(funct3 << 13 | data << (funct3 & 4 ? 2 : 7) | 2));
        return;
    }
    uint32_t base = (uint32_t)below(worker, 8), zcb = funct3 == 4 ? (uint32_t)below(worker, 8) : 0;
    operand(worker, 8 + base, OPERAND_ADDRESS, 0);
    emit_half(worker,
              (uint16_t)(funct3 << 13 | zcb << 10 | base << 7 | (uint32_t)below(worker, 8) << 2));
}

/* Unit-stride, strided, indexed, masked, fault-only-first, segments: what the bits give. */
static void emit_vector(struct worker *worker)
{
    static const uint32_t widths[] = {0, 5, 6, 7};
    uint32_t opcode = one_in(worker, 2) ? 0x07 : 0x27, base = base_for(worker, 0);
    uint32_t upper = one_in(worker, 3) ? (uint32_t)below(worker, 4096) : 0x020;
    emit(worker, 0x0c0072d7 | (uint32_t)below(worker, 4) << 23); /* vsetvli t0, zero, e8.., m1 */
    emit(worker, upper << 20 | base << 15 | PICK(worker, widths) << 12 | any_register(worker) << 7 |
                     opcode);
}

static void emit_cache(struct worker *worker)
{
    emit(worker, (uint32_t)below(worker, 6) << 20 | base_for(worker, 0) << 15 | 2 << 12 | 0x0f);
}

/* cbo.zero ("CMO" 1.0.1, 2.6): a store of a block, wherever in it the address is. */
void emit_zero(struct worker *worker)
{
    emit(worker, 4 << 20 | base_for(worker, 0) << 15 | 2 << 12 | 0x0f);
}

void emit_access(struct worker *worker)
{
    static void (*const forms[])(struct worker *) = {
        emit_load,   emit_load,       emit_load,       emit_store,  emit_store, emit_store,
        emit_atomic, emit_compressed, emit_compressed, emit_vector, emit_cache, emit_zero,
    };
    PICK(worker, forms)(worker);
}

/* Base and size of registers, and the width that they take as the funct3 of a load. */
static const struct {
    uint64_t base, size;
    uint32_t width;
} registers[] = {
    {0x00100000, 8, 2},      {0x00101000, 0x24, 2},   {0x0c000000, 0x188, 2},
    {0x0c001000, 0x10, 2},   {0x0c002080, 0x10, 2},   {0x0c002180, 0x10, 2},
    {0x0c201000, 8, 2},      {0x0c201000, 8, 2},      {0x0c203000, 8, 2},
    {0x0c205000, 8, 2},      {0x10000000, 8, 0},      {0x10000000, 8, 0},
    {0x10001000, 0x110, 2},  {0x20000000, 0x1000, 2}, {0x20000000, 0x1000, 1},
    {0x21fc0000, 0x1000, 0},
};

/* As a driver would: of the right width and alignment, at a register that is there. */
static void emit_register_access(struct worker *worker)
{
    static const enum operand widths[] = {OPERAND_REGISTER_1, OPERAND_REGISTER_2,
                                          OPERAND_REGISTER_4, OPERAND_REGISTER_4,
                                          OPERAND_REGISTER_4};
    enum operand width = PICK(worker, widths);
    uint32_t funct3 = width - OPERAND_REGISTER_1, data = any_register(worker);
    uint32_t base = operand(worker, 1 + (unsigned)below(worker, 31), width, 0);
    if (one_in(worker, 2))
        emit(worker, base << 15 | funct3 << 12 | data << 7 | 0x03);
    else
        emit(worker, data << 20 | base << 15 | funct3 << 12 | 0x23);
}

static uint64_t register_address(struct worker *worker, enum operand width)
{
    unsigned which;
    do
        which = (unsigned)below(worker, sizeof registers / sizeof registers[0]);
    while (registers[which].width != width - OPERAND_REGISTER_1);
    uint64_t address = registers[which].base + below(worker, registers[which].size);
    return address & ~((1UL << registers[which].width) - 1);
}

void use_addresses(struct worker *worker, uint64_t (*address)(struct worker *worker))
{
    const struct program *program = worker->program;
    for (unsigned i = 0; i < program->count; i++) {
        enum operand what = program->operands[i];
        uint64_t value, unused;
        if (what == OPERAND_SATP) {
            use_tables(worker, &unused);
            value = worker->state.satp;
            worker->state.satp = 0;
        } else if (what == OPERAND_ADDRESS || one_in(worker, 8)) {
            value = address(worker);
        } else {
            value = register_address(worker, what);
        }
        worker->state.x[program->registers[i]] = value - (uint64_t)(int64_t)program->offsets[i];
    }
}

/* Two at most, because what faults ends the program. */
static void make_device_program(struct worker *worker)
{
    for (uint64_t count = 1 + below(worker, 2); count > 0; count--)
        if (one_in(worker, 2))
            emit_register_access(worker);
        else
            emit_access(worker);
}

/* Registers that are there, written and read back, many in a row: as long as none faults. */
static void sweep(struct worker *worker)
{
    static const uint32_t values[] = {
        0, 1, 7, 10, 11, 95, 96, 128, 0x7fffffff, 0xffffffff,
        /* commands of flash (CFI 1.4, Intel's), of both of a bank's chips */
        0xff, 0x00200020, 0x00d000d0, 0x00e800e8, 0x00600060, 0x00400040, 0x00900090, 0x00980098,
        0x00500050, 0x00700070};
    uint64_t *record = worker->records[0];
    for (unsigned i = 0; i < 4 * BURST; i++) {
        *record++ = register_address(worker, OPERAND_REGISTER_4);
        *record++ = one_in(worker, 2) ? PICK(worker, values) : any(worker);
    }
    begin_burst(worker, fuzz_sweep, 64 * BURST);
}

void action_device(struct worker *worker)
{
    worker->kind = KIND_DEVICE;
    if (one_in(worker, 6)) {
        sweep(worker);
        return;
    }
    use_program(worker, POOL_DEVICE, 16, make_device_program);
    use_addresses(worker, device_address);
}

/* --- anything --- */

/* Those of the privileged architecture, and what has special meaning to a hypervisor. */
static const uint32_t specials[] = {
    ECALL,      WFI,        0x10200073, /* sret */
    0x30200073,                         /* mret */
    0x70200073,                         /* mnret */
    0x00200073,                         /* uret */
    0x7b200073,                         /* dret */
    0x00d00073,                         /* wrs.nto */
    0x01d00073,                         /* wrs.sto */
    0x12000073,                         /* sfence.vma */
    0x16000073,                         /* sinval.vma */
    0x18000073,                         /* sfence.w.inval */
    0x18100073,                         /* sfence.inval.ir */
    0x22000073,                         /* hfence.vvma */
    0x62000073,                         /* hfence.gvma */
    0x26000073,                         /* hinval.vvma */
    0x66000073,                         /* hinval.gvma */
    0x10400073,                         /* sctrclr */
    0x0000100f,                         /* fence.i */
    0x0100000f,                         /* pause */
    0x8330000f,                         /* fence.tso */
    0x0ff0000f,                         /* fence */
    0xc0102573,                         /* rdtime a0 */
    0xc0002573,                         /* rdcycle a0 */
    0x81c04073,                         /* mop.r.0 */
    0xcdc04073,                         /* sspopchk, ssrdp and their like */
    0x00000000, 0xffffffff, 0x9002,     /* c.ebreak */
};

/* Any instruction of one of these opcodes: an entry of many is system, FP, vector, atomic. */
static const uint32_t opcodes[] = {
    0x73, 0x73, 0x73, 0x73, 0x53, 0x53, 0x57, 0x57, 0x07, 0x27, 0x2f, 0x0f, 0x03, 0x23,
    0x13, 0x33, 0x1b, 0x3b, 0x63, 0x6f, 0x67, 0x17, 0x37, 0x43, 0x47, 0x4b, 0x4f, 0x77,
};

static void emit_anything(struct worker *worker)
{
    uint32_t word = (uint32_t)any(worker);
    switch (below(worker, 8)) {
    case 0:
        emit(worker, word);
        break;
    case 1:
        emit_half(worker, (uint16_t)((word & 3) == 3 ? word ^ 1 : word));
        break;
    case 2:
    case 3:
        emit(worker, (word & ~0x7fU) | PICK(worker, opcodes));
        break;
    case 4: /* hlv, hsv (21.3.1): funct3 is 4, of funct7 the first bits are 0110 */
        emit(worker, (word & 0x0ff00f80) | 0x60004073 | base_for(worker, 0) << 15);
        break;
    case 5:
        emit_access(worker);
        break;
    case 6:
        emit_csr(worker, (unsigned)below(worker, 8), (unsigned)below(worker, 4096),
                 any_register(worker), any_register(worker));
        break;
    default:
        emit(worker, PICK(worker, specials));
    }
}

static void make_program(struct worker *worker)
{
    for (uint64_t count = 1 + below(worker, one_in(worker, 4) ? 12 : 4); count > 0; count--)
        emit_anything(worker);
}

void action_code(struct worker *worker)
{
    worker->kind = KIND_CODE;
    use_program(worker, POOL_CODE, 4, make_program);
    use_addresses(worker, any_address);
    set_alarm(worker, 2000); /* it may be a loop */
}

/* --- CSRs --- */

/* First those that a supervisor has, then those that it wants. */
static const uint16_t known_csrs[] = {
    0x100, 0x104, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x180, 0x001,
    0x002, 0x003, 0x008, 0x009, 0x00a, 0x00f, 0xc00, 0xc01, 0xc02, 0xc20, 0xc21, 0xc22,
    0x10c, 0x120, 0x150, 0x151, 0x15c, 0xdb0, 0x5a8, 0x011, 0x015, 0x017, 0xc03, 0x200,
    0x204, 0x205, 0x240, 0x241, 0x244, 0x24d, 0x280, 0x600, 0x602, 0x603, 0x604, 0x605,
    0x606, 0x607, 0x60a, 0x60c, 0x643, 0x644, 0x645, 0x64a, 0x680, 0xe12, 0x300, 0x301,
    0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x30c, 0x320, 0x340, 0x341, 0x342, 0x343,
    0x344, 0x3a0, 0x3b0, 0x747, 0x7a0, 0x7b0, 0xb00, 0xf11, 0xf14, 0x14e, 0x14f,
};

#define OWN_CSRS  24
#define CSR_STVEC 0x105
#define CSR_SATP  0x180

static void make_csr_program(struct worker *worker)
{
    unsigned csr = one_in(worker, 8) ? (unsigned)below(worker, 4096) : PICK(worker, known_csrs);
    if (one_in(worker, 2))
        csr = known_csrs[below(worker, OWN_CSRS)];
    if (csr == CSR_STVEC && !one_in(worker, RARELY / 64)) /* without a way back a life ends */
        csr++;
    unsigned source = 5 + (unsigned)below(worker, 20), funct3 = 1 + (unsigned)below(worker, 7);
    if (csr == CSR_SATP && !one_in(worker, RARELY / 64)) {
        operand(worker, source, OPERAND_SATP, 0);
        funct3 = 1;
    }
    emit_csr(worker, funct3, csr, any_register(worker), source);
    if (one_in(worker, 2))
        emit_anything(worker);
    if (one_in(worker, 8))
        emit_csr(worker, 2, csr, 10, 0);
}

void action_csr(struct worker *worker)
{
    worker->kind = KIND_CSR;
    use_program(worker, POOL_CSR, 4, make_csr_program);
    use_addresses(worker, any_address);
    set_alarm(worker, 2000);
}

/* --- code that others write at the same time --- */

/* What traps there may be something else when the hypervisor looks. Writers put accesses to
 * devices there, compressed, wide and plain; who executes it has devices in its registers. */
void action_shared(struct worker *worker)
{
    static const uint32_t words[] = {
        0x00052583, 0x00b52023, 0x0005a503, 0x00a5b023, 0x00052507, 0x00a52027, WFI,   0xc0102573,
        0x0000c188, 0x4188c188, 0x61886188, 0xe188e188, 0x0000001,  EBREAK,     ECALL, 0x00a5a02f,
    };
    uint64_t at = below(worker, PAGE / 4 - 8);
    worker->kind = KIND_CODE;
    worker->state.x[0] = (uint64_t)(fuzz_ecall + 1);
    if (one_in(worker, 4)) {
        for (uint64_t i = below(worker, 8); i < 8; i++)
            ((volatile uint32_t *)shared_code)[at + i] = PICK(worker, words);
        return;
    }
    shared_code[PAGE / 4 - 1] = EBREAK;
    worker->state.x[0] = (uint64_t)(shared_code + at) + 2 * below(worker, 2);
    worker->state.x[10] = device_address(worker);
    worker->state.x[11] = device_address(worker);
    set_alarm(worker, 4000);
}
