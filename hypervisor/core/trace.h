/*
 * A debug build's flight recorder: each hart keeps the last things that happened on it.
 *
 * A hart writes its own ring alone and takes no lock for it; others read it while it goes on, and
 * leave out what is being overwritten. Entries and events are those of DIOSIX_TRACE_READ in abi.h.
 * A release build has no rings, and the calls are nothing.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include <diosix/abi.h>
#include <stddef.h>
#include <stdint.h>

struct hart;
struct vcpu;

#ifdef DEBUG

#define TRACE_SIZE 512 /* a power of two */

struct trace {
    uint64_t next; /* the number of the next entry; the first was 0 */
    struct diosix_trace_entry entries[TRACE_SIZE];
};

/* Notes what happens on this hart, to `vcpu` (NULL: to none). At any time. */
void trace_note(unsigned event, const struct vcpu *vcpu, uint64_t pc, uint64_t value);
/* Copies up to `count` entries of a hart's, in order, from number *first on; what of them is gone
 * is left out, and *first set to the first that was there. Returns how many. Any hart, any time. */
size_t trace_read(const struct hart *hart, uint64_t *first, struct diosix_trace_entry *entries,
                  size_t count);

#else

static inline void trace_note(unsigned event, const struct vcpu *vcpu, uint64_t pc, uint64_t value)
{
    (void)event, (void)vcpu, (void)pc, (void)value;
}

#endif

#endif
