/* See interrupt.h. The lines are noted in the vCPU and put into the hart before it enters. */
#include "interrupt.h"
#include "csr.h"
#include "entry.h"
#include "hart_lines.h"
#include "port.h"
#include "sched.h"
#include "world.h"

#define LEVELS (INTERRUPT_ST | INTERRUPT_SE)

/* presence and interrupts are a pair like presence and fences (fence.c): whoever enters a guest, or
 * rests, says so and then looks at the lines; whoever raises a line does it and then looks where
 * the vCPU is. So one that is in the guest or rests only has to be kicked, the one that runs here
 * sees it before it enters again, and only for the others the scheduler must be asked. */
void interrupt_raise(struct vcpu *vcpu, unsigned irq)
{
    uint64_t before = atomic_fetch_or(&vcpu->arch.interrupts, 1UL << irq);
    atomic_thread_fence(memory_order_seq_cst);
    if (irq == IRQ_S_SOFT &&
        atomic_load_explicit(&vcpu->hsm, memory_order_relaxed) == HSM_SUSPENDED) {
        atomic_store(&vcpu->arch.resume, true);
        sched_wake(vcpu);
        return;
    }
    if (before & 1UL << irq || port_hart()->current == vcpu)
        return;
    if (atomic_load_explicit(&vcpu->arch.presence, memory_order_relaxed) != VCPU_AWAY)
        port_kick(vcpu->hart);
    else
        sched_wake(vcpu);
}

void interrupt_lower(struct vcpu *vcpu, unsigned irq)
{
    atomic_fetch_and(&vcpu->arch.interrupts, ~(1UL << irq));
}

/* It is either still noted or already in the hart. */
bool interrupt_clear_software(struct vcpu *vcpu)
{
    const struct hart *hart = port_hart();
    uint64_t noted = atomic_fetch_and(&vcpu->arch.interrupts, ~INTERRUPT_SS) & INTERRUPT_SS;
    uint64_t in_hart = hart->arch.features.h ? csr_read(CSR_HVIP) & INTERRUPT_VSS
                                             : csr_read(CSR_MIP) & INTERRUPT_SS;
    interrupt_put_into_hart(hart, 0, INTERRUPT_SS);
    return noted || in_hart;
}

void interrupt_set_timer(struct vcpu *vcpu, uint64_t deadline)
{
    struct hart *hart = port_hart();
    if (vcpu->arch.sstc) {
        if (hart->arch.features.h)
            csr_write(CSR_VSTIMECMP, deadline);
        else
            csr_write(CSR_STIMECMP, deadline);
        return;
    }
    interrupt_lower(vcpu, IRQ_S_TIMER);
    vcpu->arch.timer = deadline;
    sched_set_guest_timer(hart, deadline);
}

/* Its own timer, where the hardware has none for guests. */
static void check_timer(struct vcpu *vcpu)
{
    if (vcpu->arch.timer <= port_time()) {
        vcpu->arch.timer = UINT64_MAX;
        atomic_fetch_or(&vcpu->arch.interrupts, INTERRUPT_ST);
    }
}

void interrupt_enter(struct hart *hart, struct vcpu *vcpu)
{
    if (vcpu->arch.timer != UINT64_MAX)
        check_timer(vcpu);
    uint64_t lines = atomic_load_explicit(&vcpu->arch.interrupts, memory_order_relaxed);
    uint64_t levels = lines & LEVELS;
    if (lines & INTERRUPT_SS) { /* a pulse: from here on the guest's to clear */
        atomic_fetch_and(&vcpu->arch.interrupts, ~INTERRUPT_SS);
        interrupt_put_into_hart(hart, INTERRUPT_SS, 0);
    }
    if (levels != hart->arch.levels) {
        interrupt_put_into_hart(hart, levels, LEVELS & ~levels);
        hart->arch.levels = levels;
    }
}

void interrupt_leave(struct hart *hart, struct vcpu *vcpu)
{
    uint64_t software = hart->arch.features.h ? csr_read(CSR_HVIP) & INTERRUPT_VSS
                                              : csr_read(CSR_MIP) & INTERRUPT_SS;
    if (software)
        atomic_fetch_or(&vcpu->arch.interrupts, INTERRUPT_SS);
    interrupt_put_into_hart(hart, 0, INTERRUPT_SS | LEVELS);
    hart->arch.levels = 0;
}

bool interrupt_is_pending(const struct vcpu *vcpu)
{
    return port_vcpu_wakes_at(vcpu) <= port_time();
}

/* stimecmp is never where there is no Sstc, and the other one where there is. */
uint64_t port_vcpu_wakes_at(const struct vcpu *vcpu)
{
    const struct supervisor_state *s = &vcpu->arch.supervisor;
    if (atomic_load_explicit(&vcpu->arch.interrupts, memory_order_relaxed) & s->sie)
        return 0;
    if (!(s->sie & INTERRUPT_ST))
        return UINT64_MAX;
    return s->stimecmp < vcpu->arch.timer ? s->stimecmp : vcpu->arch.timer;
}
