/*
 * Carrying out, in the guest's stead, what the hart hands to us: accesses to devices, misaligned
 * accesses, reads of a `time` register that the hart lacks. What is none of these is given back to
 * the guest as the exception that the hardware would raise. (`wfi` is in fast_instruction.c.)
 */
#include "csr.h"
#include "decode.h"
#include "entry.h"
#include "fpu.h"
#include "guest_access.h"
#include "inject.h"
#include "isolation.h"
#include "machine/machine.h"
#include "port.h"
#include "sched.h"

static bool in_supervisor_mode(const struct vcpu *vcpu)
{
    return (vcpu->arch.mstatus & STATUS_MPP) == STATUS_MPP_S;
}

/* x[0] of the structure is the pc; register x0 is zero. */
static uint64_t get_register(const struct vcpu *vcpu, unsigned number)
{
    return number == 0 ? 0 : vcpu->arch.x[number];
}

static void set_register(struct vcpu *vcpu, unsigned number, uint64_t value)
{
    if (number != 0)
        vcpu->arch.x[number] = value;
}

static void advance(struct vcpu *vcpu, unsigned length)
{
    vcpu->arch.x[0] += length;
}

static uint64_t value_to_store(struct vcpu *vcpu, const struct access_instruction *access)
{
    uint64_t value =
        access->fp ? fpu_get(port_hart(), vcpu, access->data) : get_register(vcpu, access->data);
    return low_bytes(value, access->size);
}

/* A narrow value in an FP register is NaN-boxed (Unprivileged, 21.2). */
static void put_loaded(struct vcpu *vcpu, const struct access_instruction *access, uint64_t value)
{
    value = low_bytes(value, access->size);
    if (access->fp)
        fpu_set(port_hart(), vcpu, access->data,
                access->size == 8 ? value : value | ~0UL << access->size * 8);
    else
        set_register(vcpu, access->data,
                     access->sign_extend ? sign_extend(value, access->size) : value);
}

/* Or nothing, if its memory only had to be filled: it tries again. */
static void give_fault(struct vcpu *vcpu, const struct guest_fault *fault)
{
    bool again = fault->again || isolation_memory_comes_at(vcpu, fault->tval);
    vcpu_count_exit(vcpu, again ? DIOSIX_EXIT_MEMORY : DIOSIX_EXIT_FAULT);
    if (!again)
        inject_exception(vcpu, fault->cause, fault->tval);
}

static bool writes_memory(const struct access_instruction *access)
{
    return access->kind == ACCESS_STORE || access->kind == ACCESS_AMO || access->kind == ACCESS_SC;
}

/* The instruction behind the exit, decoded. False: the guest has been given a fault instead. QEMU
 * reports a fault of an AMO as a load's, whose causes are those of a store less 2. */
static bool fetch_access(struct vcpu *vcpu, struct guest_fault *otherwise,
                         struct access_instruction *access)
{
    uint32_t instruction;
    struct guest_fault fault;
    if (!guest_fetch(vcpu, &instruction, &fault)) {
        give_fault(vcpu, &fault);
        return false;
    }
    if (!decode_access(instruction, access)) {
        give_fault(vcpu, otherwise);
        return false;
    }
    if (writes_memory(access))
        otherwise->cause |= 2;
    return true;
}

/* As on QEMU's `virt` and on boards whose bus has atomic operations, an AMO reaches a device. There
 * is no reservation on one (Privileged 1.13, 3.6.3.2: RsrvNone): LR and SC fault. */
static bool access_device(struct vcpu *vcpu, struct gpa address,
                          const struct access_instruction *access)
{
    uint64_t value = writes_memory(access) ? value_to_store(vcpu, access) : 0;
    switch (access->kind) {
    case ACCESS_LOAD:
        if (!machine_mmio(vcpu, address, access->size, false, &value))
            return false;
        put_loaded(vcpu, access, value);
        return true;
    case ACCESS_STORE:
        return machine_mmio(vcpu, address, access->size, true, &value);
    case ACCESS_AMO:
        if (!machine_amo(vcpu, address, access->size, access->amo, &value))
            return false;
        set_register(vcpu, access->destination, sign_extend(value, access->size));
        return true;
    default:
        return false;
    }
}

/* The hart has seen to it that the guest may do what the instruction was. Fetched again, it may be
 * another one: a user program must not write so to a device that it may only read. (What the hart
 * calls a load may be an AMO: see above.) */
static bool may_write(struct vcpu *vcpu, const struct guest_fault *fault)
{
    struct gpa address;
    bool read_only = fault->read_only, again;
    if (vcpu->arch.cause == CAUSE_LOAD_GUEST_PAGE &&
        !guest_translate(vcpu, vcpu->arch.tval, &address, &read_only, &again))
        return false;
    return !read_only;
}

static bool is_fetch_fault(uint64_t cause)
{
    return cause == CAUSE_INSTRUCTION_ACCESS || cause == CAUSE_INSTRUCTION_GUEST_PAGE;
}

void emulate_access_fault(struct vcpu *vcpu)
{
    struct gpa address;
    struct guest_fault fault;
    if (isolation_memory_comes(vcpu)) {
        vcpu_count_exit(vcpu, DIOSIX_EXIT_MEMORY);
        return;
    }
    if (is_fetch_fault(vcpu->arch.cause)) {
        fault = (struct guest_fault){.cause = CAUSE_INSTRUCTION_ACCESS, .tval = vcpu->arch.tval};
        give_fault(vcpu, &fault);
        return;
    }
    if (!isolation_fault_address(vcpu, &address, &fault) ||
        capsule_has_memory(vcpu->capsule, address, 1)) {
        give_fault(vcpu, &fault);
        return;
    }
    struct access_instruction access;
    if (!fetch_access(vcpu, &fault, &access))
        return;
    bool allowed = !writes_memory(&access) || may_write(vcpu, &fault);
    if (!allowed)
        fault.cause = CAUSE_STORE_PAGE;
    if (allowed && access_device(vcpu, address, &access))
        advance(vcpu, access.length);
    else
        give_fault(vcpu, &fault);
}

/* Privileged 1.13, 3.6.3.3: plain accesses may be carried out for the guest, atomic ones not. */
void emulate_misaligned(struct vcpu *vcpu)
{
    struct access_instruction access;
    struct guest_fault fault = {.cause = vcpu->arch.cause, .tval = vcpu->arch.tval};
    uint64_t address = vcpu->arch.tval, value = 0;
    if (!fetch_access(vcpu, &fault, &access))
        return;
    bool done = false;
    if (access.kind == ACCESS_STORE) {
        value = value_to_store(vcpu, &access);
        done = guest_write(vcpu, address, &value, access.size, &fault);
    } else if (access.kind == ACCESS_LOAD) {
        done = guest_read(vcpu, &value, address, access.size, &fault);
        if (done)
            put_loaded(vcpu, &access, value);
    }
    if (!done) {
        give_fault(vcpu, &fault);
        return;
    }
    vcpu_count_exit(vcpu, DIOSIX_EXIT_MISALIGNED);
    advance(vcpu, access.length);
}

/* `wrs.nto` has waited for a store to its reservation set for as long as the hart lets it. It may
 * end for any reason ("Zawrs" 1.01), and so it does, once others have had the hart; the guest looks
 * again at what it waits for. In user mode, too, where nothing of the guest's forbids it. */
static void wait_on_reservation(struct vcpu *vcpu)
{
    vcpu_count_exit(vcpu, DIOSIX_EXIT_WRS);
    advance(vcpu, 4);
    sched_pause_current(vcpu);
}

/* `time` on harts that leave it to machine mode. The counter-enable of supervisor mode decides for
 * user mode (12.1.5). */
static bool emulate_time(struct vcpu *vcpu, uint32_t instruction)
{
    struct csr_instruction csr;
    if (!decode_csr(instruction, &csr) || csr.csr != CSR_TIME || csr.writes)
        return false;
    if (!in_supervisor_mode(vcpu) && !(csr_read(CSR_SCOUNTEREN) & COUNTEREN_TM))
        return false;
    vcpu_count_exit(vcpu, DIOSIX_EXIT_READ_TIME);
    set_register(vcpu, csr.rd, port_time());
    advance(vcpu, 4);
    return true;
}

/* From memory: mtval may hold it, or zero (3.1.16), and QEMU leaves there what trapped before, in
 * whatever capsule, when it finds out late that an instruction is illegal. If that was a `wfi`, the
 * guest would wait. */
static bool trapped_instruction(struct vcpu *vcpu, uint32_t *instruction)
{
    struct guest_fault fault;
    if (guest_fetch(vcpu, instruction, &fault))
        return true;
    give_fault(vcpu, &fault);
    return false;
}

static void give_back(struct vcpu *vcpu, uint32_t instruction)
{
    vcpu_count_exit(vcpu, DIOSIX_EXIT_ILLEGAL);
    inject_illegal_instruction(vcpu, instruction);
}

void emulate_illegal(struct hart *hart, struct vcpu *vcpu)
{
    uint32_t instruction;
    if (fpu_first_use(hart, vcpu)) {
        vcpu_count_exit(vcpu, DIOSIX_EXIT_UNITS);
        return;
    }
    if (!trapped_instruction(vcpu, &instruction))
        return;
    if (decode_is_wrs_nto(instruction) && hart->arch.features.zawrs)
        wait_on_reservation(vcpu);
    else if (!emulate_time(vcpu, instruction))
        give_back(vcpu, instruction);
}

void emulate_virtual_instruction(struct vcpu *vcpu)
{
    uint32_t instruction;
    if (!trapped_instruction(vcpu, &instruction))
        return;
    if (decode_is_wrs_nto(instruction))
        wait_on_reservation(vcpu);
    else
        give_back(vcpu, instruction);
}
