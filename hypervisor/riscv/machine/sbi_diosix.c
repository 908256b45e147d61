/* The hypervisor's own extension, for services: include/diosix/abi.h. */
#include "sbi.h"
#include "service.h"

/* The other functions leave a2 as the SBI says (3.0, chapter 3): as it was. */
static bool answers_in_a2(uint64_t function)
{
    return function == DIOSIX_GETC || function == DIOSIX_LOG_GETC ||
           function == DIOSIX_OUTPUT_READ || function == DIOSIX_LOG_READ ||
           function == DIOSIX_TRACE_READ;
}

static void handle(struct sbi_call *call)
{
    struct service_result result =
        service_call(call->vcpu, call->function, call->args, &call->again);
    call->error = result.error;
    call->value = result.value;
    call->extra = result.extra;
    call->extra_set = result.error == SBI_SUCCESS && answers_in_a2(call->function);
}

const struct sbi_extension sbi_diosix = {.first = DIOSIX_SBI_EXTENSION,
                                         .last = DIOSIX_SBI_EXTENSION,
                                         .exit = DIOSIX_EXIT_SBI_DIOSIX,
                                         .handle = handle};
