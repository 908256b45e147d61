/*
 * One lock guards all rings: what happens under it is the copying of a few bytes. Whoever must be
 * told of a change is told after it is released, because waking a vCPU takes LOCK_SCHED and
 * moving a guest's interrupt line its LOCK_CAPSULE, which both come before LOCK_CONSOLE.
 *
 * What is typed is taken from the serial port as soon as it comes, into a ring of its own: a port
 * whose interrupt stays raised while it has input would else keep its hart from all other work
 * when nobody reads.
 */
#include "console.h"

#include "boot_only.h"

#include "capsule.h"
#include "port.h"
#include "service.h"

#include <string.h>

#define SERIAL_INPUT_SIZE 4096
#define CHUNK             128

static struct lock lock = LOCK_INITIALIZER(LOCK_CONSOLE);
static uint8_t serial_bytes[SERIAL_INPUT_SIZE];
static struct ring serial = {.buffer = serial_bytes, .size = SERIAL_INPUT_SIZE};
static struct capsule *shown_of; /* whose output the service was last shown; NULL: acknowledged */
static size_t shown;             /* bytes of it */
static unsigned last_output;     /* index of the capsule that console_next_output last named */

static bool is_console(const struct capsule *capsule)
{
    return capsule->config.properties & DIOSIX_PROPERTY_SERVICE_CONSOLE;
}

/* Whoever asks for another capsule's state doesn't hold its lock: the answer is a moment old. */
static enum capsule_state state_of(const struct capsule *capsule)
{
    return __atomic_load_n(&capsule->state, __ATOMIC_RELAXED);
}

static bool will_run(const struct capsule *capsule)
{
    switch (state_of(capsule)) {
    case CAPSULE_CREATED:
    case CAPSULE_RUNNING:
    case CAPSULE_PAUSED:
        return true;
    case CAPSULE_CRASHED:
        return capsule->config.properties & DIOSIX_PROPERTY_AUTO_CRASH_RESTART;
    case CAPSULE_STOPPED:
        break;
    }
    return false;
}

bool console_has_service(void)
{
    for (unsigned i = 0; i < capsule_count; i++)
        if (is_console(capsules[i]) && will_run(capsules[i]))
            return true;
    return false;
}

BOOT_ONLY void console_init_capsule(struct capsule *capsule)
{
    struct capsule_console *console = &capsule->console;

    ring_init(&console->input, console->input_bytes, CONSOLE_INPUT_SIZE);
}

bool console_needs_output(const struct capsule *capsule)
{
    bool console_exists = false;

    for (unsigned i = 0; i < capsule_count; i++)
        console_exists |= is_console(capsules[i]);
    return console_exists && !is_console(capsule) && capsule->console.output.size == 0;
}

void console_set_output(struct capsule *capsule, uint8_t *bytes)
{
    ring_init(&capsule->console.output, bytes, CONSOLE_OUTPUT_SIZE);
}

/* What was printed while there was a service comes first, a chunk at a time: the port may be slow,
 * and others wait for the lock. Was there any? Holding LOCK_CONSOLE. */
static bool show_kept_output(void)
{
    uint8_t bytes[CHUNK];

    shown_of = NULL;
    for (unsigned i = 0; i < capsule_count; i++) {
        if (ring_empty(&capsules[i]->console.output))
            continue;
        port_serial_write((const char *)bytes,
                          ring_get(&capsules[i]->console.output, bytes, sizeof(bytes)));
        return true;
    }
    return false;
}

/* Straight to the serial port, for want of a service: one byte, however slow the port is, and as
 * many as it has room for. Returns how many. */
static size_t write_serial(const uint8_t *bytes, size_t count)
{
    bool more = true;
    while (more) {
        lock_acquire(&lock);
        more = !console_has_service() && show_kept_output();
        if (!more && count) {
            port_serial_write((const char *)bytes, 1);
            if (count > 1)
                count = 1 + port_serial_put((const char *)bytes + 1, count - 1);
        }
        lock_release(&lock);
    }
    return count;
}

void console_flush(void)
{
    if (!console_has_service())
        (void)write_serial(NULL, 0);
}

size_t console_write(struct capsule *capsule, const uint8_t *bytes, size_t count)
{
    if (is_console(capsule) || !console_has_service()) {
        if (count > CHUNK) /* the port may be slow, and others wait for the lock */
            count = CHUNK;
        return write_serial(bytes, count);
    }
    lock_acquire(&lock);
    count = ring_put(&capsule->console.output, bytes, count);
    lock_release(&lock);
    if (count)
        service_notify(DIOSIX_EVENT_OUTPUT);
    return count;
}

size_t console_space(struct capsule *capsule)
{
    if (is_console(capsule) || !console_has_service())
        return CONSOLE_OUTPUT_SIZE;
    return ring_space(&capsule->console.output);
}

/* Who gets what is typed when there is no service; NULL: nobody. */
static struct capsule *first_guest(void)
{
    for (unsigned i = 0; i < capsule_count; i++)
        if (!capsules[i]->config.is_service && state_of(capsules[i]) == CAPSULE_RUNNING)
            return capsules[i];
    return NULL;
}

/* Moves typed bytes to a guest as far as its ring has room; did any? Holding LOCK_CONSOLE. */
static bool hand_over(struct capsule *guest)
{
    struct ring *input = &guest->console.input;
    uint8_t bytes[CHUNK];
    size_t count, all = 0;

    do {
        size_t space = ring_space(input);

        count = ring_get(&serial, bytes, space < sizeof(bytes) ? space : sizeof(bytes));
        all += ring_put(input, bytes, count);
    } while (count);
    return all != 0;
}

size_t console_read(struct capsule *capsule, uint8_t *bytes, size_t count)
{
    lock_acquire(&lock);
    count = ring_get(&capsule->console.input, bytes, count);
    if (!ring_empty(&serial) && !console_has_service() && capsule == first_guest())
        hand_over(capsule);
    lock_release(&lock);
    return count;
}

bool console_has_input(const struct capsule *capsule)
{
    return !ring_empty(&capsule->console.input);
}

size_t console_show_output(struct capsule *capsule, uint8_t *bytes, size_t count)
{
    lock_acquire(&lock);
    count = ring_peek(&capsule->console.output, bytes, count);
    shown_of = capsule;
    shown = count;
    lock_release(&lock);
    return count;
}

void console_acknowledge(void)
{
    lock_acquire(&lock);
    struct capsule *capsule = shown_of;
    size_t count = capsule ? ring_get(&capsule->console.output, NULL, shown) : 0;

    shown_of = NULL;
    lock_release(&lock);
    if (count)
        port_console_event(capsule);
}

void console_forget_shown(void)
{
    lock_acquire(&lock);
    shown_of = NULL;
    lock_release(&lock);
}

size_t console_send_input(struct capsule *capsule, const uint8_t *bytes, size_t count)
{
    lock_acquire(&lock);
    count = ring_put(&capsule->console.input, bytes, count);
    lock_release(&lock);
    if (count)
        port_console_event(capsule);
    return count;
}

bool console_has_output(void)
{
    for (unsigned i = 0; i < capsule_count; i++)
        if (!ring_empty(&capsules[i]->console.output))
            return true;
    return false;
}

struct capsule *console_next_output(void)
{
    struct capsule *found = NULL;

    lock_acquire(&lock);
    for (unsigned step = 1; step <= capsule_count && !found; step++) {
        unsigned i = (last_output + step) % capsule_count;

        if (!ring_empty(&capsules[i]->console.output)) {
            found = capsules[i];
            last_output = i;
        }
    }
    lock_release(&lock);
    return found;
}

/* Empties the serial port; what its ring has no room for is lost, as in any receiver that overruns.
 * The bound is for a port that never runs dry. Did anything come? */
static bool collect_serial(void)
{
    uint8_t bytes[CHUNK];
    size_t all = 0, count = 1;

    lock_acquire(&lock);
    for (; count && all < SERIAL_INPUT_SIZE; all += count) {
        count = port_serial_read((char *)bytes, sizeof(bytes));
        ring_put(&serial, bytes, count);
    }
    lock_release(&lock);
    return all != 0;
}

size_t console_take_serial(uint8_t *bytes, size_t count)
{
    lock_acquire(&lock);
    count = ring_get(&serial, bytes, count);
    lock_release(&lock);
    return count;
}

bool console_has_serial(void)
{
    return !ring_empty(&serial);
}

void console_serial_input(void)
{
    if (!collect_serial())
        return;
    bool service = console_has_service();
    struct capsule *guest = service ? NULL : first_guest();
    bool given = false;

    console_flush();
    lock_acquire(&lock);
    if (guest)
        given = hand_over(guest);
    lock_release(&lock);
    if (given)
        port_console_event(guest);
    else if (service)
        service_notify(DIOSIX_EVENT_CONSOLE);
}
