/* sPI: interrupts between harts (SBI 3.0, chapter 7). */
#include "interrupt.h"
#include "sbi.h"

enum {
    SEND_IPI = 0
};

static void raise_software_interrupt(struct sbi_call *call, struct vcpu *target)
{
    (void)call;
    interrupt_raise(target, IRQ_S_SOFT);
}

static void handle(struct sbi_call *call)
{
    if (call->function == SEND_IPI)
        call->error = sbi_each_hart(call, call->args[0], call->args[1], raise_software_interrupt);
    else
        call->error = SBI_ERR_NOT_SUPPORTED;
}

const struct sbi_extension sbi_ipi = {
    .first = 0x735049, .last = 0x735049, .exit = DIOSIX_EXIT_SBI_IPI, .handle = handle};
