/*
 * Each function is a row in a table: who may call it and the code that decodes all of its arguments
 * before it changes anything.
 *
 * Waiting, and why no event is lost. DIOSIX_WAIT is level-triggered: it answers at once while there
 * is something to read, so only an event that comes between that look and the wait matters.
 *
 *      the waiter                                   whoever causes an event
 *   1. sched_block_current(): it will wait       a. stores the bytes
 *   2. sets its capsule's bit in waiters[]       b. full fence
 *   3. full fence                                c. reads waiters[]: if the bit is there, clears
 *   4. looks for bytes again; if there are          it and wakes the capsule's vCPUs
 *      some, wakes itself
 *
 * The fences have one order. If b comes before 3, the look in 4 sees the bytes of a. If 3 comes
 * before b, c sees the bit, and because 1 came before 2 the wake finds a vCPU that has announced
 * its wait: the scheduler keeps such a wake (wake_pending) until the vCPU has left its hart, and
 * then does not let it wait. Either way the call is repeated, and looks again.
 *
 * A bit in waiters[] also keeps the capsule's vCPUs from being freed under the one who wakes
 * them: both the wake and service_unregister(), which clears the bit and comes before freeing,
 * hold LOCK_SERVICE.
 */
#include "console.h"
#include "log.h"
#include "port.h"
#include "sched.h"
#include "service_call.h"

/* The serial port may be slow: 128 bytes take 11 ms at 115200 baud, in which the hart does
 * nothing else. */
#define CONSOLE_WRITE_MAX 128

#define EVENT_COUNT 3
#define EVENT_ALL   (DIOSIX_EVENT_OUTPUT | DIOSIX_EVENT_LOG | DIOSIX_EVENT_CONSOLE)

static struct lock lock = LOCK_INITIALIZER(LOCK_SERVICE);
static struct capsule *_Atomic console_service; /* written under the lock */
static _Atomic uint64_t waiters[EVENT_COUNT];   /* for each event, a bit for each capsule */

_Static_assert(CAPSULE_MAX <= 64, "waiters[] has one bit for each capsule");

struct capsule *service_registered(unsigned type)
{
    return type == DIOSIX_SERVICE_CONSOLE ? atomic_load(&console_service) : NULL;
}

/* It stays so while one of its vCPUs runs: only its end changes it. */
static bool is_console_service(const struct capsule *capsule)
{
    return atomic_load(&console_service) == capsule;
}

/* The capsules that wait for one of these events, and no longer do. Holding LOCK_SERVICE. */
static uint64_t take_waiters(uint64_t events)
{
    uint64_t waiting = 0;

    for (unsigned event = 0; event < EVENT_COUNT; event++)
        if (events >> event & 1)
            waiting |= atomic_exchange(&waiters[event], 0);
    return waiting;
}

static bool anybody_waits(uint64_t events)
{
    for (unsigned event = 0; event < EVENT_COUNT; event++)
        if ((events >> event & 1) && atomic_load(&waiters[event]))
            return true;
    return false;
}

void service_notify(uint64_t events)
{
    atomic_thread_fence(memory_order_seq_cst); /* b in the essay above */
    if (!anybody_waits(events))
        return;
    lock_acquire(&lock);
    uint64_t waiting = take_waiters(events);

    for (unsigned i = 0; i < capsule_count; i++)
        if (waiting >> i & 1)
            for (unsigned v = 0; v < capsules[i]->vcpu_count; v++)
                sched_wake(capsules[i]->vcpus[v]);
    lock_release(&lock);
}

void service_unregister(struct capsule *capsule)
{
    bool was_console;

    lock_acquire(&lock);
    was_console = is_console_service(capsule);
    if (was_console) {
        console_forget_shown(); /* before another one is shown something */
        atomic_store(&console_service, NULL);
    }
    for (unsigned event = 0; event < EVENT_COUNT; event++)
        atomic_fetch_and(&waiters[event], ~(1UL << capsule->id));
    lock_release(&lock);
    if (was_console)
        log_flush();
}

bool service_find_buffer(struct call *call, uint64_t address, uint64_t size, uint8_t **buffer)
{
    *buffer = NULL;
    call->again = capsule_memory_fill(call->caller, gpa(address), size);
    if (call->again)
        return false;
    if (size)
        *buffer = capsule_memory(call->caller, gpa(address), size);
    if (*buffer)
        port_memory_open(call->caller);
    if (!size || *buffer)
        return true;
    fail(call, DIOSIX_ERR_INVALID_ADDRESS);
    return false;
}

static void yield(struct call *call)
{
    sched_yield_current(call->vcpu);
}

static void register_service(struct call *call)
{
    if (call->args[0] != DIOSIX_SERVICE_CONSOLE)
        return fail(call, DIOSIX_ERR_INVALID_PARAM);

    lock_acquire(&lock);
    if (atomic_load(&console_service))
        fail(call, DIOSIX_ERR_ALREADY_AVAILABLE);
    else
        atomic_store(&console_service, call->caller);
    lock_release(&lock);
}

static void put_character(struct call *call)
{
    struct capsule *capsule = find_capsule(call, call->args[1]);
    uint8_t character = (uint8_t)call->args[0];

    if (!capsule)
        return;
    if (call->args[0] > UINT8_MAX)
        return fail(call, DIOSIX_ERR_INVALID_PARAM);
    if (!console_send_input(capsule, &character, 1))
        fail(call, DIOSIX_ERR_FAILED); /* full: to be tried again later */
}

static void get_character(struct call *call)
{
    console_acknowledge();
    struct capsule *capsule = console_next_output();
    uint8_t character;

    call->result.value = UINT64_MAX;
    call->result.extra = DIOSIX_NO_CAPSULE;
    if (capsule && console_show_output(capsule, &character, 1)) {
        call->result.value = character;
        call->result.extra = (uint64_t)capsule->id;
    }
}

static void get_log_character(struct call *call)
{
    bool shown;
    char character;

    call->result.value = UINT64_MAX;
    if (log_read(&character, 1, &shown)) {
        call->result.value = (uint8_t)character;
        call->result.extra = shown;
    }
}

static void read_output(struct call *call)
{
    uint8_t *buffer;

    if (!service_find_buffer(call, call->args[0], call->args[1], &buffer))
        return;
    console_acknowledge();
    call->result.extra = DIOSIX_NO_CAPSULE;
    struct capsule *capsule = buffer ? console_next_output() : NULL;

    if (!capsule)
        return;
    call->result.value = console_show_output(capsule, buffer, call->args[1]);
    if (call->result.value)
        call->result.extra = (uint64_t)capsule->id;
}

static void write_input(struct call *call)
{
    struct capsule *capsule = find_capsule(call, call->args[2]);
    uint8_t *buffer;

    if (capsule && service_find_buffer(call, call->args[0], call->args[1], &buffer) && buffer)
        call->result.value = console_send_input(capsule, buffer, call->args[1]);
}

static void read_log(struct call *call)
{
    uint8_t *buffer;
    bool shown;

    if (!service_find_buffer(call, call->args[0], call->args[1], &buffer) || !buffer)
        return;
    call->result.value = log_read((char *)buffer, call->args[1], &shown);
    call->result.extra = shown;
}

static void write_console(struct call *call)
{
    uint64_t size = call->args[1];
    uint8_t *buffer;

    if (!service_find_buffer(call, call->args[0], size, &buffer) || !buffer)
        return;
    if (size > CONSOLE_WRITE_MAX)
        size = CONSOLE_WRITE_MAX;
    call->result.value = port_serial_put((const char *)buffer, size);
}

static void read_console(struct call *call)
{
    uint8_t *buffer;

    if (service_find_buffer(call, call->args[0], call->args[1], &buffer) && buffer)
        call->result.value = console_take_serial(buffer, call->args[1]);
}

/* The events of which the caller may know. It is not even woken by others: it would learn when its
 * neighbours print, and they would have the work of waking it. */
static uint64_t known_events(const struct call *call)
{
    uint64_t properties = call->caller->config.properties, known = 0;

    if (is_console_service(call->caller))
        known |= DIOSIX_EVENT_OUTPUT;
    if (properties & DIOSIX_PROPERTY_HV_LOG_READ)
        known |= DIOSIX_EVENT_LOG;
    if (properties & DIOSIX_PROPERTY_CONSOLE_READ)
        known |= DIOSIX_EVENT_CONSOLE;
    return known;
}

static uint64_t pending_events(uint64_t events)
{
    uint64_t pending = 0;

    if ((events & DIOSIX_EVENT_OUTPUT) && console_has_output())
        pending |= DIOSIX_EVENT_OUTPUT;
    if ((events & DIOSIX_EVENT_LOG) && log_pending())
        pending |= DIOSIX_EVENT_LOG;
    if ((events & DIOSIX_EVENT_CONSOLE) && console_has_serial())
        pending |= DIOSIX_EVENT_CONSOLE;
    return pending;
}

static void wait(struct call *call)
{
    uint64_t events = call->args[0], deadline = call->args[1];

    if (events & ~EVENT_ALL)
        return fail(call, DIOSIX_ERR_INVALID_PARAM);
    events &= known_events(call);
    if (events & DIOSIX_EVENT_OUTPUT)
        console_acknowledge();
    call->result.value = pending_events(events);
    if (call->result.value || deadline <= port_time())
        return;

    sched_block_current(call->vcpu, deadline); /* 1 in the essay above, and so on */
    for (unsigned event = 0; event < EVENT_COUNT; event++)
        if (events >> event & 1)
            atomic_fetch_or(&waiters[event], 1UL << call->caller->id);
    atomic_thread_fence(memory_order_seq_cst);
    if (pending_events(events))
        sched_wake(call->vcpu);
    call->again = true;
}

static void control_capsule(struct call *call)
{
    static enum error (*const actions[DIOSIX_CONTROL_COUNT])(struct capsule *) = {
        [DIOSIX_CONTROL_STOP] = capsule_stop,       [DIOSIX_CONTROL_START] = capsule_start,
        [DIOSIX_CONTROL_RESTART] = capsule_restart, [DIOSIX_CONTROL_PAUSE] = capsule_pause,
        [DIOSIX_CONTROL_RESUME] = capsule_resume,
    };
    struct capsule *capsule = find_capsule(call, call->args[0]);

    if (!capsule)
        return;
    if (call->args[1] >= DIOSIX_CONTROL_COUNT)
        return fail(call, DIOSIX_ERR_INVALID_PARAM);
    enum error error = actions[call->args[1]](capsule);

    if (error == ERROR_BAD_STATE)
        fail(call, DIOSIX_ERR_INVALID_STATE);
    else if (error)
        fail(call, DIOSIX_ERR_FAILED);
}

static const struct {
    void (*act)(struct call *call);
    uint64_t property; /* 0: any capsule */
} functions[DIOSIX_FUNCTION_COUNT] = {
    [DIOSIX_YIELD] = {yield, 0},
    [DIOSIX_REGISTER_SERVICE] = {register_service, DIOSIX_PROPERTY_SERVICE_CONSOLE},
    [DIOSIX_PUTC] = {put_character, DIOSIX_PROPERTY_SERVICE_CONSOLE},
    [DIOSIX_GETC] = {get_character, DIOSIX_PROPERTY_SERVICE_CONSOLE},
    [DIOSIX_LOG_GETC] = {get_log_character, DIOSIX_PROPERTY_HV_LOG_READ},
    [DIOSIX_OUTPUT_READ] = {read_output, DIOSIX_PROPERTY_SERVICE_CONSOLE},
    [DIOSIX_INPUT_WRITE] = {write_input, DIOSIX_PROPERTY_SERVICE_CONSOLE},
    [DIOSIX_LOG_READ] = {read_log, DIOSIX_PROPERTY_HV_LOG_READ},
    [DIOSIX_CONSOLE_WRITE] = {write_console, DIOSIX_PROPERTY_CONSOLE_WRITE},
    [DIOSIX_CONSOLE_READ] = {read_console, DIOSIX_PROPERTY_CONSOLE_READ},
    [DIOSIX_WAIT] = {wait, 0},
    [DIOSIX_CAPSULE_INFO] = {service_capsule_info, DIOSIX_PROPERTY_CAPSULE_INFO},
    [DIOSIX_CAPSULE_CONTROL] = {control_capsule, DIOSIX_PROPERTY_CAPSULE_CONTROL},
    [DIOSIX_VCPU_STATS] = {service_vcpu_stats, 0},
    [DIOSIX_HART_STATS] = {service_hart_stats, DIOSIX_PROPERTY_STATS_READ},
    [DIOSIX_TRACE_READ] = {service_read_trace, DIOSIX_PROPERTY_STATS_READ},
};

/* Of those that may be the console service, only the one that is may do its work. */
static bool is_allowed(const struct call *call, uint64_t function)
{
    uint64_t needed = functions[function].property;

    if (needed == DIOSIX_PROPERTY_SERVICE_CONSOLE && function != DIOSIX_REGISTER_SERVICE &&
        !is_console_service(call->caller))
        return false;
    return (call->caller->config.properties & needed) == needed;
}

struct service_result service_call(struct vcpu *vcpu, uint64_t function, const uint64_t args[6],
                                   bool *again)
{
    struct call call = {.vcpu = vcpu, .caller = vcpu->capsule, .args = args};

    if (function >= DIOSIX_FUNCTION_COUNT) {
        fail(&call, DIOSIX_ERR_NOT_SUPPORTED);
    } else if (!is_allowed(&call, function)) {
        fail(&call, DIOSIX_ERR_DENIED);
    } else {
        functions[function].act(&call);
        port_memory_close();
    }
    *again = call.again;
    return call.result;
}
