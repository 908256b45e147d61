/* The physical serial port, with a driver whose port jams. */
#include "unit.h"
#include "snapshot.h"
#include "driver.h"
#include "hart.h"
#include "platform.h"
#include "port.h"
#include "serial.h"
#include <string.h>

#define PATIENCE 1000000 /* as in serial.c */
#define LONG     100000UL
#define SECOND   10000000UL /* ticks */

static struct hart hart;
static uint64_t looks, room_every; /* a character finds room at each so many-th look; 0: never */
static char sent[4096];
static size_t sent_count;
static uint64_t to_come; /* characters */
static uint64_t now = 1; /* ticks */

static bool probe(const void *fdt, int node)
{
    (void)fdt, (void)node;
    return true;
}

static size_t put(const char *bytes, size_t count)
{
    looks++;
    if (count == 0 || room_every == 0 || looks % room_every != 0)
        return 0;
    sent[sent_count++ % sizeof sent] = *bytes;
    return 1;
}

static int get(void)
{
    looks++;
    if (to_come == 0)
        return -1;
    to_come--;
    return 'x';
}

static const char *const compatible[] = {"test", NULL};
const struct serial_driver uart_ns16550 = {compatible, probe, put, get, NULL};
const struct serial_driver uart_sifive, uart_htif;

bool devicetree_is_compatible(const void *fdt, int node, const char *const *names);
bool devicetree_is_compatible(const void *fdt, int node, const char *const *names)
{
    (void)fdt, (void)node;
    return names == compatible;
}

uint64_t platform_timebase(void)
{
    return SECOND;
}

uint64_t port_time(void)
{
    return now;
}

struct hart *port_hart(void)
{
    return &hart;
}

void port_relax(void)
{
}

void port_halt(void)
{
    abort();
}

static int setup(void **state)
{
    snapshot_setup(state);
    assert_true(serial_init(NULL, 0));
    return 0;
}

static uint64_t looks_for(size_t characters)
{
    uint64_t before = looks;

    for (size_t i = 0; i < characters; i++)
        port_serial_write("x", 1);
    return looks - before;
}

static void test_a_slow_port_loses_nothing(void **state)
{
    (void)state;
    room_every = LONG;
    for (const char *text = "all of it, however long it takes"; *text; text++)
        port_serial_write(text, 1);
    assert_string_equal(sent, "all of it, however long it takes");
}

/* It costs its patience once, and then one look for each character. */
static void test_a_jammed_port_is_given_up(void **state)
{
    (void)state;
    assert_int_equal(looks_for(1), PATIENCE + 1);
    assert_int_equal(looks_for(1000), 1000);
}

static void test_a_port_that_comes_back_is_used_again(void **state)
{
    (void)state;
    looks_for(10);
    room_every = 1;
    port_serial_write("back", 4);
    assert_string_equal(sent, "back");
    room_every = LONG / 2;
    port_serial_write(" slowly", 7);
    assert_string_equal(sent, "back slowly");
}

/* One that lets a character through now and then is not waited for each time anew. */
static void test_a_port_that_drips_holds_nobody_up(void **state)
{
    (void)state;
    room_every = PATIENCE - 1;
    assert_true(looks_for(1000) < 4 * PATIENCE);
}

/* Who may try again is not kept waiting, and loses nothing to a slow port. */
static void test_putting_does_not_wait(void **state)
{
    const char *text = "sixteen";
    unsigned tries = 0;

    (void)state;
    assert_int_equal(port_serial_put(text, 7), 0);
    assert_int_equal(looks, 1);
    room_every = PATIENCE / 100;
    for (; *text; tries++)
        text += port_serial_put(text, strlen(text));
    assert_string_equal(sent, "sixteen");
    assert_int_equal(looks, tries + 7); /* the last one does not end in vain */
}

static void test_putting_into_a_jam_ends(void **state)
{
    (void)state;
    for (; now < SECOND; now += 1000)
        assert_int_equal(port_serial_put("kept", 4), 0);
    room_every = 1;
    assert_int_equal(port_serial_put("kept", 4), 4);
    room_every = 0;
    for (uint64_t end = now + SECOND; now < end; now += 1000)
        assert_int_equal(port_serial_put("lost", 4), 0);
    now += 1000;
    assert_int_equal(port_serial_put("lost", 4), 0);
    assert_int_equal(port_serial_put("lost", 4), 4);
    assert_string_equal(sent, "kept");
}

/* All ones are a character for ever. */
static void test_a_port_that_never_runs_dry(void **state)
{
    char bytes[100];

    (void)state;
    to_come = UINT64_MAX;
    assert_int_equal(port_serial_read(bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(looks, sizeof bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_slow_port_loses_nothing, setup),
        cmocka_unit_test_setup(test_a_jammed_port_is_given_up, setup),
        cmocka_unit_test_setup(test_a_port_that_comes_back_is_used_again, setup),
        cmocka_unit_test_setup(test_a_port_that_drips_holds_nobody_up, setup),
        cmocka_unit_test_setup(test_putting_does_not_wait, setup),
        cmocka_unit_test_setup(test_putting_into_a_jam_ends, setup),
        cmocka_unit_test_setup(test_a_port_that_never_runs_dry, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
