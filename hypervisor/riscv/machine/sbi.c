/*
 * The dispatch of SBI calls (SBI 3.0, chapter 3). The table names every extension that a capsule
 * finds; there is no other place that knows them all.
 */
#include "sbi.h"
#include "devices.h"

#define ECALL_LENGTH 4

static const struct sbi_extension *const extensions[] = {
    &sbi_time, &sbi_ipi,  &sbi_rfence, &sbi_hsm,    &sbi_base,
    &sbi_srst, &sbi_susp, &sbi_dbcn,   &sbi_diosix, &sbi_legacy,
};

static const struct sbi_extension *find(uint64_t id)
{
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        if (id >= extensions[i]->first && id <= extensions[i]->last)
            return extensions[i];
    return NULL;
}

bool sbi_probe(uint64_t extension)
{
    return find(extension) != NULL;
}

static struct sbi_call read_call(struct vcpu *vcpu)
{
    const uint64_t *x = vcpu->arch.x;
    return (struct sbi_call){
        .vcpu = vcpu,
        .extension = x[A7],
        .function = x[A6],
        .args = {x[A0], x[A1], x[A2], x[A3], x[A4], x[A5]},
        .error = SBI_SUCCESS,
    };
}

static void answer(const struct sbi_call *call)
{
    uint64_t *x = call->vcpu->arch.x;
    if (call->again || call->replaced)
        return;
    x[0] += ECALL_LENGTH; /* x[0] is the pc */
    x[A0] = (uint64_t)call->error;
    if (!call->legacy)
        x[A1] = call->value;
    if (call->extra_set)
        x[A2] = call->extra;
}

void sbi_call(struct vcpu *vcpu)
{
    struct sbi_call call = read_call(vcpu);
    const struct sbi_extension *extension = find(call.extension);
    vcpu_count_exit(vcpu, extension ? extension->exit : DIOSIX_EXIT_SBI_UNKNOWN);
    if (extension)
        extension->handle(&call);
    else
        call.error = SBI_ERR_NOT_SUPPORTED;
    answer(&call);
}

struct vcpu *sbi_target(const struct sbi_call *call, uint64_t hart_id)
{
    const struct capsule *capsule = call->vcpu->capsule;
    return hart_id < capsule->vcpu_count ? capsule->vcpus[hart_id] : NULL;
}

/* The harts that are meant, by bit of their number, or false. A capsule has no more than 64. */
static bool resolve(const struct capsule *capsule, uint64_t mask, uint64_t base, uint64_t *targets)
{
    uint64_t present =
        capsule->vcpu_count < 64 ? (UINT64_C(1) << capsule->vcpu_count) - 1 : UINT64_MAX;
    if (base == UINT64_MAX)
        *targets = present;
    else if (mask == 0)
        *targets = 0;
    else if (base >= 64 || mask << base >> base != mask)
        return false;
    else
        *targets = mask << base;
    return (*targets & ~present) == 0;
}

long sbi_each_hart(struct sbi_call *call, uint64_t mask, uint64_t base,
                   void (*act)(struct sbi_call *call, struct vcpu *target))
{
    struct capsule *capsule = call->vcpu->capsule;
    uint64_t targets;
    if (!resolve(capsule, mask, base, &targets))
        return SBI_ERR_INVALID_PARAM;
    for (; targets; targets &= targets - 1)
        act(call, capsule->vcpus[__builtin_ctzll(targets)]);
    return SBI_SUCCESS;
}
