#include "console.h"

#define CHUNK       512
#define TYPED_CHUNK 256
#define CHUNKS_MAX  16 /* of output before the user's keys get their turn */

/* A guest prints byte by byte, and waking up for each would cost more than the byte. So after some
 * output has been shown, at once, what follows is gathered for an instant that nobody notices. */
#define GATHER_MS 2

static void hint(void)
{
    screen_print(
        SGR_PLAIN SGR_BOLD
        "Control-] opens the command line; twice, it switches to the next guest." SGR_PLAIN);
}

void console_start(void)
{
    int guest = capsules_next_guest(NOBODY);

    hint();
    if (guest == NOBODY) {
        screen_print("There is no guest.");
    } else {
        screen_attach(guest);
        screen_close_prompt();
    }
    screen_flush();
}

static void take_log(void)
{
    char bytes[CHUNK];
    bool shown;
    long count;

    while ((count = diosix_log_read(bytes, sizeof(bytes), &shown)) > 0)
        screen_log(bytes, (size_t)count, shown);
}

/* Was there any? */
static bool take_output(void)
{
    char bytes[CHUNK];
    unsigned capsule, chunk;

    for (chunk = 0; chunk < CHUNKS_MAX; chunk++) {
        long count = diosix_output_read(bytes, sizeof(bytes), &capsule);

        if (count <= 0)
            break;
        if (capsule < CAPSULES)
            screen_output(capsule, bytes, (size_t)count);
        screen_flush(); /* the next call says that it was shown */
    }
    return chunk != 0;
}

static void take_input(void)
{
    char bytes[TYPED_CHUNK];
    long count = 0;

    if (input_wanted())
        count = diosix_console_read(bytes, sizeof(bytes));
    for (long i = 0; i < count; i++)
        input_type(bytes[i]);
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

void console_turn(uint64_t *events, uint64_t *deadline)
{
    take_log();
    bool gather = take_output();

    take_input();
    input_deliver();
    screen_tick();
    top_tick();
    screen_flush();

    *events = DIOSIX_EVENT_LOG;
    *deadline = earlier(earlier(input_deadline(), screen_deadline()), top_deadline());
    if (input_wanted())
        *events |= DIOSIX_EVENT_CONSOLE;
    if (gather)
        *deadline = earlier(*deadline, diosix_time() + ticks(GATHER_MS));
    else
        *events |= DIOSIX_EVENT_OUTPUT;
}
