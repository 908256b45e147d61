/*
 * A service call on its way: what service.c, which has the table of them, and service_reports.c
 * share. Nobody else includes this; service.h is the contract.
 */
#ifndef CORE_SERVICE_CALL_H
#define CORE_SERVICE_CALL_H

#include "capsule.h"
#include "service.h"

struct call {
    struct vcpu *vcpu; /* runs on this hart */
    struct capsule *caller;
    const uint64_t *args;
    struct service_result result;
    bool again; /* as service_call() tells it */
};

static inline void fail(struct call *call, long error)
{
    call->result.error = error;
}

/* The capsule with this number, or NULL and the error is set. */
static inline struct capsule *find_capsule(struct call *call, uint64_t id)
{
    if (id < capsule_count)
        return capsules[id];
    fail(call, DIOSIX_ERR_INVALID_PARAM);
    return NULL;
}

/* The caller's buffer, open until the end of the call. False and the error is set when it isn't all
 * in the caller's RAM, or the call is to be repeated when it is not yet. An empty one may be
 * anywhere: nothing of it is touched. */
bool service_find_buffer(struct call *call, uint64_t address, uint64_t size, uint8_t **buffer);

/* service_reports.c */
void service_capsule_info(struct call *call);
void service_vcpu_stats(struct call *call);
void service_hart_stats(struct call *call);
void service_read_trace(struct call *call);

#endif
