/* Entering a guest and handling its exits: what the files of the port's inner loop share. */
#ifndef RISCV_ENTRY_H
#define RISCV_ENTRY_H

#include "addr.h"
#include "csr.h"
#include "hart.h"
#include "sched.h"
#include "vcpu.h"

/* Called from entry.S: reset, on the first hart and on the others. */
__attribute__((noreturn)) void boot_main(uint64_t hart_id, const void *fdt);
__attribute__((noreturn)) void boot_secondary(uint64_t hart_id);
/* boot.c, on each hart that comes in: what can it do? The caller then says that it is online. */
void boot_hart_comes(struct hart *hart);
extern struct hart boot_hart; /* the first */
/* start.c, on the first hart: ends boot, gives back the memory of what was for boot alone if it
 * may, and lets all harts run guests. */
__attribute__((noreturn)) void start_guests(bool may_give_back);
/* entry.S: goes there on the hart's own stack instead of boot's, which is given back. */
__attribute__((noreturn)) void boot_leave(bool may_give_back);

/* bug.c, called from entry.S: a fault of our own; `in_trap`: in the handling of a trap, on a hart
 * with Smdbltrp, or an RNMI. And a fault in that. */
__attribute__((noreturn)) void trap_bug(uint64_t pc, uint64_t sp, uint64_t ra, uint64_t a0,
                                        uint64_t cause, bool in_trap);
__attribute__((noreturn)) void trap_last_words(uint64_t cause, uint64_t pc, uint64_t value);

/* fast.c, called from entry.S with only C's scratch registers saved: answers a common exit
 * completely and returns true, or leaves it to exit_handle() and returns false. */
bool exit_fast(struct vcpu *vcpu, uint64_t cause);
/* fast_access.c: the same for an access to a device. */
bool exit_fast_access(struct vcpu *vcpu, uint64_t cause);
/* fast_instruction.c: the same for an instruction that is not for the guest; `wfi` is never left.
 */
bool exit_fast_instruction(struct vcpu *vcpu, uint64_t cause);
/* For an exit that has been answered completely: does its vCPU go on? If it must leave the hart
 * instead, this is the cause, which no trap has. */
#define EXIT_ANSWERED CAUSE_INTERRUPT
static inline bool exit_done(const struct hart *hart)
{
    if (!sched_must_leave(hart))
        return true;
    csr_write(CSR_MCAUSE, EXIT_ANSWERED);
    return false;
}

/* run.c: puts the registers of a vCPU that is on no hart in their reset state, as port_vcpu_reset()
 * does, but leaves alone what others may change meanwhile: its interrupt lines and its debts. */
void vcpu_begin(struct vcpu *vcpu, struct gpa entry, uint64_t a0, uint64_t a1);

/* exit.c: carries out what the guest's last trap asks for. */
void exit_handle(struct hart *hart, struct vcpu *vcpu);
/* Ends the vCPU's capsule, or restarts it: a trap that nobody can answer. */
void exit_crash(struct vcpu *vcpu, uint64_t cause);
/* The name of an mcause value. */
const char *exit_cause_name(uint64_t cause);
/* Takes a kick: this hart's software interrupt is no longer pending. */
void exit_take_kick(struct hart *hart);
/* Handles the machine interrupts that are pending; from exits and from idle. */
void exit_machine_interrupts(struct hart *hart);

/* emulate.c: the instruction at the guest's pc faulted on memory, is misaligned, or is not one that
 * the hart carries out. */
void emulate_access_fault(struct vcpu *vcpu);
void emulate_misaligned(struct vcpu *vcpu);
void emulate_illegal(struct hart *hart, struct vcpu *vcpu);
void emulate_virtual_instruction(struct vcpu *vcpu);

/* interrupt.c: lines to and from the hart around the guest's time on it. */
void interrupt_enter(struct hart *hart, struct vcpu *vcpu);
void interrupt_leave(struct hart *hart, struct vcpu *vcpu);

/* fence.c: pays what the vCPU owes, on its hart. */
void fence_pay(struct vcpu *vcpu);

#endif
