/* SRST: power-off and reboot of the capsule (SBI 3.0, chapter 10). */
#include "sbi.h"

enum {
    SYSTEM_RESET = 0
};

enum {
    TYPE_SHUTDOWN = 0,
    TYPE_COLD_REBOOT = 1,
    TYPE_WARM_REBOOT = 2
};
enum {
    REASON_NONE = 0,
    REASON_SYSTEM_FAILURE = 1
};

/* Both are 32 bits wide. What is reserved, and what others might define, is invalid (10.1). */
static long reset(struct capsule *capsule, uint32_t type, uint32_t reason)
{
    if (type > TYPE_WARM_REBOOT || reason > REASON_SYSTEM_FAILURE)
        return SBI_ERR_INVALID_PARAM;
    enum error error = type == TYPE_SHUTDOWN ? capsule_stop(capsule) : capsule_restart(capsule);
    return error == OK ? SBI_SUCCESS : SBI_ERR_FAILED;
}

static void handle(struct sbi_call *call)
{
    if (call->function == SYSTEM_RESET)
        call->error = reset(call->vcpu->capsule, (uint32_t)call->args[0], (uint32_t)call->args[1]);
    else
        call->error = SBI_ERR_NOT_SUPPORTED;
}

const struct sbi_extension sbi_srst = {
    .first = 0x53525354, .last = 0x53525354, .exit = DIOSIX_EXIT_SBI_SYSTEM, .handle = handle};
