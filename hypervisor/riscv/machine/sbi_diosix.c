/* The hypervisor's own extension, for services: include/diosix/abi.h. */
#include "sbi.h"
#include "service.h"

static void handle(struct sbi_call *call)
{
    struct service_result result =
        service_call(call->vcpu, call->function, call->args, &call->again);
    call->error = result.error;
    call->value = result.value;
    call->extra = result.extra;
    call->extra_set = true;
}

const struct sbi_extension sbi_diosix = {
    .first = DIOSIX_SBI_EXTENSION, .last = DIOSIX_SBI_EXTENSION, .handle = handle};
