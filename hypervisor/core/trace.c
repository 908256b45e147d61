/* See trace.h. */
#include "trace.h"
#include "capsule.h"
#include "hart.h"
#include "port.h"

#ifdef DEBUG

void trace_note(unsigned event, const struct vcpu *vcpu, uint64_t pc, uint64_t value)
{
    struct hart *hart = port_hart();
    if (hart == NULL) /* a test that has none */
        return;
    struct trace *trace = &hart->trace;
    struct diosix_trace_entry *entry = &trace->entries[trace->next % TRACE_SIZE];
    __atomic_thread_fence(__ATOMIC_RELEASE); /* who reads a part of this sees `next` as it is */
    *entry = (struct diosix_trace_entry){
        .time = port_time(),
        .event = event,
        .capsule = vcpu == NULL ? UINT16_MAX : (uint16_t)vcpu->capsule->id,
        .vcpu = vcpu == NULL ? UINT16_MAX : (uint16_t)vcpu->id,
        .pc = pc,
        .value = value,
    };
    __atomic_store_n(&trace->next, trace->next + 1, __ATOMIC_RELEASE);
}

/* The oldest entry that is surely whole: the place of the one before may be the next one's. */
static uint64_t oldest(uint64_t next)
{
    return next < TRACE_SIZE ? 0 : next - TRACE_SIZE + 1;
}

size_t trace_read(const struct hart *hart, uint64_t *first, struct diosix_trace_entry *entries,
                  size_t count)
{
    const struct trace *trace = &hart->trace;
    uint64_t next = __atomic_load_n(&trace->next, __ATOMIC_ACQUIRE);
    size_t done = 0;
    if (*first < oldest(next))
        *first = oldest(next);
    while (done < count && *first + done < next) {
        entries[done] = trace->entries[(*first + done) % TRACE_SIZE];
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        uint64_t whole = oldest(__atomic_load_n(&trace->next, __ATOMIC_RELAXED));
        if (*first + done >= whole) {
            done++;
        } else if (done != 0) {
            break; /* a gap: for the next call */
        } else {
            *first = whole;
        }
    }
    return done;
}

#endif
