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

/* What C may change, and so what entry.S has saved: ra, t0-t6 and a0-a7. And x0, which needs none.
 */
static bool is_saved(unsigned number)
{
    return 0xf003fce3U >> number & 1;
}

/* Privileged 1.13, 21.6.3: a transformed load or store has its opcode, funct3 and register in their
 * places, and bit 1 tells whether the one in the program was of 4 bytes. Bits 19:15 are not zero
 * for a misaligned access alone. So here bit 1 tells nothing else, either. 0: some other one. */
static uint32_t identify(const struct hart *hart, struct vcpu *vcpu)
{
    uint32_t instruction;
    if (hart->arch.features.h) {
        vcpu->arch.tval2 = csr_read(CSR_MTVAL2);
        vcpu->arch.tinst = csr_read(CSR_MTINST);
        return vcpu->arch.tinst & 0x1f << 15 ? 0 : (uint32_t)vcpu->arch.tinst;
    }
    return fast_fetch(vcpu, &instruction) && (instruction & 3) == 3 ? instruction : 0;
}

static unsigned funct3(uint32_t instruction)
{
    return instruction >> 12 & 7;
}

static unsigned access_size(uint32_t instruction)
{
    return 1U << (funct3(instruction) & 3);
}

static bool is_load(uint32_t instruction)
{
    return (instruction & 0x7d) == (OPCODE_LOAD & 0x7d);
}

static bool is_store(uint32_t instruction)
{
    return (instruction & 0x7d) == (OPCODE_STORE & 0x7d);
}

static unsigned load_register(uint32_t instruction)
{
    return instruction >> 7 & 31;
}

static unsigned store_register(uint32_t instruction)
{
    return instruction >> 20 & 31;
}

static bool is_plain(uint32_t instruction)
{
    if (is_load(instruction))
        return funct3(instruction) != 7 && is_saved(load_register(instruction));
    return is_store(instruction) && funct3(instruction) <= 3 &&
           is_saved(store_register(instruction));
}

static inline __attribute__((always_inline)) void put_loaded(struct vcpu *vcpu,
                                                             uint32_t instruction, uint64_t value)
{
    unsigned number = load_register(instruction);
    unsigned shift = 64 - (8U << (funct3(instruction) & 3));
    bool is_unsigned = funct3(instruction) & 4;
    value <<= shift;
    if (number != 0)
        vcpu->arch.x[number] = is_unsigned ? value >> shift : (uint64_t)((int64_t)value >> shift);
}

static void step_over(const struct vcpu *vcpu, uint32_t instruction)
{
    csr_write(CSR_MEPC, vcpu->arch.x[0] + 2 + (instruction & 2));
}

/* Not inline: reads that change nothing should not pay for its registers. */
__attribute__((noinline)) static bool reach(struct vcpu *vcpu, struct gpa address,
                                            uint32_t instruction)
{
    struct hart *hart = port_hart();
    bool write = is_store(instruction);
    unsigned size = access_size(instruction), number = store_register(instruction);
    uint64_t value = write && number != 0 ? low_bytes(vcpu->arch.x[number], size) : 0;
    if (!machine_mmio(vcpu, address, size, write, &value))
        return false;
    if (!write)
        put_loaded(vcpu, instruction, value);
    step_over(vcpu, instruction);
    interrupt_enter(hart, vcpu);
    return exit_done(hart);
}

/* After a mere look at a register, no line of the guest's is another. */
__attribute__((noinline)) bool exit_fast_access(struct vcpu *vcpu, uint64_t cause)
{
    struct guest_fault fault;
    struct gpa address;
    fast_note(vcpu, cause);
    uint32_t instruction = identify(port_hart(), vcpu);
    if (!is_plain(instruction))
        return false;
    if (!isolation_fault_address(vcpu, &address, &fault)) /* it may have looked in vain */
        return fast_decline(vcpu);
    if (is_store(instruction))
        return !fault.read_only && reach(vcpu, address, instruction);
    int64_t value = machine_look(vcpu, address, access_size(instruction));
    if (value < 0)
        return reach(vcpu, address, instruction);
    put_loaded(vcpu, instruction, (uint64_t)value);
    step_over(vcpu, instruction);
    return true;
}
