/* See fence.h. */
#include "fence.h"
#include "capsule.h"
#include "csr.h"
#include "entry.h"
#include "hart_lines.h"
#include "isolation.h"
#include "port.h"

/* presence and fences are a pair, written and read in opposite orders: the target says that it is
 * in the guest and then looks for debts; the requester notes a debt and then looks whether the
 * target is in the guest. With sequential consistency at least one of them sees the other. */
void fence_request(struct vcpu *target, uint32_t kinds)
{
    atomic_fetch_or(&target->arch.fences, kinds);
    if (atomic_load(&target->arch.presence) != VCPU_IN_GUEST)
        return;
    port_kick(target->hart);
    while (atomic_load(&target->arch.presence) == VCPU_IN_GUEST &&
           atomic_load(&target->arch.fences) != 0)
        port_relax();
}

void fence_pay(struct vcpu *vcpu)
{
    uint32_t owed = atomic_exchange(&vcpu->arch.fences, 0);
    vcpu_count(&vcpu->counts.fences);
    if (owed & FENCE_G)
        isolation_fence();
    fence_carry_out(owed);
}

/* A short answer runs while the vCPU counts as in the guest. Two that waited for each other like
 * that would wait for ever, so this one is out of the guest meanwhile, and comes in as enter_once()
 * does. */
void fence_capsule(struct vcpu *vcpu, uint32_t kinds)
{
    const struct capsule *capsule = vcpu->capsule;
    uint8_t presence = atomic_load(&vcpu->arch.presence); /* which nobody else changes */
    atomic_store(&vcpu->arch.presence, VCPU_AWAY);
    for (unsigned id = 0; id < capsule->vcpu_count; id++)
        fence_request(capsule->vcpus[id], kinds);
    if (presence == VCPU_AWAY)
        return;
    atomic_store(&vcpu->arch.presence, presence);
    fence_pay(vcpu);
}
