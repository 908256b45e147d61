/*
 * Services: what a capsule with properties may ask of the hypervisor beyond the SBI.
 * The port decodes the call's registers; here the caller's properties, then all arguments are
 * checked, then the call is carried out. No locks held on entry. Errors are DIOSIX_ERR_* of
 * abi.h, which are the SBI's. include/diosix/abi.h lists the functions, docs/abi.md tells of them.
 */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include "capsule.h"
#include <stdint.h>

struct service_result {
    long error;
    uint64_t value, extra; /* a1 and a2 */
};

/* One call of extension DIOSIX_SBI_EXTENSION by `vcpu`, which runs on this hart. `args` are a0..a5.
 * With *again the result counts for nothing, and the port must let the guest execute its ecall once
 * more when it next runs: DIOSIX_WAIT has asked the scheduler to block the vCPU, or some of the
 * buffer was not filled yet. */
struct service_result service_call(struct vcpu *vcpu, uint64_t function, const uint64_t args[6],
                                   bool *again);

/* One of these events (DIOSIX_EVENT_*) has happened: wakes whoever waits for it. Holding at most
 * LOCK_CAPSULE; takes LOCK_SERVICE and LOCK_SCHED, but only if some capsule waits. */
void service_notify(uint64_t events);
/* The capsule ends or restarts: it is no longer a registered service, and waits for nothing.
 * To be called before its vCPUs are freed. Holding at most its LOCK_CAPSULE. */
void service_unregister(struct capsule *capsule);
/* The registered service of this type, or NULL. */
struct capsule *service_registered(unsigned type);

#endif
