#include "hosted.h"
#include "capsule.h"
#include "log.h"
#include "memory.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

uint64_t hosted_time, hosted_frequency = HOSTED_FREQUENCY;
__thread uint64_t hosted_lag;
__thread struct hart *hosted_hart;
__thread struct capsule *hosted_open;
struct port_ram hosted_capsule_ram;
enum error hosted_create_error, hosted_fdt_error;
unsigned hosted_live_capsules;
void (*hosted_run)(struct vcpu *vcpu);
void (*hosted_idle)(void);
void (*hosted_halt)(void);
void (*hosted_power_off)(void);
char hosted_serial_output[HOSTED_SERIAL_SIZE];
size_t hosted_serial_written;
size_t hosted_serial_room = SIZE_MAX;

static char serial_input[HOSTED_SERIAL_SIZE];
static size_t serial_sent, serial_read;

void hosted_reset(void)
{
    hosted_time = 0;
    hosted_frequency = HOSTED_FREQUENCY;
    hosted_hart = NULL;
    hosted_capsule_ram = (struct port_ram){.align = MEGAPAGE_SIZE, .base = gpa(0x80000000)};
    hosted_create_error = hosted_fdt_error = OK;
    hosted_live_capsules = 0;
    hosted_run = NULL;
    hosted_idle = hosted_halt = hosted_power_off = NULL;
    memset(hosted_serial_output, 0, sizeof hosted_serial_output);
    hosted_serial_written = serial_sent = serial_read = 0;
    hosted_serial_room = SIZE_MAX;
}

struct hpa hosted_add_ram(uint64_t size)
{
    void *ram = aligned_alloc(MEGAPAGE_SIZE, align_up(size, MEGAPAGE_SIZE));

    if (!ram || memory_add(hpa_of(ram), size))
        abort();
    return hpa_of(ram);
}

uint64_t port_time(void)
{
    return hosted_time - hosted_lag;
}

uint64_t port_frequency(void)
{
    return hosted_frequency;
}

struct hart *port_hart(void)
{
    return hosted_hart;
}

void port_kick(struct hart *hart)
{
    hart->arch.kicks++;
}

void port_set_timer(uint64_t deadline)
{
    hosted_hart->arch.timer = deadline;
}

void port_advance_timer(uint64_t deadline)
{
    if (deadline < hosted_hart->arch.timer)
        port_set_timer(deadline);
}

void port_idle(void)
{
    if (hosted_idle)
        hosted_idle();
}

void port_relax(void)
{
    sched_yield(); /* the holder may wait for this very processor */
}

void port_memory_open(struct capsule *capsule)
{
    if (hosted_open != NULL)
        abort();
    hosted_open = capsule;
}

void port_memory_close(void)
{
    hosted_open = NULL;
}

enum error port_capsule_admit(struct capsule *capsule)
{
    (void)capsule;
    return OK;
}

size_t port_capsule_size(void)
{
    return PAGE_SIZE;
}

enum error port_capsule_create(struct capsule *capsule, void *place)
{
    if (hosted_create_error)
        return hosted_create_error;
    capsule->arch.machine = memset(place, 1, port_capsule_size());
    capsule->arch.created = true;
    hosted_live_capsules++;
    return OK;
}

void port_capsule_destroy(struct capsule *capsule)
{
    if (!capsule->arch.created)
        return;
    capsule->arch.created = false;
    capsule->arch.machine = NULL;
    hosted_live_capsules--;
}

void port_capsule_reset(struct capsule *capsule)
{
    capsule->arch.resets++;
    capsule->arch.shown = 0;
}

void port_capsule_show(struct capsule *capsule, uint64_t from, uint64_t to)
{
    capsule->arch.shown += to - from;
    capsule->arch.shown_from = from;
    capsule->arch.shown_to = to;
}

bool port_capsule_prepare(struct capsule *capsule)
{
    (void)capsule;
    return true;
}

struct port_ram port_capsule_ram(void)
{
    return hosted_capsule_ram;
}

void port_console_event(struct capsule *capsule)
{
    capsule->arch.console_events++;
}

enum error port_capsule_fdt(struct capsule *capsule, void *buffer, size_t size,
                            uint64_t initrd_start, uint64_t initrd_end)
{
    (void)capsule, (void)initrd_start, (void)initrd_end;
    if (!hosted_fdt_error)
        memset(buffer, 0xfd, size);
    return hosted_fdt_error;
}

size_t port_vcpu_extra(void)
{
    return 0;
}

void port_vcpu_reset(struct vcpu *vcpu, struct gpa entry, uint64_t a0, uint64_t a1)
{
    vcpu->arch.entry = entry.value;
    vcpu->arch.a0 = a0;
    vcpu->arch.a1 = a1;
    vcpu->arch.resets++;
}

void port_vcpu_run(struct vcpu *vcpu)
{
    if (hosted_open != NULL)
        abort();
    if (hosted_run)
        hosted_run(vcpu);
}

uint64_t port_vcpu_wakes_at(const struct vcpu *vcpu)
{
    if (vcpu->arch.interrupt)
        return 0;
    return vcpu->arch.timer != 0 ? vcpu->arch.timer : UINT64_MAX;
}

void port_serial_write(const char *bytes, size_t count)
{
    size_t room = HOSTED_SERIAL_SIZE - 1 - hosted_serial_written;

    if (count > room)
        count = room;
    memcpy(hosted_serial_output + hosted_serial_written, bytes, count);
    hosted_serial_written += count;
}

size_t port_serial_put(const char *bytes, size_t count)
{
    if (count > hosted_serial_room)
        count = hosted_serial_room;
    port_serial_write(bytes, count);
    return count;
}

void hosted_serial_send(const char *bytes, size_t count)
{
    if (count > HOSTED_SERIAL_SIZE - serial_sent)
        abort();
    memcpy(serial_input + serial_sent, bytes, count);
    serial_sent += count;
}

size_t port_serial_read(char *bytes, size_t count)
{
    if (count > serial_sent - serial_read)
        count = serial_sent - serial_read;
    memcpy(bytes, serial_input + serial_read, count);
    serial_read += count;
    return count;
}

void port_panic_write(const char *bytes, size_t count)
{
    port_serial_write(bytes, count);
}

void port_halt(void)
{
    if (hosted_halt)
        hosted_halt();
    abort();
}

void port_power_off(void)
{
    if (hosted_power_off)
        hosted_power_off();
    abort();
}
