/*
 * The console service: what guests print, what is logged and what is typed, in any order. The input
 * is a sequence of such steps.
 *
 * Whatever a guest prints while another one has the screen may show as text, but must not steer the
 * user's terminal: then only the service's own commands come out.
 */
#include "fuzz.h"
#include "../../../services/console/console.h"
#include <string.h>

#define FREQUENCY 1000UL /* a tick is a millisecond */
#define GUESTS    4
#define VCPUS     2
#define HARTS     3
#define SHOWN_MAX (1UL << 20) /* of one step */

/* --- the hypervisor, played --- */

static struct input printed, typed, logged;
static unsigned printer; /* whose output `printed` is */
static uint64_t now;
static char shown[SHOWN_MAX];
static size_t shown_count;
static size_t room;
static unsigned states;

static long hand_over(struct input *from, void *buffer, size_t size)
{
    size_t count;
    const uint8_t *bytes = take_bytes(from, size, &count);

    if (count)
        memcpy(buffer, bytes, count);
    return (long)count;
}

long diosix_output_read(void *buffer, size_t size, unsigned *capsule)
{
    *capsule = printer;
    return hand_over(&printed, buffer, size);
}

long diosix_log_read(void *buffer, size_t size, bool *was_shown)
{
    *was_shown = states & 1;
    return hand_over(&logged, buffer, size);
}

long diosix_console_read(void *buffer, size_t size)
{
    return hand_over(&typed, buffer, size);
}

long diosix_console_write(const void *bytes, size_t size)
{
    CHECK(size <= SHOWN_MAX - shown_count); /* or it shows more and more of little */
    memcpy(shown + shown_count, bytes, size);
    shown_count += size;
    return (long)size;
}

long diosix_input_write(const void *bytes, size_t size, unsigned capsule)
{
    (void)bytes;
    CHECK(capsule < GUESTS && size > 0);
    if (size > room)
        size = room;
    room -= size;
    return (long)size;
}

long diosix_capsule_info(unsigned capsule, struct diosix_capsule_info *info)
{
    if (capsule >= GUESTS)
        return DIOSIX_ERR_INVALID_PARAM;
    *info = (struct diosix_capsule_info){
        .id = capsule,
        .is_service = capsule == 0,
        .state = states >> capsule % 8,
        .properties = capsule == 0 ? DIOSIX_PROPERTY_SERVICE_CONSOLE : 0,
        .vcpus = VCPUS,
        .frequency = FREQUENCY,
    };
    snprintf(info->name, sizeof info->name, capsule ? "guest%u" : "console", capsule);
    return DIOSIX_OK;
}

long diosix_capsule_control(unsigned capsule, enum diosix_control action)
{
    CHECK(capsule > 0 && capsule < GUESTS && action < DIOSIX_CONTROL_COUNT);
    return states & 2 ? DIOSIX_ERR_INVALID_STATE : DIOSIX_OK;
}

/* Numbers that grow with time, each at its own pace. */
long diosix_vcpu_stats(unsigned long capsule, unsigned vcpu, struct diosix_vcpu_stats *stats)
{
    CHECK(capsule < GUESTS && vcpu < VCPUS);
    if (states & 4)
        return DIOSIX_ERR_INVALID_STATE;
    *stats = (struct diosix_vcpu_stats){.now = now, .state = states, .hart = vcpu};
    for (unsigned i = 0; i < DIOSIX_VCPU_STATES; i++)
        stats->times[i] = now * states >> i;
    for (unsigned i = 0; i < DIOSIX_EXIT_ROOM; i++)
        stats->exits[i] = now * i >> capsule;
    return states & 8 ? DIOSIX_ERR_DENIED : DIOSIX_OK;
}

long diosix_hart_stats(unsigned hart, struct diosix_hart_stats *stats)
{
    if (hart >= HARTS)
        return DIOSIX_ERR_INVALID_PARAM;
    *stats = (struct diosix_hart_stats){
        .now = now, .online = states & 1, .runs_guests = states >> hart, .busy_time = now / 2};
    return states & 8 ? DIOSIX_ERR_DENIED : DIOSIX_OK;
}

long diosix_trace_read(unsigned hart, struct diosix_trace_entry *entries, size_t count,
                       uint64_t *first)
{
    size_t copied = 0;

    if (hart >= HARTS)
        return DIOSIX_ERR_INVALID_PARAM;
    for (; copied < count && *first + copied < states; copied++)
        entries[copied] = (struct diosix_trace_entry){
            .time = now, .event = (*first + copied) % 72, .capsule = states, .value = now};
    return (long)copied;
}

uint64_t diosix_time(void)
{
    return now;
}

long diosix_wait(uint64_t events, uint64_t deadline)
{
    CHECK(!events && deadline > now);
    return 0;
}

void diosix_crash(const char *reason)
{
    CHECK(!reason);
    abort();
}

/* --- what must hold --- */

/* Text, or a command that the service itself gives: colours (SGR), erasing (EL, ED), going up
 * (CUU). Returns what follows. */
static const char *pass_own(const char *at, const char *end)
{
    if (*at != '\033')
        return at + 1;
    CHECK(end - at >= 3 && at[1] == '[');
    for (at += 2; at < end && ((*at >= '0' && *at <= '9') || *at == ';'); at++)
        ;
    CHECK(at < end && strchr("mKAJ", *at));
    return at + 1;
}

/* Of control characters those that the service itself needs: a backspace only where something is
 * typed. C1, which a terminal obeys in its UTF-8 form, too (ECMA-48, 5.3), is none of them. */
static void check_quiet(bool typing)
{
    const char *end = shown + shown_count;

    for (const char *at = shown; at < end; at = pass_own(at, end)) {
        CHECK((unsigned char)*at >= ' ' || (*at && strchr("\033\r\n\t\a\b", *at)));
        CHECK(*at != '\b' || typing);
        CHECK(*at != '\x7f');
        CHECK(at + 1 == end || *at != '\xc2' || (unsigned char)at[1] < 0x80 ||
              (unsigned char)at[1] > 0x9f);
    }
}

static uint64_t turn(void)
{
    uint64_t events, deadline;

    console_turn(&events, &deadline);
    CHECK((events & ~(DIOSIX_EVENT_OUTPUT | DIOSIX_EVENT_LOG | DIOSIX_EVENT_CONSOLE)) == 0);
    CHECK(events & DIOSIX_EVENT_LOG);
    CHECK(screen_attached() >= NOBODY && screen_attached() < GUESTS);
    return deadline;
}

/* All of it, however much is taken at once. */
static void deliver(struct input *to, const uint8_t *bytes, size_t count)
{
    *to = (struct input){bytes, count};
    for (unsigned turns = 0; to->left && turns < 64; turns++) {
        turn();
        now += 1001; /* a guest that takes nothing must not hold up the keys for ever */
    }
    CHECK(to->left == 0);
}

/* Once the attached guest has printed, its commands pass, and may be drawn again later. */
static void step(struct input *input, bool *steered)
{
    unsigned what = take(input, 1);
    size_t count;
    const uint8_t *bytes = take_bytes(input, what / 8, &count);

    shown_count = 0;
    switch (what % 8) {
    case 0:
    case 1:
        deliver(&typed, bytes, count);
        break;
    case 2:
        deliver(&logged, bytes, count);
        break;
    case 3:
        now += what * 8;
        states = what;
        room = what;
        turn();
        break;
    default:
        printer = what % 8 - 4;
        *steered |= (int)printer == screen_attached();
        deliver(&printed, bytes, count);
    }
    if (!*steered)
        check_quiet(what % 8 < 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    bool steered = false; /* the user has seen output as it is */

    fuzz_reset();
    now = 100000;
    room = 64;
    states = 0;
    shown_count = 0;
    printed = typed = logged = (struct input){0};
    console_start();
    while (input.left)
        step(&input, &steered);
    return 0;
}
