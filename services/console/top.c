/*
 * Who uses the harts: a table that is drawn anew every other second, in its own place as long as
 * nothing else was shown meanwhile, until a key is pressed.
 */
#include "console.h"

#include <stdio.h>
#include <string.h>

#define FIRST_MS 1000
#define AGAIN_MS 2000
#define HARTS    64
#define ROWS     16 /* the smallest terminals have 24 */
#define PER_LINE 6  /* harts */

/* ECMA-48, 8.3.22 CUU and 8.3.39 ED */
#define CURSOR_UP   "\033[%uA"
#define ERASE_BELOW "\033[J"

/* Of all vCPUs of a capsule. */
struct sums {
    unsigned long now, times[DIOSIX_VCPU_STATES], exits[DIOSIX_EXIT_ROOM];
};

static bool on;
static uint64_t next;  /* when to draw */
static unsigned lines; /* that the table has where it stands; 0: it stands nowhere */
static struct sums before[CAPSULES];
static struct diosix_hart_stats harts_before[HARTS];

bool top_is_on(void)
{
    return on;
}

/* --- a look at all --- */

static long look_at(unsigned capsule, struct sums *sums)
{
    struct diosix_vcpu_stats stats;
    long error = DIOSIX_OK;

    *sums = (struct sums){0};
    for (unsigned id = 0; id < capsules[capsule].vcpus && !error; id++) {
        error = diosix_vcpu_stats(capsule, id, &stats);
        if (error)
            break;
        sums->now = stats.now;
        for (unsigned i = 0; i < DIOSIX_VCPU_STATES; i++)
            sums->times[i] += stats.times[i];
        for (unsigned i = 0; i < DIOSIX_EXIT_ROOM; i++)
            sums->exits[i] += stats.exits[i];
    }
    return error == DIOSIX_ERR_INVALID_STATE ? DIOSIX_OK : error; /* it has ended: all zero */
}

/* --- harts --- */

/* The clock of the one that told may be a little ahead of the hart's own, and what it was busy up
 * to then a little less the next time. */
static void hart_text(char *text, size_t size, unsigned index, const struct diosix_hart_stats *hart)
{
    const struct diosix_hart_stats *last = &harts_before[index];
    unsigned long part = 0;

    if (hart->busy_time > last->busy_time)
        part = stats_part(hart->busy_time - last->busy_time, hart->now - last->now);
    if (part > 1000)
        part = 1000;
    if (!hart->online)
        snprintf(text, size, "%u: absent", index);
    else if (!hart->runs_guests)
        snprintf(text, size, "%u: no guests", index);
    else
        snprintf(text, size, "%u: %lu.%lu%%", index, part / 10, part % 10);
}

static void end_line(const char *line)
{
    screen_print("%s", line);
    lines++;
}

static void show_harts(void)
{
    struct diosix_hart_stats hart;
    char line[96];
    size_t length = 0;

    for (unsigned i = 0; i < HARTS && !diosix_hart_stats(i, &hart); i++) {
        char text[24];

        if (i && i % PER_LINE == 0)
            end_line(line);
        if (i % PER_LINE == 0)
            length = (size_t)snprintf(line, sizeof(line), i ? "     " : "harts");
        hart_text(text, sizeof(text), i, &hart);
        length += (size_t)snprintf(line + length, sizeof(line) - length, "  %-11s", text);
        harts_before[i] = hart;
    }
    if (length)
        end_line(line);
}

/* --- capsules --- */

/* The reasons with the most exits since the last look. */
static void busiest(char *text, size_t size, const struct sums *now, const struct sums *last)
{
    unsigned long done = 0; /* reasons, by bit */
    size_t length = 0;

    for (unsigned n = 0; n < 3; n++) {
        unsigned most = DIOSIX_EXIT_ROOM;

        for (unsigned i = 0; i < DIOSIX_EXIT_ROOM; i++) {
            if (done >> i & 1 || now->exits[i] == last->exits[i])
                continue;
            if (most == DIOSIX_EXIT_ROOM ||
                now->exits[i] - last->exits[i] > now->exits[most] - last->exits[most])
                most = i;
        }
        if (most == DIOSIX_EXIT_ROOM)
            return;
        done |= 1UL << most;
        length += (size_t)snprintf(text + length, size - length, "%s%s", n ? ", " : "",
                                   stats_exit_name(most));
    }
}

static void show_capsule(unsigned capsule, const struct sums *now, const struct sums *last)
{
    unsigned long interval = now->now - last->now, tenths[3];
    unsigned long exits = stats_sum(now->exits, DIOSIX_EXIT_ROOM);
    unsigned long rate = stats_rate(exits - stats_sum(last->exits, DIOSIX_EXIT_ROOM), interval);
    static const unsigned states[] = {DIOSIX_VCPU_RUNNING, DIOSIX_VCPU_READY, DIOSIX_VCPU_IDLE};
    char reasons[48] = "";

    for (unsigned i = 0; i < 3; i++)
        tenths[i] = stats_part(now->times[states[i]] - last->times[states[i]], interval);
    busiest(reasons, sizeof(reasons), now, last);
    screen_print("%2u %-12.12s %5lu.%lu%% %5lu.%lu%% %5lu.%lu%% %7lu.%lu  %s", capsule,
                 capsules[capsule].name, tenths[0] / 10, tenths[0] % 10, tenths[1] / 10,
                 tenths[1] % 10, tenths[2] / 10, tenths[2] % 10, rate / 10, rate % 10, reasons);
    lines++;
}

/* Those that have no vCPUs now, or had none at the last look, or are others by now, have no rates.
 */
static bool can_compare(const struct sums *now, const struct sums *last)
{
    return now->now > last->now && last->now &&
           stats_sum(now->times, DIOSIX_VCPU_STATES) >= stats_sum(last->times, DIOSIX_VCPU_STATES);
}

static void show_capsules(bool only_look)
{
    unsigned rows = 0, hidden = 0;

    for (unsigned i = 0; i < capsule_count; i++) {
        struct sums now;

        if (look_at(i, &now))
            return;
        if (!only_look && can_compare(&now, &before[i])) {
            if (rows++ < ROWS)
                show_capsule(i, &now, &before[i]);
            else
                hidden++;
        }
        before[i] = now;
    }
    if (hidden) {
        screen_print("and %u more", hidden);
        lines++;
    }
}

/* --- the table --- */

static void erase_old(void)
{
    char command[16];

    if (lines && !screen_was_disturbed()) {
        snprintf(command, sizeof(command), CURSOR_UP, lines);
        screen_put(command);
        screen_put("\r" ERASE_BELOW);
    }
    lines = 0;
}

static void draw(void)
{
    capsules_refresh();
    erase_old();
    show_harts();
    screen_print(" # name            run   steal    idle   exits/s  mostly      (a key ends this)");
    lines++;
    show_capsules(false);
}

static long look_at_harts(void)
{
    long error = DIOSIX_OK;

    for (unsigned i = 0; i < HARTS && !error; i++)
        error = diosix_hart_stats(i, &harts_before[i]);
    return error == DIOSIX_ERR_INVALID_PARAM ? DIOSIX_OK : error; /* no more harts */
}

void top_begin(void)
{
    long error = look_at_harts();

    if (error) {
        stats_explain(error);
        return;
    }
    on = true;
    lines = 0;
    capsules_refresh();
    show_capsules(true);
    screen_was_disturbed();
    next = diosix_time() + ticks(FIRST_MS);
}

void top_end(void)
{
    on = false;
}

void top_tick(void)
{
    if (!on || diosix_time() < next)
        return;
    draw();
    next = diosix_time() + ticks(AGAIN_MS);
}

uint64_t top_deadline(void)
{
    return on ? next : DIOSIX_FOREVER;
}
