/* DBCN: the debug console (SBI 3.0, chapter 12). */
#include "sbi_console.h"
#include "port.h"
#include "sched.h"

enum {
    CONSOLE_WRITE = 0,
    CONSOLE_READ = 1,
    CONSOLE_WRITE_BYTE = 2
};

/* The buffer that the arguments describe (3.3), NULL when it is not all in the caller's RAM, or not
 * yet. There is no memory that the upper half of an address would be needed for. */
static uint8_t *buffer(struct sbi_call *call)
{
    struct capsule *capsule = call->vcpu->capsule;
    struct gpa address = gpa(call->args[1]);
    if (call->args[2] != 0)
        return NULL;
    call->again = capsule_memory_fill(capsule, address, call->args[0]);
    return call->again ? NULL : capsule_memory(capsule, address, call->args[0]);
}

/* A full console answers 0 bytes; the caller will try again, so let others drain it meanwhile. */
static void write(struct sbi_call *call, const uint8_t *bytes)
{
    call->value = sbi_console_write(call->vcpu->capsule, bytes, call->args[0]);
    if (call->value == 0)
        sched_yield_current(call->vcpu);
}

static void transfer(struct sbi_call *call)
{
    if (call->args[0] == 0)
        return; /* no address in the range is inaccessible */
    uint8_t *bytes = buffer(call);
    if (!bytes) {
        call->error = SBI_ERR_INVALID_PARAM;
        return;
    }
    port_memory_open(call->vcpu->capsule);
    if (call->function == CONSOLE_WRITE)
        write(call, bytes);
    else
        call->value = sbi_console_read(call->vcpu->capsule, bytes, call->args[0]);
    port_memory_close();
}

static void handle(struct sbi_call *call)
{
    switch (call->function) {
    case CONSOLE_WRITE:
    case CONSOLE_READ:
        transfer(call);
        break;
    case CONSOLE_WRITE_BYTE:
        sbi_console_write_blocking(call, (uint8_t)call->args[0]);
        break;
    default:
        call->error = SBI_ERR_NOT_SUPPORTED;
    }
}

const struct sbi_extension sbi_dbcn = {
    .first = 0x4442434E, .last = 0x4442434E, .exit = DIOSIX_EXIT_SBI_DBCN, .handle = handle};
