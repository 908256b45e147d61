/*
 * RFNC: fences on other harts (SBI 3.0, chapter 8). A range or an ASID only lets an implementation
 * fence less; here the whole address space is fenced, which is always enough. The hypervisor
 * fences (8.4 to 8.7) are for harts with the hypervisor extension, and a vCPU has none.
 */
#include "fence.h"
#include "sbi.h"

enum {
    REMOTE_FENCE_I = 0,
    REMOTE_SFENCE_VMA = 1,
    REMOTE_SFENCE_VMA_ASID = 2,
};

static void fence_instructions(struct sbi_call *call, struct vcpu *target)
{
    (void)call;
    fence_request(target, FENCE_I);
}

static void fence_translations(struct sbi_call *call, struct vcpu *target)
{
    (void)call;
    fence_request(target, FENCE_VMA);
}

/* A range must not wrap past the end of the address space; size 2^64-1 is all of it. */
static bool is_range(uint64_t start, uint64_t size)
{
    return size == 0 || size == UINT64_MAX || start + (size - 1) >= start;
}

static void handle(struct sbi_call *call)
{
    uint64_t mask = call->args[0], base = call->args[1];
    switch (call->function) {
    case REMOTE_FENCE_I:
        call->error = sbi_each_hart(call, mask, base, fence_instructions);
        break;
    case REMOTE_SFENCE_VMA:
    case REMOTE_SFENCE_VMA_ASID:
        if (is_range(call->args[2], call->args[3]))
            call->error = sbi_each_hart(call, mask, base, fence_translations);
        else
            call->error = SBI_ERR_INVALID_ADDRESS;
        break;
    default:
        call->error = SBI_ERR_NOT_SUPPORTED;
    }
}

const struct sbi_extension sbi_rfence = {
    .first = 0x52464E43, .last = 0x52464E43, .exit = DIOSIX_EXIT_SBI_RFENCE, .handle = handle};
