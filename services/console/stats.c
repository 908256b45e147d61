/*
 * What vCPUs spend their time and their exits on. Rates are of the time since the same vCPU was
 * last asked about here, and the first time of its whole life.
 */
#include "console.h"

#include <stdio.h>
#include <string.h>

static const char *const exit_names[DIOSIX_EXIT_COUNT] = {
    [DIOSIX_EXIT_OTHER] = "other",
    [DIOSIX_EXIT_TIMER] = "timer",
    [DIOSIX_EXIT_KICK] = "kick",
    [DIOSIX_EXIT_EXTERNAL] = "external",
    [DIOSIX_EXIT_SBI_BASE] = "sbi base",
    [DIOSIX_EXIT_SBI_TIME] = "sbi time",
    [DIOSIX_EXIT_SBI_IPI] = "sbi ipi",
    [DIOSIX_EXIT_SBI_RFENCE] = "sbi rfence",
    [DIOSIX_EXIT_SBI_HSM] = "sbi hsm",
    [DIOSIX_EXIT_SBI_DBCN] = "sbi dbcn",
    [DIOSIX_EXIT_SBI_SYSTEM] = "sbi system",
    [DIOSIX_EXIT_SBI_LEGACY] = "sbi legacy",
    [DIOSIX_EXIT_SBI_DIOSIX] = "sbi diosix",
    [DIOSIX_EXIT_SBI_UNKNOWN] = "sbi unknown",
    [DIOSIX_EXIT_UART] = "uart",
    [DIOSIX_EXIT_PLIC] = "plic",
    [DIOSIX_EXIT_RTC] = "rtc",
    [DIOSIX_EXIT_SYSCON] = "syscon",
    [DIOSIX_EXIT_FLASH] = "flash",
    [DIOSIX_EXIT_VIRTIO] = "virtio",
    [DIOSIX_EXIT_WFI] = "wfi",
    [DIOSIX_EXIT_WRS] = "wrs",
    [DIOSIX_EXIT_UNITS] = "fp/vector",
    [DIOSIX_EXIT_READ_TIME] = "rdtime",
    [DIOSIX_EXIT_MISALIGNED] = "misaligned",
    [DIOSIX_EXIT_ILLEGAL] = "illegal",
    [DIOSIX_EXIT_FAULT] = "fault",
    [DIOSIX_EXIT_EXCEPTION] = "exception",
    [DIOSIX_EXIT_MEMORY] = "memory",
};

const char *stats_exit_name(unsigned reason)
{
    const char *name = reason < DIOSIX_EXIT_COUNT ? exit_names[reason] : NULL;

    return name ? name : "newer";
}

const char *stats_state_name(unsigned long state)
{
    static const char *const names[DIOSIX_VCPU_STATES] = {
        [DIOSIX_VCPU_OFF] = "off",         [DIOSIX_VCPU_READY] = "ready",
        [DIOSIX_VCPU_RUNNING] = "running", [DIOSIX_VCPU_IDLE] = "idle",
        [DIOSIX_VCPU_CAPPED] = "capped",
    };

    return state < DIOSIX_VCPU_STATES ? names[state] : "unknown";
}

unsigned long stats_sum(const unsigned long *counts, unsigned number)
{
    unsigned long sum = 0;

    for (unsigned i = 0; i < number; i++)
        sum += counts[i];
    return sum;
}

unsigned long stats_rate(unsigned long count, unsigned long interval)
{
    unsigned long milliseconds = interval / ticks(1);

    return milliseconds ? count * 10000 / milliseconds : 0;
}

unsigned long stats_part(unsigned long time, unsigned long interval)
{
    return interval ? time * 1000 / interval : 0;
}

void stats_explain(long error)
{
    if (error == DIOSIX_ERR_DENIED)
        screen_print("this console lacks the property stats_read");
    else if (error == DIOSIX_ERR_NOT_SUPPORTED)
        screen_print("this hypervisor has no such statistics");
    else
        screen_print("the hypervisor answers with error %ld", error);
}

/* --- what it was last time --- */

#define REMEMBERED 128 /* two of the largest capsules */

static struct memory {
    bool used;
    int capsule;
    unsigned vcpu;
    struct diosix_vcpu_stats stats;
} memories[REMEMBERED];

static struct memory *remember(int capsule, unsigned vcpu)
{
    static unsigned next;

    for (unsigned i = 0; i < REMEMBERED; i++)
        if (memories[i].used && memories[i].capsule == capsule && memories[i].vcpu == vcpu)
            return &memories[i];
    struct memory *memory = &memories[next++ % REMEMBERED];

    *memory = (struct memory){.used = true, .capsule = capsule, .vcpu = vcpu};
    return memory;
}

static unsigned long age(const struct diosix_vcpu_stats *stats)
{
    return stats_sum(stats->times, DIOSIX_VCPU_STATES);
}

/* --- what is shown --- */

/* A count and its rate, in two columns. */
static void show_exits(const struct diosix_vcpu_stats *now, const struct diosix_vcpu_stats *before,
                       unsigned long interval)
{
    char column[64] = "";

    for (unsigned i = 0; i < DIOSIX_EXIT_ROOM; i++) {
        if (!now->exits[i])
            continue;
        unsigned long rate = stats_rate(now->exits[i] - before->exits[i], interval);
        char text[sizeof(column)];

        snprintf(text, sizeof(text), "%-11s %10lu %7lu.%lu/s", stats_exit_name(i), now->exits[i],
                 rate / 10, rate % 10);
        if (*column) {
            screen_print("  %-36s  %s", column, text);
            *column = '\0';
        } else {
            strcpy(column, text);
        }
    }
    if (*column)
        screen_print("  %s", column);
}

static void show_vcpu(unsigned id, const struct diosix_vcpu_stats *now,
                      const struct diosix_vcpu_stats *before)
{
    unsigned long interval = age(now) - age(before), part[DIOSIX_VCPU_STATES];
    unsigned long exits = stats_sum(now->exits, DIOSIX_EXIT_ROOM);
    unsigned long rate = stats_rate(exits - stats_sum(before->exits, DIOSIX_EXIT_ROOM), interval);
    unsigned long tenths = interval / ticks(100);

    for (unsigned i = 0; i < DIOSIX_VCPU_STATES; i++)
        part[i] = stats_part(now->times[i] - before->times[i], interval);
    screen_print("vCPU %u: %s, hart %u; the last %lu.%lu s: %lu.%lu exits/s", id,
                 stats_state_name(now->state), now->hart, tenths / 10, tenths % 10, rate / 10,
                 rate % 10);
    screen_print(
        "  run %lu.%lu%%, steal %lu.%lu%%, idle %lu.%lu%%, capped %lu.%lu%%, off %lu.%lu%%",
        part[DIOSIX_VCPU_RUNNING] / 10, part[DIOSIX_VCPU_RUNNING] % 10,
        part[DIOSIX_VCPU_READY] / 10, part[DIOSIX_VCPU_READY] % 10, part[DIOSIX_VCPU_IDLE] / 10,
        part[DIOSIX_VCPU_IDLE] % 10, part[DIOSIX_VCPU_CAPPED] / 10, part[DIOSIX_VCPU_CAPPED] % 10,
        part[DIOSIX_VCPU_OFF] / 10, part[DIOSIX_VCPU_OFF] % 10);
    screen_print("  in all %lu exits, %lu switches, %lu migrations, %lu preemptions, %lu "
                 "exceptions, %lu fences",
                 exits, now->switches, now->migrations, now->preemptions, now->exceptions,
                 now->fences);
    show_exits(now, before, interval);
}

/* One that is younger than it was is another one. */
static void report_vcpu(int capsule, unsigned id, const struct diosix_vcpu_stats *now)
{
    static const struct diosix_vcpu_stats nothing;
    struct memory *memory = remember(capsule, id);

    show_vcpu(id, now, age(&memory->stats) < age(now) ? &memory->stats : &nothing);
    memory->stats = *now;
}

void stats_show(int capsule)
{
    const struct diosix_capsule_info *info = &capsules[capsule];

    screen_print("%s: %u vCPU%s", info->name, info->vcpus, info->vcpus == 1 ? "" : "s");
    for (unsigned id = 0; id < info->vcpus; id++) {
        struct diosix_vcpu_stats now;
        long error = diosix_vcpu_stats((unsigned)capsule, id, &now);

        if (error == DIOSIX_ERR_INVALID_STATE) {
            screen_print("it has ended, and its counters with it");
            return;
        }
        if (error) {
            stats_explain(error);
            return;
        }
        report_vcpu(capsule, id, &now);
    }
}
