/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0.0), laid out as on QEMU's
 * `virt`: hart h has contexts 2h (machine mode) and 2h+1 (supervisor mode). Nothing in a capsule
 * runs in machine mode: those contexts keep what is written and interrupt nobody. They exist
 * because kernels have the numbers of the others built in.
 *
 * All devices are level-sensitive. A gateway forwards one request when its wire is high and then
 * none until the handler completes it (chapter 4); a request that has been forwarded stays pending
 * even if the wire drops. Registers of sources and contexts that are not there read 0 and ignore
 * writes.
 */
#include "devices.h"
#include "interrupt.h"
#include <string.h>

/* PLIC 1.0.0, chapter 3: the memory map. */
#define PRIORITY_BASE  0x000000UL
#define PENDING_BASE   0x001000UL
#define ENABLE_BASE    0x002000UL
#define ENABLE_STRIDE  0x80UL
#define ENABLE_END     0x1f2000UL
#define CONTEXT_BASE   0x200000UL
#define CONTEXT_STRIDE 0x1000UL
#define THRESHOLD      0x0
#define CLAIM          0x4

static unsigned context_count(const struct machine *machine)
{
    return 2 * machine->capsule->vcpu_count;
}

static bool test_bit(const uint32_t *words, unsigned bit)
{
    return words[bit / 32] >> (bit % 32) & 1;
}

static void assign_bit(uint32_t *words, unsigned bit, bool value)
{
    uint32_t mask = 1U << (bit % 32);
    words[bit / 32] = value ? words[bit / 32] | mask : words[bit / 32] & ~mask;
}

/* The pending and enabled source of the highest priority above `floor`, the lowest number first
 * among equals (chapter 5); 0 when there is none. */
static unsigned best_source(const struct plic *plic, unsigned context, unsigned floor)
{
    unsigned best = 0;
    for (unsigned word = 0; word < PLIC_WORDS; word++) {
        uint32_t candidates = plic->pending[word] & plic->enable[context][word];
        for (; candidates; candidates &= candidates - 1) {
            unsigned source = 32 * word + (unsigned)__builtin_ctz(candidates);
            if (plic->priority[source] > floor) {
                best = source;
                floor = plic->priority[source];
            }
        }
    }
    return best;
}

static bool is_any_pending(const struct plic *plic)
{
    uint32_t any = 0;
    for (unsigned word = 0; word < PLIC_WORDS; word++)
        any |= plic->pending[word];
    return any != 0;
}

/* Makes each hart's external interrupt line what its supervisor context says. */
static void drive_harts(struct machine *machine)
{
    struct plic *plic = &machine->plic;
    if (plic->driven == 0 && !is_any_pending(plic))
        return;
    for (unsigned id = 0; id < machine->capsule->vcpu_count; id++) {
        unsigned context = 2 * id + 1;
        bool wanted = best_source(plic, context, plic->threshold[context]) != 0;
        uint64_t bit = UINT64_C(1) << id;
        if (wanted == ((plic->driven & bit) != 0))
            continue;
        plic->driven ^= bit;
        if (wanted)
            interrupt_raise(machine->capsule->vcpus[id], IRQ_S_EXTERNAL);
        else
            interrupt_lower(machine->capsule->vcpus[id], IRQ_S_EXTERNAL);
    }
}

/* An open gateway forwards a high wire. */
static void forward(struct plic *plic, unsigned source)
{
    if (test_bit(plic->level, source) && !test_bit(plic->claimed, source))
        assign_bit(plic->pending, source, true);
}

void plic_set_level(struct machine *machine, unsigned source, bool high)
{
    struct plic *plic = &machine->plic;
    if (test_bit(plic->level, source) == high)
        return;
    assign_bit(plic->level, source, high);
    forward(plic, source);
    drive_harts(machine);
}

/* The threshold masks notifications, not claims (chapter 8: "not affected by the setting of the
 * priority threshold register"). */
static unsigned claim(struct machine *machine, unsigned context)
{
    struct plic *plic = &machine->plic;
    unsigned source = best_source(plic, context, 0);
    if (source) {
        assign_bit(plic->pending, source, false);
        assign_bit(plic->claimed, source, true);
        drive_harts(machine);
    }
    return source;
}

/* A completion for a source that is not enabled for the context is ignored (chapter 9). */
static void complete(struct machine *machine, unsigned context, uint32_t source)
{
    struct plic *plic = &machine->plic;
    if (source >= PLIC_SOURCES || !test_bit(plic->enable[context], source))
        return;
    assign_bit(plic->claimed, source, false);
    forward(plic, source);
    drive_harts(machine);
}

static void write_priority(struct machine *machine, unsigned source, uint32_t value)
{
    if (source == 0 || source >= PLIC_SOURCES)
        return;
    machine->plic.priority[source] = value & PLIC_PRIORITY_MAX;
    drive_harts(machine);
}

/* The word of enable bits at an offset from their base; NULL: no such source or context. */
static inline __attribute__((always_inline)) uint32_t *find_enable(struct machine *machine,
                                                                   uint64_t offset)
{
    uint64_t context = offset / ENABLE_STRIDE;
    unsigned word = (unsigned)(offset % ENABLE_STRIDE / 4);
    if (context >= context_count(machine) || word >= PLIC_WORDS)
        return NULL;
    return &machine->plic.enable[context][word];
}

static void write_enable(struct machine *machine, uint64_t offset, uint32_t value)
{
    uint32_t *enable = find_enable(machine, offset);
    if (enable == NULL)
        return;
    bool first = offset % ENABLE_STRIDE == 0;
    *enable = first ? value & ~1U : value; /* there is no source 0 */
    drive_harts(machine);
}

static void write_context(struct machine *machine, uint64_t offset, uint32_t value)
{
    uint64_t context = offset / CONTEXT_STRIDE, reg = offset % CONTEXT_STRIDE;
    if (context >= context_count(machine))
        return;
    if (reg == THRESHOLD) {
        machine->plic.threshold[context] = value & PLIC_PRIORITY_MAX;
        drive_harts(machine);
    } else if (reg == CLAIM) {
        complete(machine, (unsigned)context, value);
    }
}

static void write_register(struct machine *machine, uint64_t offset, uint32_t value)
{
    if (offset >= CONTEXT_BASE)
        write_context(machine, offset - CONTEXT_BASE, value);
    else if (offset >= ENABLE_BASE && offset < ENABLE_END)
        write_enable(machine, offset - ENABLE_BASE, value);
    else if (offset < PENDING_BASE)
        write_priority(machine, (unsigned)(offset - PRIORITY_BASE) / 4, value);
}

static bool is_claim(const struct machine *machine, uint64_t offset)
{
    return offset >= CONTEXT_BASE && offset % CONTEXT_STRIDE == CLAIM &&
           (offset - CONTEXT_BASE) / CONTEXT_STRIDE < context_count(machine);
}

/* Those whose reading changes nothing: all but claims. */
static inline __attribute__((always_inline)) uint32_t read_register(struct machine *machine,
                                                                    uint64_t offset)
{
    const struct plic *plic = &machine->plic;
    if (offset < 4 * PLIC_SOURCES)
        return plic->priority[offset / 4]; /* that of source 0 is never written */
    if (offset >= PENDING_BASE && offset < PENDING_BASE + sizeof plic->pending)
        return plic->pending[(offset - PENDING_BASE) / 4];
    if (offset >= ENABLE_BASE && offset < ENABLE_END) {
        const uint32_t *enable = find_enable(machine, offset - ENABLE_BASE);
        return enable ? *enable : 0;
    }
    uint64_t context = (offset - CONTEXT_BASE) / CONTEXT_STRIDE; /* wraps below the base */
    bool is_threshold = offset % CONTEXT_STRIDE == THRESHOLD && context < context_count(machine);
    return is_threshold ? plic->threshold[context] : 0;
}

bool plic_access(struct machine *machine, struct mmio *mmio)
{
    uint64_t offset = mmio->offset;
    if (mmio->write)
        write_register(machine, offset, (uint32_t)mmio->value);
    else if (is_claim(machine, offset))
        mmio->value = claim(machine, (unsigned)((offset - CONTEXT_BASE) / CONTEXT_STRIDE));
    else
        mmio->value = read_register(machine, offset);
    return true;
}

int64_t plic_look(struct vcpu *vcpu, uint64_t offset)
{
    struct capsule *capsule = vcpu->capsule;
    struct machine *machine = capsule->arch.machine;
    int64_t value;
    lock_acquire(&capsule->lock);
    if (!is_claim(machine, offset))
        value = read_register(machine, offset);
    else
        value = is_any_pending(&machine->plic) ? MACHINE_NO_LOOK : 0;
    lock_release(&capsule->lock);
    if (value != MACHINE_NO_LOOK)
        vcpu_count_exit(vcpu, DIOSIX_EXIT_PLIC);
    return value;
}

/* Also lowers what was driven: the vCPUs may be the same ones as before. */
void plic_reset(struct machine *machine)
{
    struct plic *plic = &machine->plic;
    for (unsigned id = 0; id < machine->capsule->vcpu_count; id++)
        if (plic->driven >> id & 1)
            interrupt_lower(machine->capsule->vcpus[id], IRQ_S_EXTERNAL);
    memset(plic, 0, sizeof *plic);
}
