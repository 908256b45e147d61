/*
 * The real-time clock: a Goldfish RTC (QEMU's docs/GOLDFISH-VIRTUAL-HARDWARE, "Goldfish timer"),
 * in nanoseconds since 1970. Reading the low half of the time latches the high half.
 *
 * An alarm that is set is kept in time by the hart that set it: its timer is never set to later
 * than the first alarm of those that it keeps (hart->arch.alarm, which port_set_timer() looks at).
 * When that has come, the hart looks at the clocks of all capsules; that is rare enough not to be
 * organised any better.
 */
#include "capsule.h"
#include "devices.h"
#include "hart.h"
#include "port.h"
#include "sched.h"
#include <string.h>

enum {
    TIME_LOW = 0x00,
    TIME_HIGH = 0x04,
    ALARM_LOW = 0x08,
    ALARM_HIGH = 0x0c,
    IRQ_ENABLED = 0x10,
    CLEAR_ALARM = 0x14,
    ALARM_STATUS = 0x18,
    CLEAR_INTERRUPT = 0x1c,
};

#define NANOSECONDS UINT64_C(1000000000) /* a second */

/* A hart looks again after this time at the latest, so that no product below overflows. */
#define LOOK_AHEAD (3600 * NANOSECONDS)

/* In two steps, because ticks times 10^9 would overflow within the hour. */
static uint64_t now(const struct rtc *rtc)
{
    uint64_t ticks = port_time(), frequency = port_frequency();
    uint64_t elapsed =
        ticks / frequency * NANOSECONDS + ticks % frequency * NANOSECONDS / frequency;
    return MACHINE_RTC_START * NANOSECONDS + elapsed + rtc->offset;
}

static uint64_t replace_low(uint64_t value, uint32_t low)
{
    return (value & ~(uint64_t)UINT32_MAX) | low;
}

static uint64_t replace_high(uint64_t value, uint32_t high)
{
    return (uint64_t)high << 32 | (value & UINT32_MAX);
}

static void update_interrupt(struct machine *machine)
{
    const struct rtc *rtc = &machine->rtc;
    plic_set_level(machine, MACHINE_IRQ_RTC, rtc->interrupt_enabled && rtc->interrupt_pending);
}

static void check_alarm(struct machine *machine)
{
    struct rtc *rtc = &machine->rtc;
    if (!rtc->alarm_running || now(rtc) < rtc->alarm)
        return;
    rtc->alarm_running = false;
    rtc->interrupt_pending = true;
    update_interrupt(machine);
}

/* When a hart has to look at the clock, in ticks, rounded up. */
static uint64_t alarm_deadline(const struct rtc *rtc)
{
    uint64_t time = now(rtc), frequency = port_frequency();
    uint64_t left = rtc->alarm > time ? rtc->alarm - time : 0;
    if (left > LOOK_AHEAD)
        left = LOOK_AHEAD;
    return port_time() + left / NANOSECONDS * frequency +
           left % NANOSECONDS * frequency / NANOSECONDS + 1;
}

/* This hart keeps the alarm, if there is one. */
static void keep(struct rtc *rtc)
{
    struct hart *hart = port_hart();
    if (!rtc->alarm_running)
        return;
    rtc->keeper = hart;
    uint64_t deadline = alarm_deadline(rtc);
    if (deadline >= hart->arch.alarm)
        return;
    hart->arch.alarm = deadline;
    sched_update_timer(hart);
}

static void look(struct hart *hart, struct capsule *capsule)
{
    lock_acquire(&capsule->lock);
    struct machine *machine = capsule->arch.machine;
    if (machine != NULL && machine->rtc.keeper == hart) {
        check_alarm(machine);
        keep(&machine->rtc);
    }
    lock_release(&capsule->lock);
}

void machine_alarms(struct hart *hart)
{
    if (port_time() < hart->arch.alarm)
        return;
    hart->arch.alarm = UINT64_MAX;
    for (unsigned i = 0; i < capsule_count; i++)
        look(hart, capsules[i]);
}

static uint32_t read_register(struct rtc *rtc, uint64_t offset)
{
    uint64_t time;
    switch (offset) {
    case TIME_LOW:
        time = now(rtc);
        rtc->latched_high = (uint32_t)(time >> 32);
        return (uint32_t)time;
    case TIME_HIGH:
        return rtc->latched_high;
    case ALARM_LOW:
        return (uint32_t)rtc->alarm;
    case ALARM_HIGH:
        return (uint32_t)(rtc->alarm >> 32);
    case IRQ_ENABLED:
        return rtc->interrupt_enabled;
    case ALARM_STATUS:
        return rtc->alarm_running;
    default:
        return 0;
    }
}

/* The low half of the alarm is written last and starts it. */
static void write_register(struct rtc *rtc, uint64_t offset, uint32_t value)
{
    uint64_t time = now(rtc);
    switch (offset) {
    case TIME_LOW:
        rtc->offset += replace_low(time, value) - time;
        break;
    case TIME_HIGH:
        rtc->offset += replace_high(time, value) - time;
        break;
    case ALARM_LOW:
        rtc->alarm = replace_low(rtc->alarm, value);
        rtc->alarm_running = true;
        break;
    case ALARM_HIGH:
        rtc->alarm = replace_high(rtc->alarm, value);
        break;
    case IRQ_ENABLED:
        rtc->interrupt_enabled = value & 1;
        break;
    case CLEAR_ALARM:
        rtc->alarm_running = false;
        break;
    case CLEAR_INTERRUPT:
        rtc->interrupt_pending = false;
        break;
    default:
        break;
    }
}

bool rtc_access(struct machine *machine, struct mmio *mmio)
{
    check_alarm(machine);
    if (mmio->write)
        write_register(&machine->rtc, mmio->offset, (uint32_t)mmio->value);
    else
        mmio->value = read_register(&machine->rtc, mmio->offset);
    check_alarm(machine);
    update_interrupt(machine);
    if (mmio->write)
        keep(&machine->rtc);
    return true;
}

void rtc_reset(struct machine *machine)
{
    memset(&machine->rtc, 0, sizeof machine->rtc);
    update_interrupt(machine);
}
