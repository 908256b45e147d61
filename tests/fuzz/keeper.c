/*
 * Looks after the fuzz guests from a capsule of its own, with the properties capsule_info,
 * capsule_control and stats_read: one that has stopped, or that has begun no new life for
 * `stuck_ms`, or whose harts have all slept for more than a twentieth of that, is stopped and
 * started again. (One that reboots sleeps for a while, which a restart would prolong.) With
 * `storm=yes` it also pauses, resumes, restarts and stops them at random moments. Theirs are the
 * names that begin with `fuzz`. `hush=` names one that is stopped for a second in ten: it is the
 * console service, and what it does not show of the others' output can be seen then. Each tenth of
 * `stuck_ms` it prints, of each guest, how often each vCPU has reached for RAM that had to come
 * first:
 *
 *     memory came to fuzz0 1034 998
 */
#include "payload.h"
#include <diosix/abi.h>

#define CAPSULES_MAX 64
#define VCPUS_MAX    8

static struct diosix_capsule_info info;
static struct {
    uint64_t restarts, since;
    uint64_t run_time, ran; /* when it did */
    uint64_t memory[VCPUS_MAX], memory_before[VCPUS_MAX];
} seen[CAPSULES_MAX];
static uint64_t random_state;

static uint64_t random(uint64_t limit)
{
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (random_state >> 33) % limit;
}

static void sleep(uint64_t ticks)
{
    uint64_t end = time_now() + ticks;
    csr_write(sie, SIP_STIP);
    sbi_set_timer(end);
    while (time_now() < end)
        __asm__ volatile("wfi");
}

static bool control(uint64_t capsule, uint64_t command)
{
    return !sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_CONTROL, capsule, command, 0).error;
}

static void storm(uint64_t capsule)
{
    switch (random(16)) {
    case 0:
        control(capsule, DIOSIX_CONTROL_RESTART);
        break;
    case 1:
        control(capsule, DIOSIX_CONTROL_STOP);
        break;
    default:
        control(capsule, DIOSIX_CONTROL_PAUSE);
        if (random(2))
            sleep(random(frequency / 200));
    }
}

static void look_after(uint64_t capsule, uint64_t stuck)
{
    uint64_t now = time_now();
    if (info.run_time != seen[capsule].run_time || info.state != DIOSIX_CAPSULE_RUNNING)
        seen[capsule].ran = now;
    seen[capsule].run_time = info.run_time;
    if (info.state == DIOSIX_CAPSULE_PAUSED)
        control(capsule, DIOSIX_CONTROL_RESUME);
    else if (info.state != DIOSIX_CAPSULE_RUNNING)
        control(capsule, DIOSIX_CONTROL_START);
    if (info.restarts != seen[capsule].restarts || info.state != DIOSIX_CAPSULE_RUNNING) {
        seen[capsule].restarts = info.restarts;
        seen[capsule].since = now;
    } else if (now - seen[capsule].since > stuck ||
               (now - seen[capsule].ran > stuck / 20 && !random(16))) {
        control(capsule, DIOSIX_CONTROL_STOP);
    }
}

/* The count begins anew when a capsule that was stopped is started. */
static void count_memory(uint64_t capsule)
{
    static struct diosix_vcpu_stats stats;
    for (unsigned i = 0; i < info.vcpus && i < VCPUS_MAX; i++) {
        uint64_t *before = &seen[capsule].memory_before[i];
        if (sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_VCPU_STATS, capsule, i, (uint64_t)&stats,
                      sizeof stats, 0, 0)
                .error)
            continue;
        uint64_t now = stats.exits[DIOSIX_EXIT_MEMORY];
        seen[capsule].memory[i] += now >= *before ? now - *before : now;
        *before = now;
    }
}

static void report_memory(uint64_t capsule)
{
    const uint64_t *memory = seen[capsule].memory;
    hold_output(true);
    print("memory came to %s %lu %lu %lu", info.name, memory[0], memory[1], memory[2]);
    hold_output(false);
}

static bool is_hushed(void)
{
    const char *name = argument("hush");
    return name && !strncmp(info.name, name, strlen(info.name)) &&
           time_now() % (10 * frequency) < frequency;
}

void payload_main(void)
{
    uint64_t stuck = argument_number("stuck_ms", 10000) * (frequency / 1000);
    uint64_t pause = argument_number("pause_ms", 50) * (frequency / 1000);
    random_state = argument_number("seed", 1);
    for (uint64_t reported = 0;;) {
        bool reports = time_now() - reported > stuck / 10;
        if (reports)
            reported = time_now();
        for (uint64_t i = 0; i < CAPSULES_MAX; i++) {
            if (sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, i, &info, 0).error)
                break;
            if (strncmp(info.name, "fuzz", 4))
                continue;
            count_memory(i);
            if (reports)
                report_memory(i);
            if (is_hushed()) {
                control(i, DIOSIX_CONTROL_STOP);
                continue;
            }
            look_after(i, stuck);
            if (argument("storm") && !random(32))
                storm(i);
        }
        sleep(pause);
    }
}
