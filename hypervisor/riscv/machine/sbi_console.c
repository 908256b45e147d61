/* See sbi_console.h. */
#include "sbi_console.h"
#include "devices.h"
#include "entry.h"
#include "port.h"
#include "sched.h"

/* A call must not keep the hart for long: the serial port is slow. */
#define SERIAL_WRITE_MAX 256

static bool has_property(const struct capsule *capsule, uint64_t property)
{
    return capsule->config.properties & property;
}

size_t sbi_console_write(struct capsule *capsule, const uint8_t *bytes, size_t count)
{
    if (!has_property(capsule, DIOSIX_PROPERTY_CONSOLE_WRITE))
        return console_write(capsule, bytes, count);
    if (count > SERIAL_WRITE_MAX)
        count = SERIAL_WRITE_MAX;
    return port_serial_put((const char *)bytes, count);
}

size_t sbi_console_read(struct capsule *capsule, uint8_t *bytes, size_t count)
{
    if (has_property(capsule, DIOSIX_PROPERTY_CONSOLE_READ))
        return console_take_serial(bytes, count);
    return console_read(capsule, bytes, count);
}

/* Room that appears before the vCPU is noted as waiting is seen in the check after it; room that
 * appears later wakes it through machine_console_event(). The wait is announced first, so that no
 * such wake is forgotten: a sibling may take the room before the check sees it. */
static void wait_for_room(struct vcpu *vcpu)
{
    struct capsule *capsule = vcpu->capsule;
    sched_block_current(vcpu, UINT64_MAX);
    lock_acquire(&capsule->lock);
    capsule->arch.machine->console_waiters |= UINT64_C(1) << vcpu->id;
    lock_release(&capsule->lock);
    if (console_space(capsule) != 0)
        sched_wake(vcpu);
}

void sbi_console_write_blocking(struct sbi_call *call, uint8_t byte)
{
    if (sbi_console_write(call->vcpu->capsule, &byte, 1) == 1)
        return;
    wait_for_room(call->vcpu);
    call->again = true;
}
