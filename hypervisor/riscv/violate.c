/*
 * Debug builds only: breaks the rules from inside, for tests to see what catches it. The boot word
 * `violate=WHAT` names what to try; it happens when a guest first comes back to run.c. One that is
 * not caught panics here.
 */
#ifdef DEBUG
#include "violate.h"
#include "bootargs.h"
#include "capsule.h"
#include "csr.h"
#include "hart.h"
#include "log.h"
#include "port.h"
#include <string.h>

extern char hypervisor_start[], text_end[];

static uint32_t code_in_data[] = {0x00008067}; /* ret */

/* By an address that the compiler knows nothing of. */
static volatile uint32_t *at(uint64_t address)
{
    __asm__("" : "+r"(address));
    return hpa_pointer(hpa(address));
}

static void write_same(uint64_t address)
{
    *at(address) = *at(address);
}

static void call(uint64_t address)
{
    fence_i();
    __asm__ volatile("jalr ra, %0" ::"r"(address) : "ra", "memory");
}

static void execute_data(struct vcpu *vcpu)
{
    (void)vcpu;
    call((uintptr_t)code_in_data);
}

static void write_text(struct vcpu *vcpu)
{
    (void)vcpu;
    write_same((uintptr_t)hypervisor_start);
}

static void write_rodata(struct vcpu *vcpu)
{
    (void)vcpu;
    write_same((uintptr_t)text_end);
}

static void execute_rodata(struct vcpu *vcpu)
{
    (void)vcpu;
    call((uintptr_t)text_end);
}

static void execute_guest(struct vcpu *vcpu)
{
    call(vcpu->capsule->ram_host.value);
}

static void read_guest(struct vcpu *vcpu)
{
    (void)*at(vcpu->capsule->ram_host.value);
}

static void write_guest(struct vcpu *vcpu)
{
    *at(vcpu->capsule->ram_host.value + vcpu->capsule->ram_size - 8) = 0;
}

static void read_other_guest(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < capsule_count; i++)
        if (capsules[i] != vcpu->capsule)
            (void)*at(capsules[i]->ram_host.value);
}

__attribute__((noinline)) static uint64_t deeper(volatile uint64_t *above)
{
    volatile uint64_t frame[32];
    frame[0] = *above + 1;
    return *above > 1UL << 20 ? 0 : deeper(frame) + frame[0];
}

static void overflow_stack(struct vcpu *vcpu)
{
    volatile uint64_t depth = 0;
    (void)vcpu;
    (void)deeper(&depth);
}

/* The handling of the first fault needs tp, so it faults, too. */
static void double_fault(struct vcpu *vcpu)
{
    (void)vcpu;
    __asm__ volatile("li tp, 8\n\tld zero, (zero)");
}

/* With Smdbltrp, as if a trap were being handled. */
static void double_trap(struct vcpu *vcpu)
{
    (void)vcpu;
    csr_set(CSR_MSTATUS, STATUS_MDT);
    (void)*at(8);
}

static const struct {
    const char *name;
    void (*act)(struct vcpu *vcpu);
} violations[] = {
    {"execute-data", execute_data},     {"write-text", write_text},
    {"write-rodata", write_rodata},     {"execute-rodata", execute_rodata},
    {"execute-guest", execute_guest},   {"read-guest", read_guest},
    {"write-guest", write_guest},       {"read-other-guest", read_other_guest},
    {"stack-overflow", overflow_stack}, {"double-fault", double_fault},
    {"double-trap", double_trap},
};

void violate(struct vcpu *vcpu)
{
    for (size_t i = 0; i < sizeof violations / sizeof violations[0]; i++) {
        if (strcmp(violations[i].name, bootargs.violate) == 0) {
            log_info("violation: %s", bootargs.violate);
            violations[i].act(vcpu);
            panic("violation %s was not caught", bootargs.violate);
        }
    }
}
#endif
