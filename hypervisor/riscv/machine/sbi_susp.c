/*
 * SUSP: the whole capsule sleeps (SBI 3.0, chapter 13). Its memory and devices stay as they are;
 * the only hart that still runs is suspended as by a non-retentive hart_suspend, and like it woken
 * by an interrupt that it has enabled: its timer, or through the PLIC what is typed or the clock's
 * alarm.
 */
#include "devices.h"
#include "sbi.h"

enum {
    SYSTEM_SUSPEND = 0
};

/* 13, table of sleep types: the others are reserved, or a platform's. */
#define SUSPEND_TO_RAM 0x00000000U

/* Nobody can start one of the others meanwhile: only a hart that runs could. */
static bool others_are_stopped(const struct vcpu *caller)
{
    const struct capsule *capsule = caller->capsule;
    for (unsigned id = 0; id < capsule->vcpu_count; id++)
        if (id != caller->id && atomic_load(&capsule->vcpus[id]->hsm) != HSM_STOPPED)
            return false;
    return true;
}

static long suspend(struct vcpu *vcpu, uint32_t type, uint64_t resume, uint64_t opaque)
{
    if (type != SUSPEND_TO_RAM)
        return SBI_ERR_INVALID_PARAM;
    if (!others_are_stopped(vcpu))
        return SBI_ERR_DENIED;
    if (!sbi_is_entry(vcpu->capsule, resume))
        return SBI_ERR_INVALID_ADDRESS;
    return sbi_hsm_suspend(vcpu, &(struct suspend){.resume = gpa(resume), .opaque = opaque});
}

static void handle(struct sbi_call *call)
{
    const uint64_t *args = call->args;
    if (call->function == SYSTEM_SUSPEND)
        call->error = suspend(call->vcpu, (uint32_t)args[0], args[1], args[2]);
    else
        call->error = SBI_ERR_NOT_SUPPORTED;
}

const struct sbi_extension sbi_susp = {
    .first = 0x53555350, .last = 0x53555350, .exit = DIOSIX_EXIT_SBI_SYSTEM, .handle = handle};
