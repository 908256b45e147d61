/*
 * Why a guest left, and what to do about it. Every trap ends in one of four ways: handled, given to
 * the guest as the exception that the hardware would raise, answered with an SBI error, or the
 * capsule stops with a crash record.
 */
#include "capsule.h"
#include "console.h"
#include "csr.h"
#include "driver.h"
#include "entry.h"
#include "inject.h"
#include "log.h"
#include "machine/machine.h"
#include "machine/sbi.h"
#include "mmio.h"
#include "offsets.h"
#include "platform.h"
#include "port.h"
#include "sched.h"
#include "serial.h"
#include <stddef.h>
#include <string.h>

#define CLAIMS_MAX 32 /* interrupts served at once: more than a port that works has */

_Static_assert(offsetof(struct vcpu, arch) == 0, "entry.S");
_Static_assert(offsetof(struct vcpu_arch, mstatus) == VCPU_MSTATUS, "entry.S");
_Static_assert(offsetof(struct vcpu_arch, host_sp) == VCPU_HOST_SP, "entry.S");
_Static_assert(offsetof(struct vcpu_arch, host_tp) == VCPU_HOST_TP, "entry.S");
_Static_assert(offsetof(struct vcpu_arch, cause) == VCPU_CAUSE, "entry.S");
_Static_assert(offsetof(struct vcpu_arch, tval) == VCPU_TVAL, "entry.S");
_Static_assert(offsetof(struct vcpu_arch, virtual) == VCPU_VIRTUAL, "entry.S");
_Static_assert(offsetof(struct vcpu_arch, timer_csr) == VCPU_TIMER_CSR, "entry.S");
_Static_assert(offsetof(struct vcpu_arch, timer) == VCPU_TIMER, "entry.S");
_Static_assert(offsetof(struct vcpu, counts.exits) == VCPU_EXITS(0), "entry.S");
_Static_assert(DIOSIX_EXIT_SBI_BASE == EXIT_SBI_BASE, "entry.S");
_Static_assert(DIOSIX_EXIT_SBI_TIME == EXIT_SBI_TIME, "entry.S");
_Static_assert(offsetof(struct hart, arch.stack_high) == HART_STACK_HIGH, "entry.S");
_Static_assert(offsetof(struct hart, arch.hart_id) == HART_ID, "entry.S");
_Static_assert(offsetof(struct hart, arch.levels) == HART_LEVELS, "entry.S");
_Static_assert(offsetof(struct hart, arch.timer) == HART_TIMER, "entry.S");
_Static_assert(offsetof(struct hart, arch.mtimecmp) == HART_MTIMECMP, "entry.S");
_Static_assert(offsetof(struct hart, guest_deadline) == HART_GUEST_DEADLINE, "entry.S");
_Static_assert(INTERRUPT_ST == LEVEL_TIMER, "entry.S");

/* Privileged 1.13, 3.1.15, table of mcause values. */
static const char *const cause_names[] = {
    [CAUSE_INSTRUCTION_MISALIGNED] = "instruction address misaligned",
    [CAUSE_INSTRUCTION_ACCESS] = "instruction access fault",
    [CAUSE_ILLEGAL_INSTRUCTION] = "illegal instruction",
    [CAUSE_BREAKPOINT] = "breakpoint",
    [CAUSE_LOAD_MISALIGNED] = "load address misaligned",
    [CAUSE_LOAD_ACCESS] = "load access fault",
    [CAUSE_STORE_MISALIGNED] = "store/AMO address misaligned",
    [CAUSE_STORE_ACCESS] = "store/AMO access fault",
    [CAUSE_ECALL_U] = "environment call from U-mode",
    [CAUSE_ECALL_S] = "environment call from S-mode",
    [CAUSE_ECALL_VS] = "environment call from VS-mode",
    [CAUSE_INSTRUCTION_PAGE] = "instruction page fault",
    [CAUSE_LOAD_PAGE] = "load page fault",
    [CAUSE_STORE_PAGE] = "store/AMO page fault",
    [CAUSE_SOFTWARE_CHECK] = "software check",
    [CAUSE_HARDWARE_ERROR] = "hardware error",
    [CAUSE_INSTRUCTION_GUEST_PAGE] = "instruction guest-page fault",
    [CAUSE_LOAD_GUEST_PAGE] = "load guest-page fault",
    [CAUSE_VIRTUAL_INSTRUCTION] = "virtual instruction",
    [CAUSE_STORE_GUEST_PAGE] = "store/AMO guest-page fault",
};

const char *exit_cause_name(uint64_t cause)
{
    const char *name = NULL;
    if (cause < sizeof cause_names / sizeof cause_names[0])
        name = cause_names[cause];
    return name != NULL ? name : "unknown cause";
}

void exit_crash(struct vcpu *vcpu, uint64_t cause)
{
    struct crash_record record = {
        .vcpu = vcpu->id,
        .cause = exit_cause_name(cause),
        .pc = vcpu->arch.x[0],
        .value = vcpu->arch.tval,
    };
    memcpy(record.registers, vcpu->arch.x, sizeof record.registers);
    record.registers[0] = 0;
    capsule_crash(vcpu, &record);
}

static void timer_interrupt(struct hart *hart)
{
    sched_timer(hart);
    machine_alarms(hart);
    if (hart->arch.polls_serial) {
        console_serial_input();
        serial_polled();
    }
    if (hart->guest_deadline <= port_time()) /* interrupt_enter() sees to it */
        hart->guest_deadline = UINT64_MAX;
    sched_update_timer(hart);
}

/* A port that is broken may ask all the time. Nobody would get anything done, so it is looked at
 * now and then instead. */
static void silence(struct hart *hart, unsigned source)
{
    platform_mask(hart->arch.hart_id, source);
    hart->arch.polls_serial = true;
    log_error("interrupt source %u does not fall silent: it is polled from now on", source);
}

static void external_interrupt(struct hart *hart)
{
    unsigned source;
    for (unsigned claims = 1; (source = platform_claim(hart->arch.hart_id)) != 0; claims++) {
        if (serial_interrupt_source() == source)
            console_serial_input();
        platform_complete(hart->arch.hart_id, source);
        if (claims == CLAIMS_MAX)
            silence(hart, source);
    }
    sched_update_timer(hart); /* harts with an IMSIC may have been kicked by this interrupt */
}

/* What the kick was for is looked at after it has been taken, or a second one could be lost. Its
 * sender, too, has noted what it wants before (mmio_write). */
void exit_take_kick(struct hart *hart)
{
    if (hart->arch.msip != 0)
        mmio_write32(hart->arch.msip, 0);
    else
        clint_clear_ipi(hart->arch.hart_id);
    __asm__ volatile("fence o, rw" ::: "memory");
    sched_advance_timer(hart);
}

void exit_machine_interrupts(struct hart *hart)
{
    uint64_t pending = csr_read(CSR_MIP);
    if (pending & INTERRUPT_MS)
        exit_take_kick(hart);
    if (pending & INTERRUPT_ME)
        external_interrupt(hart);
    if (pending & INTERRUPT_MT)
        timer_interrupt(hart);
}

static void handle_exception(struct hart *hart, struct vcpu *vcpu, uint64_t cause)
{
    switch (cause) {
    case CAUSE_ECALL_S:
    case CAUSE_ECALL_VS:
        sbi_call(vcpu);
        break;
    case CAUSE_INSTRUCTION_ACCESS:
    case CAUSE_LOAD_ACCESS:
    case CAUSE_STORE_ACCESS:
    case CAUSE_INSTRUCTION_GUEST_PAGE:
    case CAUSE_LOAD_GUEST_PAGE:
    case CAUSE_STORE_GUEST_PAGE:
        emulate_access_fault(vcpu);
        break;
    case CAUSE_LOAD_MISALIGNED:
    case CAUSE_STORE_MISALIGNED:
        emulate_misaligned(vcpu);
        break;
    case CAUSE_ILLEGAL_INSTRUCTION:
        emulate_illegal(hart, vcpu);
        break;
    case CAUSE_VIRTUAL_INSTRUCTION:
        emulate_virtual_instruction(vcpu);
        break;
    case CAUSE_INSTRUCTION_MISALIGNED: /* a hart that does not let these be delegated */
    case CAUSE_BREAKPOINT:
    case CAUSE_ECALL_U:
    case CAUSE_INSTRUCTION_PAGE:
    case CAUSE_LOAD_PAGE:
    case CAUSE_STORE_PAGE:
    case CAUSE_SOFTWARE_CHECK:
        vcpu_count_exit(vcpu, DIOSIX_EXIT_EXCEPTION);
        inject_exception(vcpu, cause, vcpu->arch.tval);
        break;
    default:
        vcpu_count_exit(vcpu, DIOSIX_EXIT_OTHER);
        exit_crash(vcpu, cause);
    }
}

static void count_interrupt(struct vcpu *vcpu, uint64_t code)
{
    if (1UL << code == INTERRUPT_MS)
        vcpu_count_exit(vcpu, DIOSIX_EXIT_KICK);
    else if (1UL << code == INTERRUPT_MT)
        vcpu_count_exit(vcpu, DIOSIX_EXIT_TIMER);
    else if (1UL << code == INTERRUPT_ME)
        vcpu_count_exit(vcpu, DIOSIX_EXIT_EXTERNAL);
}

/* Not inline: the way past it shall be short. */
__attribute__((noinline)) void exit_handle(struct hart *hart, struct vcpu *vcpu)
{
    uint64_t cause = vcpu->arch.cause;
    if (cause & CAUSE_INTERRUPT) {
        count_interrupt(vcpu, cause & ~CAUSE_INTERRUPT);
        exit_machine_interrupts(hart);
        return;
    }
    if (hart->arch.features.h) { /* before anything of ours can fault and overwrite them */
        vcpu->arch.tval2 = csr_read(CSR_MTVAL2);
        vcpu->arch.tinst = csr_read(CSR_MTINST);
    }
    handle_exception(hart, vcpu, cause);
}
