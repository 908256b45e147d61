/*
 * Device registers without a full exit: a plain load or store of an integer register that was
 * saved on the way here, of one that the machine has a device for. The rest, and all that goes
 * wrong, is for emulate.c, which finds everything as the trap left it.
 *
 * What the instruction was, a hart with H tells (mtinst); from others it is fetched.
 */
#include "csr.h"
#include "decode.h"
#include "entry.h"
#include "fast.h"
#include "isolation.h"
#include "machine/machine.h"
#include "port.h"

struct plain_access {
    bool write;
    unsigned funct3, size, data;
};

/* What C may change, and so what entry.S has saved: ra, t0-t6 and a0-a7. And x0, which needs none.
 */
static bool is_saved(unsigned number)
{
    return 0xf003fce3U >> number & 1;
}

/* Privileged 1.13, 21.6.3: a transformed load or store has its opcode, funct3 and register in their
 * places, and bit 1 tells whether the one in the program was of 4 bytes. Bits 19:15 are not zero
 * for a misaligned access alone. */
static bool identify(struct hart *hart, struct vcpu *vcpu, uint32_t *instruction, unsigned *length)
{
    *length = 4;
    if (!hart->arch.features.h)
        return fast_fetch(vcpu, instruction);
    vcpu->arch.tval2 = csr_read(CSR_MTVAL2);
    vcpu->arch.tinst = csr_read(CSR_MTINST);
    *instruction = (uint32_t)vcpu->arch.tinst | 2;
    if (!(vcpu->arch.tinst & 2))
        *length = 2;
    return (vcpu->arch.tinst & 0x1f << 15) == 0;
}

static bool decode_plain(uint32_t instruction, struct plain_access *access)
{
    unsigned opcode = instruction & 0x7f;
    access->funct3 = instruction >> 12 & 7;
    access->size = 1U << (access->funct3 & 3);
    access->write = opcode == OPCODE_STORE;
    if (access->write)
        access->data = instruction >> 20 & 31;
    else
        access->data = instruction >> 7 & 31;
    if (access->write ? access->funct3 > 3 : opcode != OPCODE_LOAD || access->funct3 == 7)
        return false;
    return is_saved(access->data);
}

static uint64_t extend(uint64_t value, const struct plain_access *access)
{
    bool is_unsigned = access->funct3 & 4;
    return is_unsigned ? low_bytes(value, access->size) : sign_extend(value, access->size);
}

__attribute__((noinline)) bool exit_fast_access(struct vcpu *vcpu, uint64_t cause)
{
    struct hart *hart = port_hart();
    struct plain_access access;
    struct guest_fault fault;
    struct gpa address;
    uint32_t instruction;
    unsigned length;
    uint64_t value = 0;
    fast_note(vcpu, cause);
    if (!identify(hart, vcpu, &instruction, &length) || !decode_plain(instruction, &access) ||
        !isolation_fault_address(vcpu, &address, &fault))
        return false;
    if (access.write && access.data != 0)
        value = low_bytes(vcpu->arch.x[access.data], access.size);
    if (!machine_mmio(vcpu, address, access.size, access.write, &value))
        return false;
    if (!access.write && access.data != 0)
        vcpu->arch.x[access.data] = extend(value, &access);
    csr_write(CSR_MEPC, vcpu->arch.x[0] + length);
    interrupt_enter(hart, vcpu);
    return exit_done(hart);
}
