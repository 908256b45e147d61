/*
 * The last things that happened on all harts, in order of time. This console makes exits itself by
 * asking, which would fill the screen, so they are shown only when it is named.
 */
#include "console.h"

#include <stdio.h>

#define SHOWN     24
#define CHUNK     32
#define CALLS_MAX 64 /* for a hart that goes on while we read */

static struct trace_line {
    struct diosix_trace_entry entry;
    unsigned hart;
} latest[SHOWN]; /* in order of time */
static unsigned count;

/* Keeps it if it is among the latest. */
static void keep(const struct diosix_trace_entry *entry, unsigned hart)
{
    unsigned place;

    if (count == SHOWN) {
        if (entry->time < latest[0].entry.time)
            return;
        count--;
        for (unsigned i = 0; i < count; i++)
            latest[i] = latest[i + 1];
    }
    for (place = count++; place && latest[place - 1].entry.time > entry->time; place--)
        latest[place] = latest[place - 1];
    latest[place] = (struct trace_line){.entry = *entry, .hart = hart};
}

static bool is_wanted(const struct diosix_trace_entry *entry, int capsule)
{
    if (capsule != NOBODY)
        return entry->capsule == capsule;
    return entry->capsule >= capsule_count || capsules_attachable(entry->capsule);
}

static long gather(unsigned hart, int capsule)
{
    struct diosix_trace_entry entries[CHUNK];
    uint64_t first = 0;
    long got = 1;

    for (unsigned calls = 0; calls < CALLS_MAX && got > 0; calls++) {
        got = diosix_trace_read(hart, entries, CHUNK, &first);
        for (long i = 0; i < got; i++)
            if (is_wanted(&entries[i], capsule))
                keep(&entries[i], hart);
        if (got > 0)
            first += (uint64_t)got;
    }
    return got < 0 ? got : DIOSIX_OK;
}

static const char *event_name(unsigned event)
{
    switch (event) {
    case DIOSIX_TRACE_ENTER:
        return "comes to the hart";
    case DIOSIX_TRACE_LEAVE:
        return "leaves it:";
    case DIOSIX_TRACE_WAKE:
        return "is woken; was on";
    case DIOSIX_TRACE_KICK:
        return "interrupts hart";
    case DIOSIX_TRACE_EXCEPTION:
        return "gets an exception";
    default:
        return stats_exit_name(event);
    }
}

static void show(const struct trace_line *line)
{
    const struct diosix_trace_entry *entry = &line->entry;
    unsigned long microseconds = entry->time * 1000 / ticks(1);
    char who[DIOSIX_NAME_MAX + 8] = "-", more[64] = "";

    if (entry->capsule < capsule_count)
        snprintf(who, sizeof(who), "%s.%u", capsules[entry->capsule].name, entry->vcpu);
    if (entry->event == DIOSIX_TRACE_LEAVE)
        snprintf(more, sizeof(more), "%s", stats_state_name(entry->value));
    else if (entry->event == DIOSIX_TRACE_WAKE || entry->event == DIOSIX_TRACE_KICK)
        snprintf(more, sizeof(more), "%lu", entry->value);
    else if (entry->event != DIOSIX_TRACE_ENTER)
        snprintf(more, sizeof(more), "pc 0x%lx value 0x%lx", entry->pc, entry->value);
    screen_print("%6lu.%06lu %4u  %-14s %-17s %s", microseconds / 1000000, microseconds % 1000000,
                 line->hart, who, event_name(entry->event), more);
}

void trace_show(int capsule)
{
    long error = DIOSIX_OK;

    count = 0;
    for (unsigned hart = 0; !error; hart++)
        error = gather(hart, capsule);
    if (error == DIOSIX_ERR_NOT_SUPPORTED)
        screen_print("this hypervisor is a release build: it keeps no trace");
    else if (error != DIOSIX_ERR_INVALID_PARAM) /* which says that there is no such hart */
        stats_explain(error);
    else if (!count)
        screen_print("nothing yet");
    for (unsigned i = 0; i < count; i++)
        show(&latest[i]);
}
