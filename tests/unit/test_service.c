/* The service ABI. The console, the log, capsules and the scheduler are played here. */
#include "unit.h"
#include "capsule.h"
#include "console.h"
#include "hosted.h"
#include "log.h"
#include "sched.h"
#include "service.h"
#include "service_properties.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define RAM_BASE 0x80000000UL
#define RAM_SIZE 4096UL
#define ALL      (DIOSIX_EVENT_OUTPUT | DIOSIX_EVENT_LOG | DIOSIX_EVENT_CONSOLE)

/* 0 has every property and is the console service, 1 has none. */
static struct capsule made[2];
struct capsule *capsules[CAPSULE_MAX] = {&made[0], &made[1]};
unsigned capsule_count = 2;
static struct vcpu vcpus[2][2];
static uint8_t ram[RAM_SIZE];
static struct hart hart;
static bool again;

/* --- played --- */

static char output[64], input[64], log_text[64], serial_input[64];
static size_t input_room, flushes;
static unsigned acknowledged, forgotten;
static _Atomic bool has_output;
static bool log_was_shown, has_log, has_serial;
static struct capsule *acted_on;
static const char *action;
static enum error action_answer;

void *capsule_memory(const struct capsule *capsule, struct gpa address, uint64_t size)
{
    uint64_t offset = address.value - RAM_BASE;

    assert_ptr_equal(capsule, &made[0]);
    if (address.value < RAM_BASE || offset > RAM_SIZE || size > RAM_SIZE - offset)
        return NULL;
    return ram + offset;
}

static bool memory_comes;

bool capsule_memory_fill(struct capsule *capsule, struct gpa address, uint64_t size)
{
    return memory_comes && size != 0 && capsule_memory(capsule, address, size) != NULL;
}

static enum error act(struct capsule *capsule, const char *name)
{
    acted_on = capsule;
    action = name;
    return action_answer;
}

enum error capsule_stop(struct capsule *capsule)
{
    return act(capsule, "stop");
}

enum error capsule_start(struct capsule *capsule)
{
    return act(capsule, "start");
}

enum error capsule_restart(struct capsule *capsule)
{
    return act(capsule, "restart");
}

enum error capsule_pause(struct capsule *capsule)
{
    return act(capsule, "pause");
}

enum error capsule_resume(struct capsule *capsule)
{
    return act(capsule, "resume");
}

static size_t move_text(char *from, uint8_t *to, size_t count)
{
    if (count > strlen(from))
        count = strlen(from);
    memcpy(to, from, count);
    memmove(from, from + count, strlen(from) + 1 - count);
    return count;
}

struct capsule *console_next_output(void)
{
    return *output ? &made[1] : NULL;
}

bool console_has_output(void)
{
    return has_output;
}

size_t console_show_output(struct capsule *capsule, uint8_t *bytes, size_t count)
{
    assert_ptr_equal(capsule, &made[1]);
    return move_text(output, bytes, count);
}

void console_acknowledge(void)
{
    acknowledged++;
}

void console_forget_shown(void)
{
    forgotten++;
}

size_t console_send_input(struct capsule *capsule, const uint8_t *bytes, size_t count)
{
    assert_ptr_equal(capsule, &made[1]);
    if (count > input_room)
        count = input_room;
    memcpy(input, bytes, count);
    return count;
}

bool console_has_serial(void)
{
    return has_serial;
}

size_t console_take_serial(uint8_t *bytes, size_t count)
{
    return move_text(serial_input, bytes, count);
}

size_t log_read(char *buffer, size_t size, bool *shown)
{
    *shown = log_was_shown;
    return move_text(log_text, (uint8_t *)buffer, size);
}

bool log_pending(void)
{
    return has_log;
}

void log_flush(void)
{
    flushes++;
}

void log_write(const char *format, ...)
{
    (void)format;
}

void panic(const char *format, ...)
{
    fail_msg("panic: %s", format);
    for (;;)
        ;
}

/* What the scheduler does with a vCPU that asks to wait: a wake after that is kept. */
static struct vcpu *blocked, *yielded;
static _Atomic unsigned wakes;
static _Atomic bool may_sleep; /* blocked, and not woken since */
static uint64_t block_deadline;
static void (*before_block)(void), (*after_block)(void); /* what another hart does then */

void sched_block_current(struct vcpu *vcpu, uint64_t deadline)
{
    if (before_block)
        before_block();
    blocked = vcpu;
    block_deadline = deadline;
    may_sleep = true;
    if (after_block)
        after_block();
}

void sched_wake(struct vcpu *vcpu)
{
    if (vcpu == &vcpus[0][0])
        may_sleep = false;
    wakes++;
}

uint64_t sched_times(const struct vcpu *vcpu, uint64_t times[DIOSIX_VCPU_STATES])
{
    memcpy(times, vcpu->times, sizeof(vcpu->times));
    return 12345;
}

void sched_hart_stats(const struct hart *of, struct diosix_hart_stats *stats)
{
    assert_ptr_equal(of, &hart);
    stats->now = 777;
    stats->busy_time = 55;
    stats->capsule = 1;
}

struct hart *harts[HART_MAX] = {&hart};
unsigned hart_count = 1;

void sched_yield_current(struct vcpu *vcpu)
{
    yielded = vcpu;
}

/* --- calls --- */

static struct service_result call_by(unsigned capsule, uint64_t function, uint64_t a0, uint64_t a1,
                                     uint64_t a2)
{
    const uint64_t args[6] = {a0, a1, a2};

    return service_call(&vcpus[capsule][0], function, args, &again);
}

static struct service_result call(uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct service_result result = call_by(0, function, a0, a1, a2);

    assert_int_equal(hart.lock_ranks, 0);
    return result;
}

static int setup_unregistered(void **state)
{
    (void)state;
    service_unregister(&made[0]);
    service_unregister(&made[1]);
    hosted_reset();
    memset(&hart, 0, sizeof(hart));
    hosted_hart = &hart;
    memset(made, 0, sizeof(made));
    memset(ram, 0, sizeof(ram));
    for (unsigned i = 0; i < 2; i++) {
        made[i].id = (int)i;
        made[i].lock = (struct lock)LOCK_INITIALIZER(LOCK_CAPSULE);
        made[i].state = CAPSULE_RUNNING;
        made[i].vcpu_count = made[i].config.cpus = 2;
        for (unsigned v = 0; v < 2; v++) {
            vcpus[i][v] = (struct vcpu){.capsule = &made[i], .id = v};
            made[i].vcpus[v] = &vcpus[i][v];
        }
    }
    made[0].config.properties = UINT64_MAX;
    *output = *log_text = *serial_input = '\0';
    memset(input, 0, sizeof(input));
    input_room = sizeof(input);
    has_output = has_log = has_serial = log_was_shown = false;
    acted_on = NULL;
    action_answer = OK;
    blocked = yielded = NULL;
    before_block = after_block = NULL;
    may_sleep = false;
    wakes = 0;
    flushes = 0;
    return 0;
}

static int setup(void **state)
{
    setup_unregistered(state);
    assert_int_equal(call(DIOSIX_REGISTER_SERVICE, DIOSIX_SERVICE_CONSOLE, 0, 0).error, 0);
    return 0;
}

static void test_each_call_needs_its_property(void **state)
{
    (void)state;
    for (uint64_t f = 0; f < DIOSIX_FUNCTION_COUNT; f++) {
        made[0].config.properties = ~needed[f];
        if (needed[f])
            assert_int_equal(call(f, RAM_BASE, 1, 1).error, DIOSIX_ERR_DENIED);
        made[0].config.properties = f == DIOSIX_VCPU_STATS ? DIOSIX_PROPERTY_STATS_READ : needed[f];
        assert_int_not_equal(call(f, RAM_BASE, 1, 1).error, DIOSIX_ERR_DENIED);
    }
}

static void test_some_calls_need_registration(void **state)
{
    (void)state;
    for (uint64_t f = 0; f < DIOSIX_FUNCTION_COUNT; f++)
        assert_int_equal(call(f, RAM_BASE, 1, 1).error == DIOSIX_ERR_DENIED, needs_registration[f]);
}

static void test_denied_call_does_nothing(void **state)
{
    (void)state;
    strcpy(output, "secret");
    assert_int_equal(call_by(1, DIOSIX_REGISTER_SERVICE, 0, 0, 0).error, DIOSIX_ERR_DENIED);
    assert_ptr_equal(service_registered(DIOSIX_SERVICE_CONSOLE), &made[0]);
    assert_int_equal(call_by(1, DIOSIX_CAPSULE_CONTROL, 0, 0, 0).error, DIOSIX_ERR_DENIED);
    assert_null(acted_on);
    struct service_result result = call_by(1, DIOSIX_GETC, 0, 0, 0);

    assert_int_equal(result.error, DIOSIX_ERR_DENIED);
    assert_int_equal(result.value, 0);
    assert_string_equal(output, "secret");
}

static void test_unknown_functions(void **state)
{
    (void)state;
    assert_int_equal(call(DIOSIX_FUNCTION_COUNT, 0, 0, 0).error, DIOSIX_ERR_NOT_SUPPORTED);
    assert_int_equal(call(UINT64_MAX, 0, 0, 0).error, DIOSIX_ERR_NOT_SUPPORTED);
}

static void test_one_console_service(void **state)
{
    (void)state;
    made[1].config.properties = UINT64_MAX;
    assert_int_equal(call(DIOSIX_REGISTER_SERVICE, 1, 0, 0).error, DIOSIX_ERR_INVALID_PARAM);
    assert_int_equal(call(DIOSIX_REGISTER_SERVICE, 0, 0, 0).error, 0);
    assert_ptr_equal(service_registered(DIOSIX_SERVICE_CONSOLE), &made[0]);
    assert_null(service_registered(1));
    assert_int_equal(call_by(1, DIOSIX_REGISTER_SERVICE, 0, 0, 0).error,
                     DIOSIX_ERR_ALREADY_AVAILABLE);
    service_unregister(&made[1]); /* somebody else's end */
    assert_ptr_equal(service_registered(DIOSIX_SERVICE_CONSOLE), &made[0]);
    assert_int_equal(flushes, 0);
    service_unregister(&made[0]);
    assert_null(service_registered(DIOSIX_SERVICE_CONSOLE));
    assert_int_equal(flushes, 1); /* the log goes to the serial port again */
    assert_int_equal(call_by(1, DIOSIX_REGISTER_SERVICE, 0, 0, 0).error, 0);
}

/* The property makes a capsule one that may register. What the one that did was shown is not
 * another's to take or to acknowledge. */
static void test_only_the_registered_one_is_the_console(void **state)
{
    static const uint64_t functions[] = {DIOSIX_PUTC, DIOSIX_GETC, DIOSIX_OUTPUT_READ,
                                         DIOSIX_INPUT_WRITE};
    unsigned before = acknowledged, forgot = forgotten;

    (void)state;
    made[1].config.properties = UINT64_MAX;
    strcpy(output, "secret");
    has_output = true;
    for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        assert_int_equal(call_by(1, functions[i], 'x', 1, 0).error, DIOSIX_ERR_DENIED);
        assert_int_not_equal(call(functions[i], RAM_BASE, 0, 1).error, DIOSIX_ERR_DENIED);
        strcpy(output, "secret");
        before = acknowledged;
    }
    assert_int_equal(call_by(1, DIOSIX_WAIT, ALL, UINT64_MAX, 0).value, 0);
    assert_true(again);
    assert_int_equal(acknowledged, before);
    service_notify(DIOSIX_EVENT_OUTPUT);
    assert_int_equal(wakes, 0);
    service_unregister(&made[1]); /* its end is not the other's */
    assert_int_equal(forgotten, forgot);
    assert_string_equal(output, "secret");
    assert_string_equal(input, "");
    service_unregister(&made[0]);
    assert_int_equal(forgotten, forgot + 1);
    assert_int_equal(call(DIOSIX_GETC, 0, 0, 0).error, DIOSIX_ERR_DENIED);
    assert_int_equal(call_by(1, DIOSIX_REGISTER_SERVICE, 0, 0, 0).error, 0);
    assert_int_equal(call_by(1, DIOSIX_GETC, 0, 0, 0).value, 's');
}

static void test_single_characters(void **state)
{
    struct service_result result;

    (void)state;
    result = call(DIOSIX_GETC, 0, 0, 0);
    assert_true(result.error == 0 && result.value == UINT64_MAX);
    strcpy(output, "\xff");
    result = call(DIOSIX_GETC, 0, 0, 0);
    assert_true(result.error == 0 && result.value == 0xff && result.extra == 1);

    assert_int_equal(call(DIOSIX_PUTC, 'x', 1, 0).error, 0);
    assert_string_equal(input, "x");
    assert_int_equal(call(DIOSIX_PUTC, 256, 1, 0).error, DIOSIX_ERR_INVALID_PARAM);
    assert_int_equal(call(DIOSIX_PUTC, 'x', 2, 0).error, DIOSIX_ERR_INVALID_PARAM);
    assert_int_equal(call(DIOSIX_PUTC, 'x', UINT64_MAX, 0).error, DIOSIX_ERR_INVALID_PARAM);
    input_room = 0;
    assert_int_equal(call(DIOSIX_PUTC, 'x', 1, 0).error, DIOSIX_ERR_FAILED);

    assert_true(call(DIOSIX_LOG_GETC, 0, 0, 0).value == UINT64_MAX);
    strcpy(log_text, "L");
    log_was_shown = true;
    result = call(DIOSIX_LOG_GETC, 0, 0, 0);
    assert_true(result.value == 'L' && result.extra == 1);
}

/* Each call that reads output, or waits for it, says that the last piece has been shown. */
static void test_reading_on_acknowledges(void **state)
{
    static const uint64_t functions[] = {DIOSIX_OUTPUT_READ, DIOSIX_GETC};

    (void)state;
    for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        unsigned before = acknowledged;

        call(functions[i], RAM_BASE, 8, 0);
        assert_int_equal(acknowledged, before + 1);
    }
    unsigned before = acknowledged;

    call(DIOSIX_OUTPUT_READ, 1, 8, 0); /* a bad address: nothing is done */
    call(DIOSIX_WAIT, DIOSIX_EVENT_LOG, 0, 0);
    call(DIOSIX_CONSOLE_WRITE, RAM_BASE, 8, 0);
    assert_int_equal(acknowledged, before);
    call(DIOSIX_WAIT, DIOSIX_EVENT_OUTPUT, 0, 0);
    assert_int_equal(acknowledged, before + 1);
    before = forgotten;
    service_unregister(&made[1]);
    assert_int_equal(forgotten, before);
    service_unregister(&made[0]);
    assert_int_equal(forgotten, before + 1);
}

static void test_bulk(void **state)
{
    struct service_result result;

    (void)state;
    strcpy(output, "hello");
    result = call(DIOSIX_OUTPUT_READ, RAM_BASE + 16, 3, 0);
    assert_true(result.error == 0 && result.value == 3 && result.extra == 1);
    assert_memory_equal(ram + 15, "\0hel\0", 5);
    call(DIOSIX_OUTPUT_READ, RAM_BASE, 100, 0);
    result = call(DIOSIX_OUTPUT_READ, RAM_BASE, 100, 0);
    assert_true(result.error == 0 && result.value == 0 && result.extra == DIOSIX_NO_CAPSULE);

    strcpy((char *)ram, "root\r");
    input_room = 3;
    assert_int_equal(call(DIOSIX_INPUT_WRITE, RAM_BASE, 5, 1).value, 3);
    assert_string_equal(input, "roo");
    assert_int_equal(call(DIOSIX_INPUT_WRITE, RAM_BASE, 5, 2).error, DIOSIX_ERR_INVALID_PARAM);

    strcpy(log_text, "[1] text\n");
    log_was_shown = true;
    result = call(DIOSIX_LOG_READ, RAM_BASE, 100, 0);
    assert_true(result.error == 0 && result.value == 9 && result.extra == 1);
    assert_memory_equal(ram, "[1] text\n", 9);

    strcpy(serial_input, "keys");
    result = call(DIOSIX_CONSOLE_READ, RAM_BASE, 100, 0);
    assert_int_equal(result.value, 4);
    assert_memory_equal(ram, "keys", 4);
}

static void test_console_write_takes_a_little_at_a_time(void **state)
{
    struct service_result result;

    (void)state;
    memset(ram, 'x', RAM_SIZE);
    result = call(DIOSIX_CONSOLE_WRITE, RAM_BASE, RAM_SIZE, 0);
    assert_true(result.error == 0 && result.value > 0 && result.value <= 128);
    assert_int_equal(hosted_serial_written, result.value);
    hosted_serial_room = 5; /* nobody waits for more */
    assert_int_equal(call(DIOSIX_CONSOLE_WRITE, RAM_BASE, RAM_SIZE, 0).value, 5);
    assert_int_equal(hosted_serial_written, result.value + 5);
}

static void test_buffers_lie_in_the_callers_ram(void **state)
{
    static const uint64_t functions[] = {DIOSIX_OUTPUT_READ, DIOSIX_INPUT_WRITE, DIOSIX_LOG_READ,
                                         DIOSIX_CONSOLE_WRITE, DIOSIX_CONSOLE_READ};
    static const uint64_t bad[][2] = {
        {0, 1},
        {RAM_BASE - 1, 2},
        {RAM_BASE + RAM_SIZE, 1},
        {RAM_BASE, RAM_SIZE + 1},
        {RAM_BASE + RAM_SIZE - 1, 2},
        {UINT64_MAX, 2},
        {RAM_BASE + 1, UINT64_MAX},
    };

    (void)state;
    strcpy(output, "text");
    strcpy(log_text, "text");
    strcpy(serial_input, "text");
    for (unsigned f = 0; f < sizeof(functions) / sizeof(functions[0]); f++) {
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
            assert_int_equal(call(functions[f], bad[i][0], bad[i][1], 1).error,
                             DIOSIX_ERR_INVALID_ADDRESS);
        assert_int_equal(call(functions[f], 0, 0, 1).error, 0); /* nothing of it is touched */
    }
    assert_int_equal(call(DIOSIX_CAPSULE_INFO, 0, RAM_BASE + RAM_SIZE - 8, 0).error,
                     DIOSIX_ERR_INVALID_ADDRESS);
    assert_string_equal(output, "text");
    assert_string_equal(log_text, "text");
    assert_string_equal(serial_input, "text");
    assert_string_equal(input, "");
}

/* The call is repeated until it is there, and has done nothing so far. */
static void test_buffers_in_memory_that_comes(void **state)
{
    static const uint64_t functions[] = {DIOSIX_OUTPUT_READ, DIOSIX_INPUT_WRITE, DIOSIX_LOG_READ,
                                         DIOSIX_CONSOLE_WRITE, DIOSIX_CONSOLE_READ};

    (void)state;
    strcpy(output, "text");
    strcpy(log_text, "text");
    strcpy(serial_input, "text");
    memory_comes = true;
    for (unsigned f = 0; f < sizeof(functions) / sizeof(functions[0]); f++) {
        (void)call(functions[f], RAM_BASE, 4, 1);
        assert_true(again);
    }
    (void)call(DIOSIX_CAPSULE_INFO, 0, RAM_BASE, 0);
    assert_true(again);
    memory_comes = false;
    assert_string_equal(output, "text");
    assert_string_equal(log_text, "text");
    assert_string_equal(serial_input, "text");
    assert_string_equal(input, "");
    assert_int_equal(call(DIOSIX_OUTPUT_READ, RAM_BASE, 4, 1).error, 0);
    assert_false(again);
}

static void test_capsule_info(void **state)
{
    struct diosix_capsule_info info;

    (void)state;
    strcpy(made[1].config.name, "linux");
    strcpy(made[1].config.description, "a guest");
    made[1].config.ram = 5UL << 20;
    made[1].config.cpus = 3;
    made[1].config.weight = 200;
    made[1].config.properties = 1;
    made[1].state = CAPSULE_PAUSED;
    made[1].restarts = 4;
    made[1].past_run_time = 1000;
    vcpus[1][0].times[VCPU_RUNNING] = 20;
    vcpus[1][1].times[VCPU_RUNNING] = 3;
    assert_int_equal(call(DIOSIX_CAPSULE_INFO, 1, RAM_BASE + 1, 0).error, 0); /* unaligned */
    memcpy(&info, ram + 1, sizeof(info));
    assert_int_equal(info.id, 1);
    assert_string_equal(info.name, "linux");
    assert_string_equal(info.description, "a guest");
    assert_int_equal(info.state, DIOSIX_CAPSULE_PAUSED);
    assert_int_equal(info.is_service, 0);
    assert_int_equal(info.vcpus, 3);
    assert_int_equal(info.weight, 200);
    assert_int_equal(info.restarts, 4);
    assert_int_equal(info.properties, 1);
    assert_int_equal(info.ram, 5UL << 20);
    assert_int_equal(info.run_time, 1023);
    assert_int_equal(info.frequency, HOSTED_FREQUENCY);
    assert_int_equal(call(DIOSIX_CAPSULE_INFO, 2, RAM_BASE, 0).error, DIOSIX_ERR_INVALID_PARAM);
}

/* --- statistics --- */

static struct service_result stats_of(unsigned caller, uint64_t capsule, uint64_t vcpu,
                                      uint64_t buffer, uint64_t size)
{
    const uint64_t args[6] = {capsule, vcpu, buffer, size};
    struct service_result result = service_call(&vcpus[caller][0], DIOSIX_VCPU_STATS, args, &again);

    assert_int_equal(hart.lock_ranks, 0);
    return result;
}

static void test_vcpu_stats(void **state)
{
    static struct hart fourth = {.index = 4};
    struct vcpu *vcpu = &vcpus[1][1];
    struct diosix_vcpu_stats stats;

    (void)state;
    vcpu->run = VCPU_WAITING;
    vcpu->hart = &fourth;
    for (unsigned i = 0; i < DIOSIX_VCPU_STATES; i++)
        vcpu->times[i] = 100 + i;
    for (unsigned i = 0; i < DIOSIX_EXIT_COUNT; i++)
        for (unsigned n = 0; n < i * i; n++)
            vcpu_count_exit(vcpu, i);
    vcpu->counts.switches = 1;
    vcpu->counts.migrations = 2;
    vcpu->counts.preemptions = 3;
    vcpu->counts.exceptions = 4;
    vcpu->counts.fences = 5;
    memset(ram, 0xaa, sizeof(ram));
    assert_int_equal(stats_of(0, 1, 1, RAM_BASE + 3, sizeof(stats)).value, sizeof(stats));
    memcpy(&stats, ram + 3, sizeof(stats)); /* unaligned */
    assert_int_equal(stats.now, 12345);
    assert_int_equal(stats.state, DIOSIX_VCPU_IDLE);
    assert_int_equal(stats.hart, 4);
    for (unsigned i = 0; i < DIOSIX_VCPU_STATES; i++)
        assert_int_equal(stats.times[i], 100 + i);
    assert_int_equal(stats.switches, 1);
    assert_int_equal(stats.migrations, 2);
    assert_int_equal(stats.preemptions, 3);
    assert_int_equal(stats.exceptions, 4);
    assert_int_equal(stats.fences, 5);
    for (unsigned i = 0; i < DIOSIX_EXIT_ROOM; i++)
        assert_int_equal(stats.exits[i], i < DIOSIX_EXIT_COUNT ? i * i : 0);
    assert_int_equal(ram[2], 0xaa);
    assert_int_equal(ram[3 + sizeof(stats)], 0xaa);
}

/* A caller of another version gives its structure's size, and no byte behind that is written. */
static void test_vcpu_stats_of_another_version(void **state)
{
    uint8_t shorter[20];

    (void)state;
    memset(ram, 0xaa, sizeof(ram));
    assert_int_equal(stats_of(0, 1, 0, RAM_BASE, 2048).value, sizeof(struct diosix_vcpu_stats));
    assert_int_equal(ram[sizeof(struct diosix_vcpu_stats)], 0xaa);
    memcpy(shorter, ram, sizeof(shorter));
    memset(ram, 0xaa, sizeof(ram));
    assert_int_equal(stats_of(0, 1, 0, RAM_BASE, sizeof(shorter)).value, sizeof(shorter));
    assert_memory_equal(ram, shorter, sizeof(shorter));
    assert_int_equal(ram[sizeof(shorter)], 0xaa);
    assert_int_equal(stats_of(0, 1, 0, 0, 0).error, 0); /* nothing, nowhere */
    assert_int_equal(stats_of(0, 1, 0, RAM_BASE, UINT64_MAX).value,
                     sizeof(struct diosix_vcpu_stats));
}

static void test_vcpu_stats_refused(void **state)
{
    static const uint64_t wrong[] = {2, 3, 64, 1UL << 32, UINT64_MAX - 1};
    uint64_t size = sizeof(struct diosix_vcpu_stats);

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(stats_of(0, wrong[i], 0, RAM_BASE, size).error, DIOSIX_ERR_INVALID_PARAM);
        assert_int_equal(stats_of(0, 1, wrong[i], RAM_BASE, size).error, DIOSIX_ERR_INVALID_PARAM);
    }
    assert_int_equal(stats_of(0, 1, 0, RAM_BASE - 1, size).error, DIOSIX_ERR_INVALID_ADDRESS);
    assert_int_equal(stats_of(0, 1, 0, RAM_BASE + RAM_SIZE - size + 1, size).error,
                     DIOSIX_ERR_INVALID_ADDRESS);
    made[1].vcpu_count = 0; /* it has ended */
    assert_int_equal(stats_of(0, 1, 0, RAM_BASE, size).error, DIOSIX_ERR_INVALID_STATE);
    for (unsigned i = 0; i < RAM_SIZE; i++)
        assert_int_equal(ram[i], 0);
}

/* A capsule's own counters are its own business. */
static void test_vcpu_stats_of_others_need_the_property(void **state)
{
    uint64_t size = sizeof(struct diosix_vcpu_stats);

    (void)state;
    made[0].config.properties = ~DIOSIX_PROPERTY_STATS_READ;
    assert_int_equal(stats_of(0, 1, 0, RAM_BASE, size).error, DIOSIX_ERR_DENIED);
    assert_int_equal(stats_of(0, 1, 9, 0, size).error, DIOSIX_ERR_DENIED);
    assert_int_equal(stats_of(0, 2, 0, RAM_BASE, size).error, DIOSIX_ERR_DENIED); /* is it there? */
    assert_int_equal(stats_of(0, 0, 1, RAM_BASE, size).value, size);
    assert_int_equal(stats_of(0, DIOSIX_SELF, 1, RAM_BASE, size).value, size);
    assert_int_equal(stats_of(0, DIOSIX_SELF, 2, RAM_BASE, size).error, DIOSIX_ERR_INVALID_PARAM);
    made[0].config.properties = DIOSIX_PROPERTY_STATS_READ;
    assert_int_equal(stats_of(0, 1, 0, RAM_BASE, size).value, size);
}

static void test_hart_stats(void **state)
{
    struct diosix_hart_stats stats;
    uint64_t size = sizeof(stats);

    (void)state;
    hart.id = 9;
    hart.runs_guests = true;
    atomic_store(&hart.online, true);
    ram[1 + size] = 0xaa;
    assert_int_equal(call(DIOSIX_HART_STATS, 0, RAM_BASE + 1, UINT64_MAX).value, size);
    memcpy(&stats, ram + 1, size);
    assert_int_equal(ram[1 + size], 0xaa);
    assert_int_equal(stats.id, 9);
    assert_int_equal(stats.online, 1);
    assert_int_equal(stats.runs_guests, 1);
    assert_int_equal(stats.now, 777);
    assert_int_equal(stats.busy_time, 55);
    assert_int_equal(stats.capsule, 1);
    memset(ram, 0, sizeof(ram));
    assert_int_equal(call(DIOSIX_HART_STATS, 0, RAM_BASE, 9).value, 9);
    assert_int_equal(ram[8], 9);
    assert_int_equal(ram[16], 0);
    assert_int_equal(call(DIOSIX_HART_STATS, 1, RAM_BASE, size).error, DIOSIX_ERR_INVALID_PARAM);
    assert_int_equal(call(DIOSIX_HART_STATS, UINT64_MAX, RAM_BASE, size).error,
                     DIOSIX_ERR_INVALID_PARAM);
    assert_int_equal(call(DIOSIX_HART_STATS, 0, RAM_BASE + RAM_SIZE - size + 1, size).error,
                     DIOSIX_ERR_INVALID_ADDRESS);
}

/* --- the trace --- */

static struct service_result read_trace(uint64_t buffer, uint64_t size, uint64_t first)
{
    const uint64_t args[6] = {0, buffer, size, first};
    struct service_result result = service_call(&vcpus[0][0], DIOSIX_TRACE_READ, args, &again);

    return result;
}

static void note(uint64_t count)
{
    while (count--) {
        hosted_time++;
        trace_note(DIOSIX_EXIT_WFI, &vcpus[1][1], 1000 + hosted_time, 2000 + hosted_time);
    }
}

#define ENTRY sizeof(struct diosix_trace_entry)

static void test_trace_is_read_in_order(void **state)
{
    struct diosix_trace_entry entries[3];
    struct service_result result;

    (void)state;
    hosted_time = 0;
    note(3);
    trace_note(DIOSIX_TRACE_KICK, NULL, 0, 7);
    memset(ram, 0xaa, sizeof(ram));
    result = read_trace(RAM_BASE + 1, 3 * ENTRY + ENTRY - 1, 0); /* whole entries only */
    assert_int_equal(result.error, 0);
    assert_int_equal(result.value, 3 * ENTRY);
    assert_int_equal(result.extra, 0);
    memcpy(entries, ram + 1, sizeof(entries));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(entries[i].time, i + 1);
        assert_int_equal(entries[i].event, DIOSIX_EXIT_WFI);
        assert_int_equal(entries[i].capsule, 1);
        assert_int_equal(entries[i].vcpu, 1);
        assert_int_equal(entries[i].pc, 1001 + i);
        assert_int_equal(entries[i].value, 2001 + i);
    }
    assert_int_equal(ram[1 + sizeof(entries)], 0xaa);
    result = read_trace(RAM_BASE, 8 * ENTRY, 3);
    assert_int_equal(result.value, ENTRY);
    memcpy(entries, ram, ENTRY);
    assert_int_equal(entries[0].event, DIOSIX_TRACE_KICK);
    assert_int_equal(entries[0].capsule, 65535);
    assert_int_equal(entries[0].value, 7);
    assert_int_equal(read_trace(RAM_BASE, 8 * ENTRY, 4).value, 0);
    assert_int_equal(read_trace(RAM_BASE, 8 * ENTRY, UINT64_MAX).value, 0);
}

static void test_trace_forgets_the_oldest(void **state)
{
    struct diosix_trace_entry entry;
    struct service_result result;
    uint64_t first = 0, last = 0;

    (void)state;
    hosted_time = 0;
    note(3 * TRACE_SIZE + 5);
    while ((result = read_trace(RAM_BASE, RAM_SIZE, first)).value) {
        assert_in_range(result.value, ENTRY, 32 * ENTRY); /* it is cut into short calls */
        assert_true(result.extra >= first);
        for (uint64_t i = 0; i < result.value / ENTRY; i++) {
            memcpy(&entry, ram + i * ENTRY, ENTRY);
            assert_int_equal(entry.time, result.extra + i + 1);
            assert_true(last == 0 || entry.time == last + 1);
            last = entry.time;
        }
        if (first == 0)
            assert_int_equal(result.extra, 2 * TRACE_SIZE + 6);
        first = result.extra + result.value / ENTRY;
    }
    assert_int_equal(first, 3 * TRACE_SIZE + 5);
}

static _Atomic bool writer_done;

static void *write_trace(void *argument)
{
    hosted_hart = argument;
    for (uint64_t i = 0; i < 200 * TRACE_SIZE; i++)
        trace_note(DIOSIX_EXIT_WFI, &vcpus[1][1], i, i);
    writer_done = true;
    return NULL;
}

/* What a reader gets while the hart writes is whole and has its number. */
static void test_trace_is_read_while_it_is_written(void **state)
{
    struct diosix_trace_entry entries[16];
    uint64_t first = 0, got = 0, count;
    pthread_t writer;
    bool done;

    (void)state;
    writer_done = false;
    pthread_create(&writer, NULL, write_trace, &hart);
    do {
        done = writer_done; /* before the look at what it has written */
        count = trace_read(&hart, &first, entries, 16);
        for (uint64_t i = 0; i < count; i++) {
            assert_int_equal(entries[i].pc, first + i);
            assert_int_equal(entries[i].value, first + i);
        }
        first += count;
        got += count;
    } while (count || !done);
    pthread_join(writer, NULL);
    assert_int_equal(first, 200 * TRACE_SIZE);
    assert_true(got >= TRACE_SIZE - 1);
}

static void test_trace_read_refused(void **state)
{
    const uint64_t no_hart[6] = {1, RAM_BASE, ENTRY};

    (void)state;
    note(5);
    assert_int_equal(read_trace(RAM_BASE + RAM_SIZE - ENTRY + 1, ENTRY, 0).error,
                     DIOSIX_ERR_INVALID_ADDRESS);
    assert_int_equal(read_trace(RAM_BASE, RAM_SIZE + 1, 0).error, DIOSIX_ERR_INVALID_ADDRESS);
    assert_int_equal(read_trace(0, 0, 0).value, 0);
    assert_int_equal(service_call(&vcpus[0][0], DIOSIX_TRACE_READ, no_hart, &again).error,
                     DIOSIX_ERR_INVALID_PARAM);
}

static void test_capsule_control(void **state)
{
    static const char *const names[] = {"stop", "start", "restart", "pause", "resume"};

    (void)state;
    for (uint64_t i = 0; i < DIOSIX_CONTROL_COUNT; i++) {
        assert_int_equal(call(DIOSIX_CAPSULE_CONTROL, 1, i, 0).error, 0);
        assert_string_equal(action, names[i]);
        assert_ptr_equal(acted_on, &made[1]);
    }
    action_answer = ERROR_BAD_STATE;
    assert_int_equal(call(DIOSIX_CAPSULE_CONTROL, 1, 0, 0).error, DIOSIX_ERR_INVALID_STATE);
    action_answer = ERROR_NO_MEMORY;
    assert_int_equal(call(DIOSIX_CAPSULE_CONTROL, 1, 0, 0).error, DIOSIX_ERR_FAILED);
    acted_on = NULL;
    assert_int_equal(call(DIOSIX_CAPSULE_CONTROL, 2, 0, 0).error, DIOSIX_ERR_INVALID_PARAM);
    assert_int_equal(call(DIOSIX_CAPSULE_CONTROL, 1, 5, 0).error, DIOSIX_ERR_INVALID_PARAM);
    assert_int_equal(call(DIOSIX_CAPSULE_CONTROL, 1, 1UL << 32, 0).error, DIOSIX_ERR_INVALID_PARAM);
    assert_null(acted_on);
}

static void test_yield(void **state)
{
    (void)state;
    assert_int_equal(call_by(1, DIOSIX_YIELD, 0, 0, 0).error, 0);
    assert_ptr_equal(yielded, &vcpus[1][0]);
}

/* --- waiting --- */

static void test_wait_answers_pending_events(void **state)
{
    (void)state;
    has_output = has_serial = true;
    assert_int_equal(call(DIOSIX_WAIT, ALL, UINT64_MAX, 0).value,
                     DIOSIX_EVENT_OUTPUT | DIOSIX_EVENT_CONSOLE);
    assert_int_equal(call(DIOSIX_WAIT, DIOSIX_EVENT_CONSOLE, UINT64_MAX, 0).value,
                     DIOSIX_EVENT_CONSOLE);
    assert_false(again);
    assert_null(blocked);
    assert_int_equal(call(DIOSIX_WAIT, 8, 0, 0).error, DIOSIX_ERR_INVALID_PARAM);
}

static void test_wait_ends_at_its_deadline(void **state)
{
    struct service_result result;

    (void)state;
    hosted_time = 100;
    call(DIOSIX_WAIT, ALL, 101, 0);
    assert_true(again);
    assert_ptr_equal(blocked, &vcpus[0][0]);
    assert_int_equal(block_deadline, 101);
    hosted_time = 101;
    blocked = NULL;
    result = call(DIOSIX_WAIT, ALL, 101, 0); /* repeated */
    assert_true(!again && result.error == 0 && result.value == 0);
    assert_null(blocked);
}

static void test_events_without_property_never_come(void **state)
{
    (void)state;
    has_output = has_log = has_serial = true;
    call_by(1, DIOSIX_WAIT, ALL, UINT64_MAX, 0);
    assert_true(again);
    service_notify(ALL);
    assert_int_equal(wakes, 0); /* it does not even learn when they come */
}

static void test_notify_wakes_those_who_wait_for_it(void **state)
{
    (void)state;
    service_notify(ALL);
    assert_int_equal(wakes, 0);
    call(DIOSIX_WAIT, DIOSIX_EVENT_LOG, UINT64_MAX, 0);
    service_notify(DIOSIX_EVENT_OUTPUT);
    assert_int_equal(wakes, 0);
    service_notify(DIOSIX_EVENT_LOG);
    assert_int_equal(wakes, 2); /* both vCPUs of capsule 0, none of 1 */
    assert_false(may_sleep);
    service_notify(DIOSIX_EVENT_LOG);
    assert_int_equal(wakes, 2); /* nobody has waited since */
}

static void test_ended_capsule_is_not_woken(void **state)
{
    (void)state;
    call(DIOSIX_WAIT, ALL, UINT64_MAX, 0);
    service_unregister(&made[0]);
    made[0].vcpus[0] = made[0].vcpus[1] = NULL; /* freed */
    service_notify(ALL);
    assert_int_equal(wakes, 0);
}

/* The guest's printing on another hart, at the worst moments. */
static void guest_prints(void)
{
    has_output = true;
    service_notify(DIOSIX_EVENT_OUTPUT);
}

static void test_event_before_the_block_is_not_lost(void **state)
{
    (void)state;
    before_block = guest_prints;
    call(DIOSIX_WAIT, ALL, UINT64_MAX, 0);
    assert_true(again);
    assert_false(may_sleep);
}

static void test_event_after_the_block_is_not_lost(void **state)
{
    (void)state;
    after_block = guest_prints;
    call(DIOSIX_WAIT, ALL, UINT64_MAX, 0);
    assert_true(again);
    assert_false(may_sleep);
}

/* Two harts, freely: whenever the waiter may sleep, no event is pending that nobody tells it of. */
static void *print_often(void *done)
{
    for (unsigned i = 0; i < 20000; i++) {
        while (has_output)
            port_relax();
        guest_prints();
    }
    *(_Atomic bool *)done = true;
    return NULL;
}

static void test_no_event_is_lost_between_two_harts(void **state)
{
    static _Atomic bool done;
    pthread_t printer;
    const uint64_t args[6] = {DIOSIX_EVENT_OUTPUT, UINT64_MAX};
    unsigned stuck = 0;

    (void)state;
    done = false;
    pthread_create(&printer, NULL, print_often, &done);
    while (!done && stuck < 10000000) {
        if (service_call(&vcpus[0][0], DIOSIX_WAIT, args, &again).value) {
            has_output = false;
            stuck = 0;
            continue;
        }
        while (may_sleep && !done && ++stuck < 10000000)
            port_relax();
    }
    assert_true(done); /* else the last event was lost, and the printer waits for ever */
    pthread_join(printer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_call_needs_its_property, setup),
        cmocka_unit_test_setup(test_some_calls_need_registration, setup_unregistered),
        cmocka_unit_test_setup(test_denied_call_does_nothing, setup),
        cmocka_unit_test_setup(test_unknown_functions, setup),
        cmocka_unit_test_setup(test_one_console_service, setup_unregistered),
        cmocka_unit_test_setup(test_only_the_registered_one_is_the_console, setup),
        cmocka_unit_test_setup(test_single_characters, setup),
        cmocka_unit_test_setup(test_reading_on_acknowledges, setup),
        cmocka_unit_test_setup(test_bulk, setup),
        cmocka_unit_test_setup(test_console_write_takes_a_little_at_a_time, setup),
        cmocka_unit_test_setup(test_buffers_lie_in_the_callers_ram, setup),
        cmocka_unit_test_setup(test_buffers_in_memory_that_comes, setup),
        cmocka_unit_test_setup(test_capsule_info, setup),
        cmocka_unit_test_setup(test_vcpu_stats, setup),
        cmocka_unit_test_setup(test_vcpu_stats_of_another_version, setup),
        cmocka_unit_test_setup(test_vcpu_stats_refused, setup),
        cmocka_unit_test_setup(test_vcpu_stats_of_others_need_the_property, setup),
        cmocka_unit_test_setup(test_hart_stats, setup),
        cmocka_unit_test_setup(test_trace_is_read_in_order, setup),
        cmocka_unit_test_setup(test_trace_forgets_the_oldest, setup),
        cmocka_unit_test_setup(test_trace_is_read_while_it_is_written, setup),
        cmocka_unit_test_setup(test_trace_read_refused, setup),
        cmocka_unit_test_setup(test_capsule_control, setup),
        cmocka_unit_test_setup(test_yield, setup),
        cmocka_unit_test_setup(test_wait_answers_pending_events, setup),
        cmocka_unit_test_setup(test_wait_ends_at_its_deadline, setup),
        cmocka_unit_test_setup(test_events_without_property_never_come, setup),
        cmocka_unit_test_setup(test_notify_wakes_those_who_wait_for_it, setup),
        cmocka_unit_test_setup(test_ended_capsule_is_not_woken, setup),
        cmocka_unit_test_setup(test_event_before_the_block_is_not_lost, setup),
        cmocka_unit_test_setup(test_event_after_the_block_is_not_lost, setup),
        cmocka_unit_test_setup(test_no_event_is_lost_between_two_harts, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
