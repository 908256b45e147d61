#include "boot_only.h"
#include "serial.h"
#include "devicetree.h"
#include "driver.h"
#include "lock.h"
#include "platform.h"
#include "port.h"

#define POLLS_PER_SECOND 50

/* How often a port without room is asked again. At a slow 9,600 baud a character takes a
 * millisecond; a register is read in 50 ns or more. A jam uses this up, and from then on each
 * character has one try; those that get through earn some of it back. So one that drains drop by
 * drop holds nobody up for long either. */
#define PATIENCE        1000000
#define PATIENCE_EARNED 100000
/* Who may try again later finds no room for so many seconds, at most: nobody waits meanwhile. */
#define JAM_SECONDS 1

static const struct serial_driver *const drivers[] = {&uart_ns16550, &uart_sifive, &uart_htif};
static const struct serial_driver *driver; /* NULL: no serial port */
static struct lock lock = LOCK_INITIALIZER(LOCK_SERIAL);
static unsigned interrupt_source;
static uint64_t next_poll;
static uint32_t patience = PATIENCE;
static uint64_t vain_since; /* in ticks: since when it has had no room; 0: not tried yet */
#ifdef DEBUG
static bool dead;
#endif

BOOT_ONLY bool serial_init(const void *fdt, int node)
{
    for (unsigned i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        if (devicetree_is_compatible(fdt, node, drivers[i]->compatible) &&
            drivers[i]->probe(fdt, node)) {
            driver = drivers[i];
            return true;
        }
    }
    return false;
}

BOOT_ONLY void serial_set_interrupt_source(unsigned source)
{
    if (!driver || !driver->enable_interrupt)
        return;
    interrupt_source = source;
    driver->enable_interrupt();
}

unsigned serial_interrupt_source(void)
{
    return interrupt_source;
}

#ifdef DEBUG
void serial_fail(void)
{
    dead = true;
}

static bool is_dead(void)
{
    return dead;
}
#else
static bool is_dead(void)
{
    return false;
}
#endif

/* How many of them are done with: the next is, too, if it is lost. */
static size_t put(const char *bytes, size_t count)
{
    size_t taken = is_dead() ? 0 : driver->put(bytes, count);

    if (taken > 0) {
        patience = patience < PATIENCE - PATIENCE_EARNED ? patience + PATIENCE_EARNED : PATIENCE;
        vain_since = 0;
        return taken;
    }
    if (patience == 0)
        return 1;
    patience--;
    port_relax();
    return 0;
}

static void write(const char *bytes, size_t count)
{
    for (size_t done; driver && count > 0; bytes += done, count -= done)
        done = put(bytes, count);
}

void port_serial_write(const char *bytes, size_t count)
{
    lock_acquire(&lock);
    write(bytes, count);
    lock_release(&lock);
}

/* Others may have the hart between two tries, so it is time that tells a jam. */
static void tried_in_vain(void)
{
    uint64_t now = port_time();

    if (vain_since == 0)
        vain_since = now;
    else if (now - vain_since > JAM_SECONDS * platform_timebase())
        patience = 0;
}

size_t port_serial_put(const char *bytes, size_t count)
{
    size_t done = 0, taken = 1;

    if (!driver)
        return count;
    lock_acquire(&lock);
    for (; done < count && taken > 0; done += taken)
        taken = put(bytes + done, count - done);
    if (taken == 0)
        tried_in_vain();
    lock_release(&lock);
    return done;
}

void port_panic_write(const char *bytes, size_t count)
{
    write(bytes, count);
}

BOOT_ONLY bool serial_needs_poll(void)
{
    return driver && !interrupt_source;
}

/* The timer is set anew often; that must not push the next look away. */
uint64_t serial_poll_deadline(uint64_t deadline)
{
    return next_poll < deadline ? next_poll : deadline;
}

void serial_polled(void)
{
    next_poll = port_time() + platform_timebase() / POLLS_PER_SECOND;
}

size_t port_serial_read(char *bytes, size_t count)
{
    size_t taken = 0;
    int character;

    lock_acquire(&lock);
    while (driver && !is_dead() && taken < count && (character = driver->get()) >= 0)
        bytes[taken++] = (char)character;
    lock_release(&lock);
    return taken;
}
