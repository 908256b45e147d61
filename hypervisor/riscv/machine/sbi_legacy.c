/*
 * The legacy extensions of SBI 0.1 (SBI 3.0, chapter 5): one extension each, function number
 * ignored, only a0 written. Hart masks are in memory at a *virtual* address and are read with the
 * guest's own rights; a fault is the guest's, at its ecall.
 */
#include "fence.h"
#include "guest_access.h"
#include "inject.h"
#include "isolation.h"
#include "interrupt.h"
#include "sbi_console.h"

enum {
    SET_TIMER = 0,
    CONSOLE_PUTCHAR = 1,
    CONSOLE_GETCHAR = 2,
    CLEAR_IPI = 3,
    SEND_IPI = 4,
    REMOTE_FENCE_I = 5,
    REMOTE_SFENCE_VMA = 6,
    REMOTE_SFENCE_VMA_ASID = 7,
    SHUTDOWN = 8,
};

static void get_character(struct sbi_call *call)
{
    uint8_t byte;
    call->error = sbi_console_read(call->vcpu->capsule, &byte, 1) == 1 ? byte : -1;
}

static void act(struct sbi_call *call, struct vcpu *target)
{
    if (call->extension == SEND_IPI)
        interrupt_raise(target, IRQ_S_SOFT);
    else
        fence_request(target, call->extension == REMOTE_FENCE_I ? FENCE_I : FENCE_VMA);
}

/* A capsule has at most 64 harts, so the bit-vector is one word. A null pointer has always meant
 * all harts, though chapter 5 does not say so: early kernels and Berkeley Boot Loader agree. */
static void each_hart(struct sbi_call *call)
{
    uint64_t mask, pointer = call->args[0];
    struct guest_fault fault;
    if (pointer == 0) {
        call->error = sbi_each_hart(call, 0, UINT64_MAX, act);
    } else if (guest_read(call->vcpu, &mask, pointer, sizeof mask, &fault)) {
        call->error = sbi_each_hart(call, mask, 0, act);
    } else if (fault.again || isolation_memory_comes_at(call->vcpu, fault.tval)) {
        call->again = true;
    } else {
        inject_exception(call->vcpu, fault.cause, fault.tval);
        call->replaced = true;
    }
}

/* It does not return: if the capsule cannot be stopped, it is already about to end. */
static void shut_down(struct sbi_call *call)
{
    capsule_stop(call->vcpu->capsule);
    call->again = true;
}

static void handle(struct sbi_call *call)
{
    call->legacy = true;
    switch (call->extension) {
    case SET_TIMER:
        interrupt_set_timer(call->vcpu, call->args[0]);
        break;
    case CONSOLE_PUTCHAR:
        sbi_console_write_blocking(call, (uint8_t)call->args[0]);
        break;
    case CONSOLE_GETCHAR:
        get_character(call);
        break;
    case CLEAR_IPI:
        call->error = interrupt_clear_software(call->vcpu);
        break;
    case SHUTDOWN:
        shut_down(call);
        break;
    default:
        each_hart(call);
    }
}

const struct sbi_extension sbi_legacy = {
    .first = SET_TIMER, .last = SHUTDOWN, .exit = DIOSIX_EXIT_SBI_LEGACY, .handle = handle};
