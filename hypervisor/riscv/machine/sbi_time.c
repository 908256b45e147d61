/* TIME: the supervisor timer (SBI 3.0, chapter 6). */
#include "interrupt.h"
#include "sbi.h"

enum {
    SET_TIMER = 0
};

static void handle(struct sbi_call *call)
{
    if (call->function == SET_TIMER)
        interrupt_set_timer(call->vcpu, call->args[0]);
    else
        call->error = SBI_ERR_NOT_SUPPORTED;
}

const struct sbi_extension sbi_time = {
    .first = 0x54494D45, .last = 0x54494D45, .exit = DIOSIX_EXIT_SBI_TIME, .handle = handle};
