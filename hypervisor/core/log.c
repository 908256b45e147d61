/*
 * The log is one ring of whole lines. `shown` is the position in it (counted as the ring counts)
 * up to which the serial port has shown the text: it only ever moves forward, because as soon as
 * there is no reader the port catches up with everything unread. So a reader that comes late, or
 * after another has crashed, finds first text that was shown and then text that was not.
 */
#include "log.h"

#include "capsule.h"
#include "port.h"
#include "ring.h"
#include "service.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_SIZE 8192
#define LINE_MAX 256 /* with its time stamp; the rest of a longer line is cut off */

#define RED   "\033[31m" /* ECMA-48, 8.3.117 SGR */
#define PLAIN "\033[0m"

static uint8_t text[LOG_SIZE];
static struct ring ring = {.buffer = text, .size = LOG_SIZE};
static uint32_t shown; /* LOCK_CONSOLE, like the ring */
static struct lock lock = LOCK_INITIALIZER(LOCK_CONSOLE);

static bool has_reader(void)
{
    const struct capsule *service = service_registered(DIOSIX_SERVICE_CONSOLE);

    return service && (service->config.properties & DIOSIX_PROPERTY_HV_LOG_READ);
}

/* Nothing that is unread lies before `shown` once it was read or dropped. */
static void keep_shown_in_ring(void)
{
    uint32_t tail = atomic_load_explicit(&ring.tail, memory_order_relaxed);

    if ((int32_t)(shown - tail) < 0)
        shown = tail;
}

/* Drops the oldest lines, whole, until there is room. */
static void make_room(size_t size)
{
    uint8_t byte = '\n';

    while (ring_space(&ring) < size || byte != '\n')
        ring_get(&ring, &byte, 1);
    keep_shown_in_ring();
}

/* Shows the text from `shown` on, line by line. One may go on at the ring's start. */
static void show(void)
{
    uint32_t head = atomic_load_explicit(&ring.head, memory_order_relaxed);
    bool in_line = false;

    while (shown != head) {
        uint32_t place = shown & (LOG_SIZE - 1), size = LOG_SIZE - place;

        if (size > head - shown)
            size = head - shown;
        const uint8_t *newline = memchr(text + place, '\n', size);

        if (newline)
            size = (uint32_t)(newline - (text + place));
        if (!in_line)
            port_serial_write(RED, sizeof(RED) - 1);
        port_serial_write((const char *)text + place, size);
        if (newline)
            port_serial_write(PLAIN "\r\n", sizeof(PLAIN "\r\n") - 1);
        in_line = !newline;
        shown += size + !in_line;
    }
}

/* Names in the image find their way into the log: they must not steer the reader's terminal. */
static void defuse(char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
}

static size_t time_stamp(char *line, size_t size)
{
    uint64_t frequency = port_frequency(), time = port_time();

    if (!frequency) /* before the device tree was read */
        frequency = 1;
    uint64_t seconds = time / frequency;
    uint64_t microseconds = time % frequency * 1000000 / frequency;

    return (size_t)snprintf(line, size, "[%5lu.%06lu] ", (unsigned long)seconds,
                            (unsigned long)microseconds);
}

void log_write(const char *format, ...)
{
    char line[LINE_MAX];
    size_t length = time_stamp(line, sizeof(line));
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line + length, sizeof(line) - length, format, arguments);
    va_end(arguments);
    length = strlen(line);
    defuse(line, length);
    line[length++] = '\n'; /* in the place of the NUL */

    lock_acquire(&lock);
    make_room(length);
    ring_put(&ring, (const uint8_t *)line, length);
    if (!has_reader())
        show();
    lock_release(&lock);
    service_notify(DIOSIX_EVENT_LOG);
}

size_t log_read(char *buffer, size_t size, bool *was_shown)
{
    lock_acquire(&lock);
    size_t old = shown - atomic_load_explicit(&ring.tail, memory_order_relaxed);

    *was_shown = old != 0;
    if (old && size > old)
        size = old;
    size = ring_get(&ring, (uint8_t *)buffer, size);
    keep_shown_in_ring();
    lock_release(&lock);
    return size;
}

bool log_pending(void)
{
    return !ring_empty(&ring);
}

void log_flush(void)
{
    lock_acquire(&lock);
    if (!has_reader())
        show();
    lock_release(&lock);
}

void panic(const char *format, ...)
{
    static _Atomic uint32_t panicking;
    char line[LINE_MAX];
    va_list arguments;

    /* Of several harts that panic at once the first one's words matter: the others give it time.
     * They don't wait for ever, because it may be one hart that panics within its panic. */
    if (atomic_exchange(&panicking, true))
        for (unsigned breath = 0; breath < 1U << 26; breath++)
            port_relax();
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    port_panic_write("\r\n" RED "panic: ", sizeof("\r\n" RED "panic: ") - 1);
    port_panic_write(line, strlen(line));
    port_panic_write(PLAIN "\r\n", sizeof(PLAIN "\r\n") - 1);
    port_halt();
}
