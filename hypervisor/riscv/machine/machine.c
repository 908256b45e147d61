/*
 * The bus of a capsule's machine: which device answers at which address, and which widths it
 * takes. Everything else on the bus is a hole, whose accesses fault in the guest.
 *
 * A device works under its capsule's lock. What it asks for that takes this lock again (stopping
 * or restarting the capsule) it leaves in machine->wish, which is granted after the release.
 */
#include "decode.h"
#include "devices.h"
#include "fence.h"
#include "sched.h"

struct device {
    uint64_t base, size;
    unsigned widths; /* the access sizes that it takes, added up */
    enum diosix_exit exit;
    bool (*access)(struct machine *machine, struct mmio *mmio);
    int64_t (*look)(struct vcpu *vcpu, uint64_t offset); /* machine_look(); takes the lock itself */
};

/* The widths are those of QEMU's models of these devices. */
static const struct device devices[] = {
    {MACHINE_UART_BASE, MACHINE_UART_SIZE, 1 | 2 | 4 | 8, DIOSIX_EXIT_UART, uart_access, uart_look},
    {MACHINE_PLIC_BASE, MACHINE_PLIC_SIZE, 4, DIOSIX_EXIT_PLIC, plic_access, plic_look},
    {MACHINE_VIRTIO_BASE, MACHINE_VIRTIO_SIZE *MACHINE_VIRTIO_COUNT, 1 | 2 | 4, DIOSIX_EXIT_VIRTIO,
     virtio_empty_access, NULL},
    {MACHINE_SYSCON_BASE, MACHINE_SYSCON_SIZE, 2 | 4, DIOSIX_EXIT_SYSCON, syscon_access, NULL},
    {MACHINE_RTC_BASE, MACHINE_RTC_SIZE, 4, DIOSIX_EXIT_RTC, rtc_access, NULL},
    {MACHINE_FLASH_BASE, CAPSULE_FLASH_MAX *MACHINE_FLASH_SIZE, 1 | 2 | 4 | 8, DIOSIX_EXIT_FLASH,
     flash_access, NULL},
};

static inline __attribute__((always_inline)) const struct device *find_device(uint64_t address,
                                                                              uint64_t size)
{
    const struct device *end = devices + sizeof devices / sizeof devices[0];
    for (const struct device *device = devices; device != end; device++) {
        uint64_t offset = address - device->base; /* wraps below the base */
        if (offset < device->size)
            return size & device->widths && (address & (size - 1)) == 0 ? device : NULL;
    }
    return NULL;
}

/* The calls may find that somebody else has stopped the capsule first: then that is what happens.
 * Not inline: most accesses wish for nothing. */
__attribute__((noinline)) static void grant(struct vcpu *vcpu, enum machine_wish wish)
{
    if (wish == WISH_STOP)
        capsule_stop(vcpu->capsule);
    else if (wish == WISH_RESTART)
        capsule_restart(vcpu->capsule);
    else if (wish == WISH_FENCE)
        fence_capsule(vcpu, FENCE_G);
}

/* `amo`: NULL, or the funct5 of an atomic operation, whose two halves no other access comes
 * between. Then *value is its operand, and what was there before afterwards. */
static inline __attribute__((always_inline)) bool
reach(struct vcpu *vcpu, struct gpa address, struct mmio mmio, const unsigned *amo, uint64_t *value)
{
    struct capsule *capsule = vcpu->capsule;
    const struct device *device = find_device(address.value, mmio.size);
    if (!device)
        return false;
    mmio.offset = address.value - device->base;
    lock_acquire(&capsule->lock);
    struct machine *machine = capsule->arch.machine;
    bool answered = device->access(machine, &mmio);
    if (answered && amo) {
        struct mmio store = {.offset = mmio.offset, .size = mmio.size, .write = true};
        answered = decode_amo(*amo, mmio.size, mmio.value, *value, &store.value) &&
                   device->access(machine, &store);
    }
    enum machine_wish wish = machine->wish;
    machine->wish = WISH_NONE;
    lock_release(&capsule->lock);
    if (answered)
        vcpu_count_exit(vcpu, device->exit);
    if (answered && !mmio.write)
        *value = mmio.value;
    if (wish != WISH_NONE)
        grant(vcpu, wish);
    return answered;
}

bool machine_mmio(struct vcpu *vcpu, struct gpa address, unsigned size, bool write, uint64_t *value)
{
    struct mmio mmio = {.size = size, .write = write, .value = write ? *value : 0};
    return reach(vcpu, address, mmio, NULL, value);
}

/* Not inline: nothing is kept over the call that ends it. */
__attribute__((noinline)) int64_t machine_look(struct vcpu *vcpu, struct gpa address, unsigned size)
{
    const struct device *device = find_device(address.value, size);
    if (!device || !device->look)
        return MACHINE_NO_LOOK;
    return device->look(vcpu, address.value - device->base);
}

bool machine_amo(struct vcpu *vcpu, struct gpa address, unsigned size, unsigned funct5,
                 uint64_t *value)
{
    return reach(vcpu, address, (struct mmio){.size = size}, &funct5, value);
}

size_t machine_size(void)
{
    return sizeof(struct machine);
}

enum error machine_create(struct capsule *capsule, void *place)
{
    struct machine *machine = place;
    machine->capsule = capsule;
    capsule->arch.machine = machine;
    enum error error = flash_create(machine);
    if (error != OK)
        return error;
    machine_reset(capsule);
    return OK;
}

void machine_destroy(struct capsule *capsule)
{
    struct machine *machine = capsule->arch.machine;
    if (!machine)
        return;
    flash_destroy(machine);
    capsule->arch.machine = NULL;
}

void machine_reset(struct capsule *capsule)
{
    struct machine *machine = capsule->arch.machine;
    if (!machine)
        return;
    flash_reset(machine);
    machine->wish = WISH_NONE;
    machine->console_waiters = 0;
    plic_reset(machine);
    uart_reset(machine);
    rtc_reset(machine);
}

bool machine_prepare(struct capsule *capsule)
{
    return flash_prepare(capsule->arch.machine);
}

static void wake_console_waiters(struct machine *machine)
{
    uint64_t waiters = machine->console_waiters;
    machine->console_waiters = 0;
    for (unsigned id = 0; waiters; id++, waiters >>= 1)
        if (waiters & 1)
            sched_wake(machine->capsule->vcpus[id]);
}

void machine_console_event(struct capsule *capsule)
{
    struct machine *machine = capsule->arch.machine;
    if (!machine)
        return;
    uart_event(machine);
    wake_console_waiters(machine);
}
