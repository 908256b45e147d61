/*
 * What is typed for a capsule waits here until the capsule has room. While it waits, no more is
 * taken from the serial port, so a long paste comes through whole at the capsule's own pace; but a
 * capsule that takes nothing, or next to nothing, for a second would lock the user out, so then
 * what is too much for the buffer is dropped, with a bell, and the escape key works.
 */
#include "console.h"

#define BUFFER_SIZE 1024
#define ROOM        256 /* what one look at the serial port may bring: see console_turn() */
#define RETRY_MS    20
#define STUCK_MS    1000

static struct buffer {
    char bytes[BUFFER_SIZE];
    size_t start, count; /* a ring */
    uint64_t progress;   /* when the capsule last made room, or had nothing to take */
} buffers[CAPSULES];

void input_send(int capsule, char character)
{
    if (capsule == NOBODY)
        return;
    struct buffer *buffer = &buffers[capsule];

    if (buffer->count == BUFFER_SIZE) {
        screen_put(BELL);
        return;
    }
    if (!buffer->count)
        buffer->progress = diosix_time();
    buffer->bytes[(buffer->start + buffer->count++) % BUFFER_SIZE] = character;
}

void input_type(char character)
{
    if (prompt_is_open())
        prompt_type(character);
    else if (character == ESCAPE_KEY)
        prompt_open();
    else
        input_send(screen_attached(), character);
}

bool input_wanted(void)
{
    int capsule = screen_attached();

    if (capsule == NOBODY || prompt_is_open())
        return true;
    const struct buffer *buffer = &buffers[capsule];

    return BUFFER_SIZE - buffer->count >= ROOM ||
           diosix_time() - buffer->progress >= ticks(STUCK_MS);
}

static void deliver(unsigned capsule)
{
    struct buffer *buffer = &buffers[capsule];
    long taken = 1;

    while (buffer->count && taken > 0) {
        size_t part = BUFFER_SIZE - buffer->start; /* up to the end of the ring */

        if (part > buffer->count)
            part = buffer->count;
        taken = diosix_input_write(buffer->bytes + buffer->start, part, capsule);
        if (taken <= 0)
            break;
        buffer->start = (buffer->start + (size_t)taken) % BUFFER_SIZE;
        buffer->count -= (size_t)taken;
        if (BUFFER_SIZE - buffer->count >= ROOM)
            buffer->progress = diosix_time();
    }
}

void input_deliver(void)
{
    for (unsigned i = 0; i < CAPSULES; i++)
        deliver(i);
}

uint64_t input_deadline(void)
{
    for (unsigned i = 0; i < CAPSULES; i++)
        if (buffers[i].count)
            return diosix_time() + ticks(RETRY_MS);
    return DIOSIX_FOREVER;
}
