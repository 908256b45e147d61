/* The small parts of core/port.h: time, kicks, idling, capsules' machines. */
#include "port.h"
#include "capsule.h"
#include "csr.h"
#include "driver.h"
#include "entry.h"
#include "isolation.h"
#include "log.h"
#include "machine/machine.h"
#include "mmio.h"
#include "platform.h"
#include "stack.h"
#include <string.h>

uint64_t port_time(void)
{
    return port_hart()->arch.features.time ? csr_read(CSR_TIME) : clint_time();
}

uint64_t port_frequency(void)
{
    return platform_timebase();
}

struct hart *port_hart(void)
{
    struct hart *hart;
    __asm__ volatile("mv %0, tp" : "=r"(hart));
    return hart;
}

void port_kick(struct hart *hart)
{
    trace_note(DIOSIX_TRACE_KICK, NULL, 0, hart->index);
    if (hart->arch.msip != 0)
        mmio_write32(hart->arch.msip, 1);
    else
        clint_send_ipi(hart->arch.hart_id);
}

void port_set_timer(uint64_t deadline)
{
    struct hart *hart = port_hart();
    if (hart->arch.alarm < deadline)
        deadline = hart->arch.alarm;
    if (hart->arch.polls_serial)
        deadline = serial_poll_deadline(deadline);
    if (hart->arch.timer == deadline)
        return;
    /* Only now: while a burst lasts, the timer is set to its end or earlier. */
    if (hart->arch.burst_end < deadline)
        deadline = hart->arch.burst_end;
    hart->arch.timer = deadline;
    if (hart->arch.mtimecmp != 0)
        mmio_write(hart->arch.mtimecmp, 8, deadline);
    else
        clint_set_timer(hart->arch.hart_id, deadline);
}

void port_advance_timer(uint64_t deadline)
{
    if (deadline < port_hart()->arch.timer)
        port_set_timer(deadline);
}

/* mie has what wakes us, mstatus.MIE is off: `wfi` ends when one of them is pending, and nothing is
 * lost between looking and sleeping (Privileged 1.13, 3.3.3). */
void port_idle(void)
{
    __asm__ volatile("wfi" ::: "memory");
    exit_machine_interrupts(port_hart());
}

void port_relax(void)
{
    __asm__ volatile(".word 0x0100000f" ::: "memory"); /* pause (Zihintpause) */
}

void port_memory_open(struct capsule *capsule)
{
    isolation_open(port_hart(), capsule);
}

void port_memory_close(void)
{
    isolation_close(port_hart());
}

size_t port_capsule_size(void)
{
    return machine_size();
}

enum error port_capsule_create(struct capsule *capsule, void *place)
{
    enum error error = isolation_create(capsule);
    if (error == OK)
        error = machine_create(capsule, place);
    return error;
}

void port_capsule_destroy(struct capsule *capsule)
{
    machine_destroy(capsule);
    isolation_destroy(capsule);
}

void port_capsule_reset(struct capsule *capsule)
{
    isolation_hide_ram(capsule);
    machine_reset(capsule);
}

void port_capsule_show(struct capsule *capsule, uint64_t from, uint64_t to)
{
    isolation_show_ram(capsule, from, to);
}

bool port_capsule_prepare(struct capsule *capsule)
{
    return machine_prepare(capsule);
}

enum error port_capsule_fdt(struct capsule *capsule, void *buffer, size_t size,
                            uint64_t initrd_start, uint64_t initrd_end)
{
    return machine_fdt(capsule, buffer, size, initrd_start, initrd_end);
}

/* A guest that is paused finds its interrupt when it goes on: nobody tells it again. */
void port_console_event(struct capsule *capsule)
{
    lock_acquire(&capsule->lock);
    bool alive = capsule->state == CAPSULE_RUNNING || capsule->state == CAPSULE_PAUSED;
    if (alive && capsule_is_prepared(capsule))
        machine_console_event(capsule);
    lock_release(&capsule->lock);
}

void port_halt(void)
{
    csr_write(CSR_MIE, 0);
    for (;;)
        __asm__ volatile("wfi");
}

/* Two harts may find at once that their capsule was the last. */
void port_power_off(void)
{
    static _Atomic uint32_t going;
    if (atomic_exchange(&going, 1) != 0)
        port_halt();
    for (unsigned i = 0; i < hart_count; i++)
        if (atomic_load(&harts[i]->online))
            log_info("hart %lu used at most %lu of the %u bytes of its stack; %lu switches, "
                     "interrupted for the scheduler by %lu timers and %lu kicks",
                     harts[i]->id, stack_used(harts[i]), HART_STACK_SIZE - (unsigned)PAGE_SIZE,
                     harts[i]->switches, harts[i]->timers, harts[i]->kicks);
    platform_power_off();
    log_info("this machine cannot turn itself off: halted");
    port_halt();
}
