/*
 * The service ABI on the hypervisor's own console and log. The input says which properties the
 * caller has, then is a sequence of calls, of guests that print and of keys.
 *
 * Each answer must be one that include/diosix/abi.h names, nothing outside the caller's buffer may
 * change, and who lacks the property is refused.
 */
#include "fuzz.h"
#include "capsule.h"
#include "console.h"
#include "hosted.h"
#include "log.h"
#include "sched.h"
#include "service.h"
#include "service_properties.h"
#include <string.h>

#define CAPSULES 3
#define RAM_BASE 0x80000000UL
#define RAM_SIZE 4096UL

static struct capsule made[CAPSULES];
struct capsule *capsules[CAPSULE_MAX] = {&made[0], &made[1], &made[2]};
unsigned capsule_count = CAPSULES;
static struct vcpu vcpus[CAPSULES];
static uint8_t *ram; /* capsule 0's, which calls */
static struct hart hart;
struct hart *harts[HART_MAX] = {&hart};
unsigned hart_count = 1;
static bool blocked;

/* --- played --- */

void *capsule_memory(const struct capsule *capsule, struct gpa address, uint64_t size)
{
    uint64_t offset = address.value - RAM_BASE;

    CHECK(capsule == &made[0]);
    return offset < RAM_SIZE && size <= RAM_SIZE - offset ? ram + offset : NULL;
}

static bool memory_comes;

bool capsule_memory_fill(struct capsule *capsule, struct gpa address, uint64_t size)
{
    return memory_comes && size != 0 && capsule_memory(capsule, address, size) != NULL;
}

static enum error act(struct capsule *capsule)
{
    CHECK(capsule >= made && capsule < made + CAPSULES);
    return hosted_time % 3 == 0 ? OK : hosted_time % 3 == 1 ? ERROR_BAD_STATE : ERROR_NO_MEMORY;
}

enum error capsule_stop(struct capsule *capsule)
{
    return act(capsule);
}

enum error capsule_start(struct capsule *capsule)
{
    return act(capsule);
}

enum error capsule_restart(struct capsule *capsule)
{
    return act(capsule);
}

enum error capsule_pause(struct capsule *capsule)
{
    return act(capsule);
}

enum error capsule_resume(struct capsule *capsule)
{
    return act(capsule);
}

void sched_block_current(struct vcpu *vcpu, uint64_t deadline)
{
    CHECK(vcpu == &vcpus[0] && deadline > hosted_time);
    blocked = true;
}

void sched_wake(struct vcpu *vcpu)
{
    CHECK(vcpu >= vcpus && vcpu < vcpus + CAPSULES);
}

uint64_t sched_times(const struct vcpu *vcpu, uint64_t times[DIOSIX_VCPU_STATES])
{
    CHECK(vcpu >= vcpus && vcpu < vcpus + CAPSULES);
    memset(times, 0, DIOSIX_VCPU_STATES * sizeof times[0]);
    return hosted_time;
}

void sched_hart_stats(const struct hart *of, struct diosix_hart_stats *stats)
{
    CHECK(of == &hart);
    stats->now = hosted_time;
}

void sched_yield_current(struct vcpu *vcpu)
{
    CHECK(vcpu == &vcpus[0]);
}

/* --- calls --- */

/* Statistics of its own are anybody's. */
static bool lacks_right(uint64_t function, const uint64_t args[6])
{
    uint64_t lacked = ~made[0].config.properties;

    if (function == DIOSIX_VCPU_STATS)
        return args[0] != 0 && args[0] != DIOSIX_SELF && lacked & DIOSIX_PROPERTY_STATS_READ;
    if (needs_registration[function] && service_registered(DIOSIX_SERVICE_CONSOLE) != &made[0])
        return true;
    return needed[function] & lacked;
}

static bool is_error(long error)
{
    return (error <= 0 && error >= DIOSIX_ERR_ALREADY_AVAILABLE) ||
           error == DIOSIX_ERR_INVALID_STATE;
}

struct buffer {
    uint64_t address, size;
};

static uint64_t smaller(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* The buffer that a function fills; none if it fills none. */
static struct buffer buffer_of(uint64_t function, const uint64_t args[6])
{
    switch (function) {
    case DIOSIX_OUTPUT_READ:
    case DIOSIX_LOG_READ:
    case DIOSIX_CONSOLE_READ:
        return (struct buffer){args[0], args[1]};
    case DIOSIX_CAPSULE_INFO:
        return (struct buffer){args[1], sizeof(struct diosix_capsule_info)};
    case DIOSIX_VCPU_STATS:
        return (struct buffer){args[2], smaller(args[3], sizeof(struct diosix_vcpu_stats))};
    case DIOSIX_HART_STATS:
        return (struct buffer){args[1], smaller(args[2], sizeof(struct diosix_hart_stats))};
    case DIOSIX_TRACE_READ:
        return (struct buffer){args[1], args[2]};
    default:
        return (struct buffer){0, 0};
    }
}

/* All but the buffer, if it was filled, is as before. */
static void check_ram(uint8_t *before, struct buffer buffer, long error)
{
    uint64_t offset = buffer.address - RAM_BASE;

    if (!error && offset < RAM_SIZE && buffer.size <= RAM_SIZE - offset)
        memcpy(before + offset, ram + offset, buffer.size);
    CHECK(memcmp(before, ram, RAM_SIZE) == 0);
}

static void check_result(uint64_t function, const uint64_t args[6], struct service_result result,
                         bool again)
{
    CHECK(is_error(result.error));
    CHECK(again == blocked || memory_comes);
    CHECK(!again || function == DIOSIX_WAIT || memory_comes);
    if (function >= DIOSIX_FUNCTION_COUNT)
        CHECK(result.error == DIOSIX_ERR_NOT_SUPPORTED);
    else if (lacks_right(function, args))
        CHECK(result.error == DIOSIX_ERR_DENIED);
    else
        CHECK(result.error != DIOSIX_ERR_DENIED);
    if (result.error == 0 && function >= DIOSIX_OUTPUT_READ && function <= DIOSIX_CONSOLE_READ)
        CHECK(result.value <= args[1]);
    CHECK(hart.lock_ranks == 0);
}

static uint64_t take_argument(struct input *input)
{
    unsigned kind = take(input, 1);

    switch (kind % 4) {
    case 0:
        return RAM_BASE + take(input, 2) % (RAM_SIZE + 16);
    case 1:
        return kind & 4 ? take(input, 8) : hosted_time + take(input, 1);
    default:
        return kind / 4;
    }
}

static void call(struct input *input)
{
    uint8_t before[RAM_SIZE];
    uint64_t args[6] = {0}, function = take(input, 1);
    bool again = false;

    if (function > DIOSIX_FUNCTION_COUNT)
        function = take_argument(input);
    for (unsigned i = 0; i < 4; i++)
        args[i] = take_argument(input);
    memcpy(before, ram, sizeof before);
    blocked = false;
    memory_comes = hosted_time % 5 == 0;
    struct service_result result = service_call(&vcpus[0], function, args, &again);

    check_result(function, args, result, again);
    check_ram(before, buffer_of(function, args), again ? DIOSIX_ERR_FAILED : result.error);
}

static void step(struct input *input)
{
    unsigned what = take(input, 1), capsule = what / 8 % CAPSULES;
    size_t count;
    const uint8_t *bytes;

    switch (what % 8) {
    case 0:
        bytes = take_bytes(input, what, &count);
        CHECK(console_write(&made[capsule], bytes, count) <= count);
        break;
    case 1:
        bytes = take_bytes(input, what / 8, &count);
        hosted_serial_send((const char *)bytes, count);
        console_serial_input();
        break;
    case 2:
        log_write("step %u", what);
        break;
    case 3:
        service_unregister(&made[capsule]);
        made[capsule].state = what % CAPSULE_CRASHED;
        console_flush();
        hosted_time++;
        break;
    default:
        call(input);
    }
}

static void set_up(uint64_t properties)
{
    static uint8_t rings[CAPSULES][CONSOLE_OUTPUT_SIZE];

    fuzz_reset();
    hosted_reset();
    hart = (struct hart){0};
    hosted_hart = &hart;
    for (unsigned i = 0; i < CAPSULES; i++) {
        memset(&made[i], 0, sizeof made[i]);
        made[i].id = (int)i;
        made[i].lock = (struct lock)LOCK_INITIALIZER(LOCK_CAPSULE);
        made[i].state = CAPSULE_RUNNING;
        made[i].vcpu_count = made[i].config.cpus = 1;
        vcpus[i] = (struct vcpu){.capsule = &made[i]};
        made[i].vcpus[0] = &vcpus[i];
        console_init_capsule(&made[i]);
        console_set_output(&made[i], rings[i]);
    }
    made[0].config.properties = properties;
    ram = calloc(1, RAM_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    set_up(take(&input, 1));
    while (input.left && hosted_serial_written < HOSTED_SERIAL_SIZE - 1)
        step(&input);
    free(ram);
    return 0;
}
