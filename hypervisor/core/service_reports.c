/*
 * Service calls that tell how capsules, vCPUs and harts are. Each makes its answer in a structure
 * of its own and copies that to the caller's memory, for a guest's buffer need not be aligned.
 */
#include "port.h"
#include "sched.h"
#include "service_call.h"
#include <string.h>

/* Entries that one call brings: they are copied by way of the stack. */
#define TRACE_READ_MAX 32

static uint64_t run_time(const struct vcpu *vcpu)
{
    uint64_t times[DIOSIX_VCPU_STATES];

    sched_times(vcpu, times);
    return times[VCPU_RUNNING];
}

/* A report of the capsule. Its lock keeps the vCPUs from going while their times are read. */
static void describe(struct capsule *capsule, struct diosix_capsule_info *info)
{
    const struct capsule_config *config = &capsule->config;

    *info = (struct diosix_capsule_info){
        .id = (unsigned)capsule->id,
        .is_service = config->is_service,
        .vcpus = config->cpus,
        .weight = config->weight,
        .properties = config->properties,
        .ram = config->ram,
        .frequency = port_frequency(),
    };
    memcpy(info->name, config->name, sizeof(info->name));
    memcpy(info->description, config->description, sizeof(info->description));

    lock_acquire(&capsule->lock);
    info->state = (unsigned)capsule->state;
    info->restarts = capsule->restarts;
    info->run_time = capsule->past_run_time;
    for (unsigned v = 0; v < capsule->vcpu_count; v++)
        info->run_time += run_time(capsule->vcpus[v]);
    lock_release(&capsule->lock);
}

void service_capsule_info(struct call *call)
{
    struct capsule *capsule = find_capsule(call, call->args[0]);
    struct diosix_capsule_info info;
    uint8_t *buffer;

    if (!capsule || !service_find_buffer(call, call->args[1], sizeof(info), &buffer))
        return;
    describe(capsule, &info);
    memcpy(buffer, &info, sizeof(info));
}

_Static_assert(offsetof(struct diosix_vcpu_stats, exits) -
                       offsetof(struct diosix_vcpu_stats, switches) ==
                   offsetof(struct vcpu_counts, exits),
               "counts are copied as they are");

/* Holding the capsule's lock. */
static void describe_vcpu(const struct vcpu *vcpu, struct diosix_vcpu_stats *stats)
{
    const struct hart *hart = __atomic_load_n(&vcpu->hart, __ATOMIC_RELAXED);

    *stats = (struct diosix_vcpu_stats){
        .state = vcpu_state(vcpu),
        .hart = hart ? hart->index : 0,
    };
    memcpy(&stats->switches, &vcpu->counts, sizeof(vcpu->counts));
    stats->now = sched_times(vcpu, stats->times);
}

/* Writes a structure of the caller's version: an older one is shorter, and what a newer one has
 * more stays as it was. `where` is the argument with the buffer; its size follows. */
static void write_structure(struct call *call, unsigned where, const void *structure, uint64_t size)
{
    uint8_t *buffer;

    if (size > call->args[where + 1])
        size = call->args[where + 1];
    if (!service_find_buffer(call, call->args[where], size, &buffer) || !buffer)
        return;
    memcpy(buffer, structure, size);
    call->result.value = size;
}

/* Any capsule may see its own vCPUs'. */
static struct capsule *find_visible_capsule(struct call *call, uint64_t id)
{
    if (id == DIOSIX_SELF || id == (uint64_t)call->caller->id)
        return call->caller;
    if (call->caller->config.properties & DIOSIX_PROPERTY_STATS_READ)
        return find_capsule(call, id);
    fail(call, DIOSIX_ERR_DENIED);
    return NULL;
}

void service_vcpu_stats(struct call *call)
{
    struct capsule *capsule = find_visible_capsule(call, call->args[0]);
    uint64_t id = call->args[1];
    struct diosix_vcpu_stats stats;

    if (!capsule)
        return;
    if (id >= capsule->config.cpus)
        return fail(call, DIOSIX_ERR_INVALID_PARAM);
    lock_acquire(&capsule->lock);
    bool alive = id < capsule->vcpu_count;

    if (alive)
        describe_vcpu(capsule->vcpus[id], &stats);
    lock_release(&capsule->lock);
    if (alive)
        write_structure(call, 2, &stats, sizeof(stats));
    else
        fail(call, DIOSIX_ERR_INVALID_STATE);
}

static const struct hart *find_hart(struct call *call, uint64_t index)
{
    if (index < hart_count)
        return harts[index];
    fail(call, DIOSIX_ERR_INVALID_PARAM);
    return NULL;
}

void service_hart_stats(struct call *call)
{
    const struct hart *hart = find_hart(call, call->args[0]);
    struct diosix_hart_stats stats;

    if (!hart)
        return;
    stats = (struct diosix_hart_stats){
        .id = hart->id,
        .online = atomic_load(&hart->online),
        .runs_guests = hart->runs_guests,
    };
    sched_hart_stats(hart, &stats);
    write_structure(call, 1, &stats, sizeof(stats));
}

void service_read_trace(struct call *call)
{
#ifdef DEBUG
    const struct hart *hart = find_hart(call, call->args[0]);
    struct diosix_trace_entry entries[TRACE_READ_MAX];
    uint64_t count = call->args[2] / sizeof(entries[0]);
    uint8_t *buffer;

    if (!hart || !service_find_buffer(call, call->args[1], call->args[2], &buffer))
        return;
    if (count > TRACE_READ_MAX)
        count = TRACE_READ_MAX;
    call->result.extra = call->args[3];
    call->result.value = trace_read(hart, &call->result.extra, entries, count) * sizeof(entries[0]);
    if (buffer)
        memcpy(buffer, entries, call->result.value);
#else
    fail(call, DIOSIX_ERR_NOT_SUPPORTED);
#endif
}
