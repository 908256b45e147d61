/*
 * The world switch. A hart with H runs guests in VS-mode, so their supervisor state is in the vs*
 * CSRs (Privileged 1.13, 21.2); a hart without runs them in S-mode. `sie` is emptied when a vCPU
 * leaves, for its bits are those of mie: the hart must not wake for a guest that is not on it.
 */
#include "world.h"
#include "capsule.h"
#include "csr.h"
#include "driver.h"
#include "fpu.h"
#include "hart_lines.h"
#include "illegal.h"
#include "isolation.h"
#include "offsets.h"
#include "port.h"
#include "unlisted.h"
#include "wall_check.h"

/* Delegated to the guest: what an operating system's own programs do to it. Not delegated: calls to
 * us, access faults (devices), misaligned accesses (emulated); illegal instructions at times
 * (illegal.h).
 */
#define DELEGATED                                                                                  \
    (1UL << CAUSE_INSTRUCTION_MISALIGNED | 1UL << CAUSE_BREAKPOINT | 1UL << CAUSE_ECALL_U |        \
     1UL << CAUSE_INSTRUCTION_PAGE | 1UL << CAUSE_LOAD_PAGE | 1UL << CAUSE_STORE_PAGE |            \
     1UL << CAUSE_SOFTWARE_CHECK)

_Static_assert(sizeof((struct hart *)0)->arch.last_of_capsule ==
                   CAPSULE_MAX * sizeof(struct vcpu *),
               "hart_arch.h cannot name CAPSULE_MAX");

#define GUEST_COUNTERS (COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR)

/* What guests may use: the timer of supervisor mode is the vCPU's, or not there for it (Sstc 1.0,
 * chapter 2), and then STIP or VSTIP is ours to set; A and D bits are set by the hart, or not; and
 * cbo.zero works (Zicboz), or is illegal, also in user mode.
 * A hart's environment says it twice: to all below machine mode, and with H to VS-mode. QEMU keeps
 * hvip.VSTIP from machine mode while STCE is set there, so both are set alike. */
static void set_environment(struct hart *hart, uint64_t environment)
{
    bool other_bits = ((hart->arch.environment ^ environment) & ENVCFG_ADUE) != 0;
    bool h = hart->arch.features.h;
    hart->arch.environment = environment;
    csr_write(CSR_MENVCFG, environment);
    if (h)
        csr_write(CSR_HENVCFG, environment);
    if (other_bits) /* 3.1.18: only then are page tables read anew */
        fence_carry_out(FENCE_VMA);
}

/* A software interrupt of HS-mode stays pending, where nobody is and nothing enables it. QEMU 7.2
 * loses vstimecmp's interrupt if the last pending bit goes at the moment it comes, for it decides
 * before it takes its lock whether any is left; a guest that waits for its timer then waits for
 * ever. */
static void keep_one_pending(void)
{
    csr_set(CSR_MIP, INTERRUPT_SS);
}

static void init_hypervisor_extension(const struct hart_features *features)
{
    csr_write(CSR_HIDELEG, INTERRUPT_VS_ALL);
    csr_write(CSR_HSTATUS, HSTATUS_VSXL_64 | HSTATUS_VTW);
    csr_write(CSR_HCOUNTEREN, GUEST_COUNTERS);
    (void)csr_try_write(CSR_HTIMEDELTA, 0); /* some harts without `time` lack it, too */
    csr_write(CSR_HVIP, 0);
    keep_one_pending();
    csr_write(CSR_HGATP, 0);
    csr_write(CSR_VSIE, 0);
    if (features->menvcfg)
        csr_write(CSR_HENVCFG, 0);
    if (features->stateen)
        csr_write(CSR_HSTATEEN0, STATEEN_ENVCFG);
}

/* In VS-mode an exception goes to the guest only if both registers say so. Illegal instructions are
 * always in hedeleg; medeleg decides. What hedeleg does not take must not be in medeleg: it would
 * end in HS-mode, where nobody is. */
static void delegate_exceptions(const struct hart_features *features)
{
    uint64_t delegated = DELEGATED;
    if (features->h) {
        csr_write(CSR_HEDELEG, DELEGATED | 1UL << CAUSE_ILLEGAL_INSTRUCTION);
        delegated &= csr_read(CSR_HEDELEG);
    }
    csr_write(CSR_MEDELEG, delegated);
}

void world_init_hart(struct hart *hart)
{
    const struct hart_features *features = &hart->arch.features;
    csr_write(CSR_MIE, INTERRUPT_M_ALL);
    hart->arch.alarm = hart->arch.burst_end = UINT64_MAX;
    hart->arch.mtimecmp = features->time ? clint_mtimecmp(hart->arch.hart_id) : 0;
    hart->arch.msip = clint_msip(hart->arch.hart_id);
    if (!hart->runs_guests)
        return;
    delegate_exceptions(features);
    /* On a hart with H nothing at S level is ever pending or enabled, so it is delegated in name
     * only: QEMU 7.2 shows a guest's sip and sie through these bits. */
    csr_write(CSR_MIDELEG,
              features->h ? INTERRUPT_S_ALL | INTERRUPT_VS_ALL | INTERRUPT_SGE : INTERRUPT_S_ALL);
    if (features->mcounteren)
        csr_write(CSR_MCOUNTEREN, GUEST_COUNTERS);
    if (features->menvcfg)
        csr_write(CSR_MENVCFG, 0);
    if (features->stateen) {
        csr_write(CSR_MSTATEEN0, STATEEN_ENVCFG);
        csr_write(CSR_MSTATEEN1, 0);
        csr_write(CSR_MSTATEEN2, 0);
        csr_write(CSR_MSTATEEN3, 0);
    }
    if (features->h)
        init_hypervisor_extension(features);
    else
        csr_write(CSR_SATP, 0);
}

static void load_vs(const struct hart_features *features, const struct supervisor_state *s)
{
    csr_write(CSR_VSSTATUS, s->sstatus);
    csr_write(CSR_VSTVEC, s->stvec);
    csr_write(CSR_VSSCRATCH, s->sscratch);
    csr_write(CSR_VSEPC, s->sepc);
    csr_write(CSR_VSCAUSE, s->scause);
    csr_write(CSR_VSTVAL, s->stval);
    csr_write(CSR_VSATP, s->satp);
    csr_write(CSR_VSIE, s->sie);
    if (features->sstc)
        csr_write(CSR_VSTIMECMP, s->stimecmp);
}

static void save_vs(const struct hart_features *features, struct supervisor_state *s)
{
    s->sie = csr_swap(CSR_VSIE, 0);
    s->sstatus = csr_read(CSR_VSSTATUS);
    s->stvec = csr_read(CSR_VSTVEC);
    s->sscratch = csr_read(CSR_VSSCRATCH);
    s->sepc = csr_read(CSR_VSEPC);
    s->scause = csr_read(CSR_VSCAUSE);
    s->stval = csr_read(CSR_VSTVAL);
    s->satp = csr_read(CSR_VSATP);
    if (features->sstc)
        s->stimecmp = csr_read(CSR_VSTIMECMP);
}

static void load_s(const struct hart_features *features, const struct supervisor_state *s)
{
    csr_write(CSR_STVEC, s->stvec);
    csr_write(CSR_SSCRATCH, s->sscratch);
    csr_write(CSR_SEPC, s->sepc);
    csr_write(CSR_SCAUSE, s->scause);
    csr_write(CSR_STVAL, s->stval);
    csr_write(CSR_SATP, s->satp);
    csr_write(CSR_SIE, s->sie);
    if (features->sstc)
        csr_write(CSR_STIMECMP, s->stimecmp);
}

static void save_s(const struct hart_features *features, struct supervisor_state *s)
{
    s->sie = csr_swap(CSR_SIE, 0);
    s->stvec = csr_read(CSR_STVEC);
    s->sscratch = csr_read(CSR_SSCRATCH);
    s->sepc = csr_read(CSR_SEPC);
    s->scause = csr_read(CSR_SCAUSE);
    s->stval = csr_read(CSR_STVAL);
    s->satp = csr_read(CSR_SATP);
    if (features->sstc)
        s->stimecmp = csr_read(CSR_STIMECMP);
}

/* A guest's own fences reach only the hart that it runs on. What it left on this hart before it
 * went elsewhere, or what a sibling left here, is under its VMID, and may be stale by now. */
static void forget_stale_translations(struct hart *hart, struct vcpu *vcpu)
{
    struct vcpu **last = &hart->arch.last_of_capsule[vcpu->capsule->id];
    if (*last == vcpu && vcpu->arch.loaded_on == hart)
        return;
    if (hart->arch.features.h)
        hfence_vvma_all();
    else
        sfence_vma_all();
    *last = vcpu;
}

static uint8_t timer_csr(const struct hart_features *features, const struct vcpu *vcpu)
{
    if (!vcpu->arch.sstc)
        return TIMER_CSR_NONE;
    return features->h ? TIMER_CSR_VSTIMECMP : TIMER_CSR_STIMECMP;
}

/* Without H, mstatus.TW does it, which is in the vCPU's mstatus; and what else is illegal is then
 * the guest's, too. */
static void open_wfi(struct hart *hart, bool open)
{
    if (hart->arch.own_wfi == open)
        return;
    hart->arch.own_wfi = open;
    if (!hart->arch.features.h)
        illegal_delegate(hart, open);
    else if (open)
        csr_clear(CSR_HSTATUS, HSTATUS_VTW);
    else
        csr_set(CSR_HSTATUS, HSTATUS_VTW);
}

/* Code that it wrote, or that was loaded for it, was written on another hart. */
static void arrive(struct hart *hart, struct vcpu *vcpu)
{
    vcpu->arch.loaded_on = hart;
    vcpu->arch.timer_csr = timer_csr(&hart->arch.features, vcpu);
    fence_i();
}

/* Is what the hart holds still the vCPU's, from last time? */
static bool is_loaded(const struct hart *hart, const struct vcpu *vcpu)
{
    return hart->arch.loaded == vcpu && vcpu->arch.loaded_on == hart;
}

void world_load(struct hart *hart, struct vcpu *vcpu)
{
    const struct hart_features *features = &hart->arch.features;
    struct supervisor_state *s = &vcpu->arch.supervisor;
    const bool h = features->h;
    /* Even in machine mode the hart may translate by vsatp, of its own accord (21.2.18). What it
     * finds by the last vCPU's page tables must not stay in it under the VMID of the next. */
    if (h && !is_loaded(hart, vcpu))
        csr_write(CSR_VSATP, 0);
    isolation_enter(hart, vcpu->capsule);
    wall_check(hart, vcpu->capsule);
    forget_stale_translations(hart, vcpu);
    if (!is_loaded(hart, vcpu)) {
        if (features->unlisted != 0)
            unlisted_clear(features->unlisted);
        open_wfi(hart, vcpu->arch.own_wfi);
        if (h)
            load_vs(features, s);
        else
            load_s(features, s);
        csr_write(CSR_SCOUNTEREN, s->scounteren);
        if (features->menvcfg) {
            csr_write(CSR_SENVCFG, s->senvcfg);
            if (hart->arch.environment != vcpu->arch.environment)
                set_environment(hart, vcpu->arch.environment);
        }
        hart->arch.loaded = vcpu;
        if (vcpu->arch.loaded_on != hart)
            arrive(hart, vcpu);
    } else if (h) {
        csr_write(CSR_VSIE, s->sie);
    } else {
        csr_write(CSR_SIE, s->sie);
    }
    fpu_enter(hart, vcpu);
}

/* A store-conditional of the next vCPU must not succeed for a load-reserved of this one
 * (Unprivileged, 14.2: a context switch needs an SC to a dummy). */
static void drop_reservation(struct hart *hart)
{
    uint64_t failed;
    __asm__ volatile("sc.d %0, zero, (%1)"
                     : "=r"(failed)
                     : "r"(&hart->arch.reservation)
                     : "memory");
}

void world_unload(struct hart *hart, struct vcpu *vcpu)
{
    const struct hart_features *features = &hart->arch.features;
    struct supervisor_state *s = &vcpu->arch.supervisor;
    if (features->h)
        save_vs(features, s);
    else
        save_s(features, s);
    illegal_leave(hart, vcpu);
    s->scounteren = csr_read(CSR_SCOUNTEREN);
    if (features->menvcfg)
        s->senvcfg = csr_read(CSR_SENVCFG);
    drop_reservation(hart);
    fpu_leave(hart, vcpu);
}
