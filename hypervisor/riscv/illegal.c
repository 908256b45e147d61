/* See illegal.h. */
#include "illegal.h"
#include "csr.h"
#include "port.h"

#define MEDELEG_ILLEGAL   (1UL << CAUSE_ILLEGAL_INSTRUCTION)
#define BURSTS_PER_SECOND 4000

void illegal_delegate(const struct hart *hart, bool delegate)
{
    const struct hart_features *features = &hart->arch.features;
    if (delegate && features->time && features->delegates_illegal)
        csr_set(CSR_MEDELEG, MEDELEG_ILLEGAL);
    else
        csr_clear(CSR_MEDELEG, MEDELEG_ILLEGAL);
}

void illegal_given_back(struct hart *hart, const struct vcpu *vcpu)
{
    const struct hart_features *features = &hart->arch.features;
    if (features->h || !features->time || vcpu->arch.own_wfi)
        return;
    uint64_t now = port_time(), moment = port_frequency() / BURSTS_PER_SECOND;
    bool is_second = now - hart->arch.illegal_seen < moment;
    hart->arch.illegal_seen = now;
    if (!is_second)
        return;
    csr_clear(CSR_MSTATUS, STATUS_TW);
    illegal_delegate(hart, true);
    hart->arch.burst_end = now + moment;
    if (hart->arch.timer > hart->arch.burst_end)
        port_set_timer(hart->arch.burst_end);
}

void illegal_burst_over(struct hart *hart)
{
    hart->arch.burst_end = UINT64_MAX;
    csr_set(CSR_MSTATUS, STATUS_TW);
    illegal_delegate(hart, false);
}

void illegal_leave(struct hart *hart, struct vcpu *vcpu)
{
    if (hart->arch.burst_end == UINT64_MAX)
        return;
    illegal_burst_over(hart);
    vcpu->arch.mstatus |= STATUS_TW;
}
