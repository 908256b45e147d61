/* A vCPU's time on a hart. */
#include "capsule.h"
#include "csr.h"
#include "entry.h"
#include "features.h"
#include "log.h"
#include "machine/devices.h"
#include "machine/sbi.h"
#include "port.h"
#include "sched.h"
#include "violate.h"
#include "world.h"
#include <stddef.h>
#include <string.h>

size_t port_vcpu_extra(void)
{
    return 32 * features_common.vlenb;
}

/* What OpenSBI-like firmware hands over: supervisor mode, translation and interrupts off, FP and
 * vector units on, a0 and a1 set, and user programs free to read the counters. */
void vcpu_begin(struct vcpu *vcpu, struct gpa entry, uint64_t a0, uint64_t a1)
{
    struct vcpu_arch *arch = &vcpu->arch;
    bool h = features_common.h;
    uint8_t *vector_registers = (uint8_t *)(vcpu + 1);
    memset(arch, 0, offsetof(struct vcpu_arch, interrupts));
    memset(vector_registers, 0, port_vcpu_extra());
    arch->x[0] = entry.value;
    arch->x[10] = a0;
    arch->x[11] = a1;
    const struct isa *isa = &vcpu->capsule->arch.isa;
    if (isa_has(isa, "f"))
        arch->units |= STATUS_FS;
    if (isa_has(isa, "v")) /* QEMU 10's vsstatus keeps VS without V, and Linux believes it */
        arch->units |= STATUS_VS;
    arch->sstc = isa_has(isa, "sstc");
    arch->environment = (arch->sstc ? ENVCFG_STCE : 0) | (isa_has(isa, "svadu") ? ENVCFG_ADUE : 0) |
                        (isa_has(isa, "zicboz") ? ENVCFG_CBZE : 0);
    arch->own_wfi = placement_has_own_harts(vcpu->capsule);
    uint64_t units = arch->units & (STATUS_FS_INITIAL | STATUS_VS_INITIAL);
    arch->mstatus = STATUS_MPP_S | STATUS_UXL_64 | STATUS_SXL_64;
    if (h)
        arch->mstatus |= STATUS_MPV;
    else
        arch->mstatus |= (arch->own_wfi ? 0 : STATUS_TW) | units;
    arch->supervisor.sstatus = units | STATUS_UXL_64;
    arch->supervisor.scounteren = COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR;
    arch->supervisor.stimecmp = UINT64_MAX;
    arch->timer = UINT64_MAX;
    arch->virtual = h;
    arch->vector.vtype = 1UL << 63; /* vill (Vector 1.0, 3.11) */
    arch->vector.registers = vector_registers;
}

/* Of its capsule nothing runs, so nobody raises a line meanwhile. */
void port_vcpu_reset(struct vcpu *vcpu, struct gpa entry, uint64_t a0, uint64_t a1)
{
    memset(&vcpu->arch, 0, sizeof vcpu->arch);
    vcpu_begin(vcpu, entry, a0, a1);
}

/* Runs the vCPU, which is returned, until it traps: entry.S. */
static struct vcpu *run_guest(struct vcpu *vcpu)
{
    register struct vcpu *a0 __asm__("a0") = vcpu;
    __asm__ volatile("call guest_enter"
                     : "+r"(a0)
                     :
                     : "memory", "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a1", "a2", "a3",
                       "a4", "a5", "a6", "a7", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8",
                       "s9", "s10", "s11");
    return a0;
}

static struct vcpu *enter_once(struct hart *hart, struct vcpu *vcpu)
{
    atomic_store_explicit(&vcpu->arch.presence, VCPU_IN_GUEST, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* then it looks for fences and at its lines */
    if (atomic_load_explicit(&vcpu->arch.fences, memory_order_relaxed) != 0)
        fence_pay(vcpu);
#ifdef DEBUG
    if (hart->arch.open != NULL)
        panic("capsule %s: its memory is still open", hart->arch.open->config.name);
#endif
    interrupt_enter(hart, vcpu);
    vcpu = run_guest(vcpu);
    atomic_store_explicit(&vcpu->arch.presence, VCPU_AWAY, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst); /* the same, when it has left */
    return vcpu;
}

void port_vcpu_run(struct vcpu *vcpu)
{
    struct hart *hart = port_hart();
    if (!sbi_hsm_enter(vcpu))
        return;
    world_load(hart, vcpu);
    sched_set_guest_timer(hart, vcpu->arch.timer);
    while (!sched_must_leave(hart)) {
        vcpu = enter_once(hart, vcpu);
        hart = port_hart(); /* as it was, but the compiler need not keep it */
        if (vcpu->arch.cause != EXIT_ANSWERED)
            exit_handle(hart, vcpu);
        violate(vcpu); /* after an exit, as most of what the hypervisor does is */
    }
    interrupt_leave(hart, vcpu);
    world_unload(hart, vcpu);
    sbi_hsm_leave(vcpu);
}
