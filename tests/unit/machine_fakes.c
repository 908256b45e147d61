/* See machine_fakes.h. Linked into each test of the machine as one of its sources. */
#include "machine_fakes.h"
#include "devices.h"
#include "entry.h"
#include "inject.h"
#include "isolation.h"
#include "lock.h"
#include "log.h"
#include "memory.h"
#include "port.h"
#include "sched.h"
#include "service.h"
#include <stdlib.h>
#include <string.h>

struct fake fake;
struct capsule *capsules[CAPSULE_MAX] = {&fake.capsule};
unsigned capsule_count = 1;
static struct hart the_hart;

static struct blob next_flash[CAPSULE_FLASH_MAX];

void fake_flash(unsigned bank, const void *bytes, size_t size)
{
    next_flash[bank] = (struct blob){bytes, size, "flash"};
}

static void *machine_place;

int fake_setup(unsigned vcpus)
{
    static const char extensions[] = "i\0m\0a\0f\0d\0c\0zicsr\0zifencei";
    memset(&fake, 0, sizeof fake);
    fake.flash_room = SIZE_MAX;
    memcpy(fake.capsule.config.flash, next_flash, sizeof next_flash);
    memset(next_flash, 0, sizeof next_flash);
    fake.frequency = 10000000;
    the_hart.arch.alarm = UINT64_MAX;
    fake.console_room = sizeof fake.console;
    strcpy(fake.capsule.config.name, "guest");
    fake.capsule.config.bootargs = "console=ttyS0";
    fake.capsule.arch.isa = isa_of_list(extensions, sizeof extensions);
    fake.capsule.ram_base = gpa(FAKE_RAM_BASE);
    fake.capsule.ram_size = FAKE_RAM_SIZE;
    fake.capsule.vcpu_count = vcpus;
    for (unsigned id = 0; id < vcpus; id++) {
        struct vcpu *vcpu = calloc(1, sizeof *vcpu);
        vcpu->capsule = &fake.capsule;
        vcpu->id = id;
        atomic_store(&vcpu->hsm, id == 0 ? HSM_STARTED : HSM_STOPPED);
        fake.capsule.vcpus[id] = vcpu;
    }
    fake.locked = true;
    machine_place = calloc(1, machine_size());
    enum error error = machine_create(&fake.capsule, machine_place);
    fake.locked = false;
    return error;
}

int fake_teardown(void)
{
    assert_false(fake.open);
    machine_destroy(&fake.capsule);
    free(machine_place);
    for (unsigned id = 0; id < fake.capsule.vcpu_count; id++)
        free(fake.capsule.vcpus[id]);
    return 0;
}

struct vcpu *fake_vcpu(unsigned id)
{
    return fake.capsule.vcpus[id];
}

void fake_type(const char *text)
{
    memcpy(fake.input + fake.input_count, text, strlen(text));
    fake.input_count += strlen(text);
}

/* What a look gives is what a read gives, and where there is one, neither changes anything. */
static bool read_both_ways(uint64_t address, unsigned size, uint64_t *value)
{
    static struct machine before;
    uint64_t lines[CAPSULE_VCPU_MAX];
    memcpy(&before, fake.capsule.arch.machine, sizeof before);
    memcpy(lines, fake.lines, sizeof lines);
    int64_t seen = machine_look(fake_vcpu(0), gpa(address), size);
    assert_memory_equal(&before, fake.capsule.arch.machine, sizeof before);
    bool answered = machine_mmio(fake_vcpu(0), gpa(address), size, false, value);
    if (seen != MACHINE_NO_LOOK) {
        assert_true(answered);
        assert_int_equal(seen, *value);
        assert_memory_equal(&before, fake.capsule.arch.machine, sizeof before);
        assert_memory_equal(lines, fake.lines, sizeof lines);
    }
    return answered;
}

bool fake_access(uint64_t address, unsigned size, bool write, uint64_t *value)
{
    if (!write)
        return read_both_ways(address, size, value);
    return machine_mmio(fake_vcpu(0), gpa(address), size, true, value);
}

int64_t fake_look(uint64_t address, unsigned size)
{
    return machine_look(fake_vcpu(0), gpa(address), size);
}

uint32_t read32(uint64_t address)
{
    uint64_t value = UINT64_MAX;
    assert_true(fake_access(address, 4, false, &value));
    assert_int_equal(value >> 32, 0);
    return (uint32_t)value;
}

void write32(uint64_t address, uint32_t value)
{
    uint64_t wide = value;
    assert_true(fake_access(address, 4, true, &wide));
}

uint8_t read8(uint64_t address)
{
    uint64_t value = UINT64_MAX;
    assert_true(fake_access(address, 1, false, &value));
    assert_int_equal(value >> 8, 0);
    return (uint8_t)value;
}

void write8(uint64_t address, uint8_t value)
{
    uint64_t wide = value;
    assert_true(fake_access(address, 1, true, &wide));
}

/* --- the core --- */

void lock_acquire(struct lock *lock)
{
    assert_ptr_equal(lock, &fake.capsule.lock);
    assert_false(fake.locked);
    fake.locked = true;
}

void lock_release(struct lock *lock)
{
    assert_ptr_equal(lock, &fake.capsule.lock);
    assert_true(fake.locked);
    fake.locked = false;
}

void log_write(const char *format, ...)
{
    (void)format;
}

void *memory_alloc_pages(size_t size)
{
    assert_int_equal(size % PAGE_SIZE, 0);
    return calloc(1, size);
}

void memory_free_pages(void *pages, size_t size)
{
    (void)size;
    free(pages);
}

enum error memory_alloc(uint64_t size, uint64_t align, int owner, struct hpa *base)
{
    assert_int_equal(owner, fake.capsule.id);
    if (size > fake.flash_room)
        return ERROR_NO_MEMORY;
    fake.flash_size += size;
    *base = hpa_of(aligned_alloc(align, size));
    return OK;
}

void memory_free(struct hpa base, uint64_t size, int owner)
{
    assert_int_equal(owner, fake.capsule.id);
    fake.flash_size -= size;
    free(hpa_pointer(base));
}

void isolation_show_rom(struct capsule *capsule, struct gpa guest, struct hpa host, uint64_t size,
                        bool shown)
{
    uint64_t bank = (guest.value - MACHINE_FLASH_BASE) / MACHINE_FLASH_SIZE;
    assert_true(fake.locked);
    assert_int_equal(size, MACHINE_FLASH_SIZE);
    assert_true(host.value >= capsule->arch.rom_host.value &&
                host.value + size <= capsule->arch.rom_host.value + capsule->arch.rom_size);
    fake.shows++;
    fake.shown[bank] = shown;
}

/* Never a second one meanwhile. */
void port_memory_open(struct capsule *capsule)
{
    assert_ptr_equal(capsule, &fake.capsule);
    assert_false(fake.open);
    fake.open = true;
}

void port_memory_close(void)
{
    fake.open = false;
}

void *capsule_memory(const struct capsule *capsule, struct gpa address, uint64_t size)
{
    assert_ptr_equal(capsule, &fake.capsule);
    uint64_t offset = address.value - FAKE_RAM_BASE;
    if (offset >= FAKE_RAM_SIZE || size > FAKE_RAM_SIZE - offset)
        return NULL;
    return fake.ram + offset;
}

bool capsule_has_memory(const struct capsule *capsule, struct gpa address, uint64_t size)
{
    return capsule_memory(capsule, address, size) != NULL;
}

bool capsule_memory_fill(struct capsule *capsule, struct gpa address, uint64_t size)
{
    assert_false(fake.open);
    return fake.memory_comes && capsule_has_memory(capsule, address, size);
}

bool isolation_memory_comes_at(struct vcpu *vcpu, uint64_t virtual_address)
{
    (void)vcpu;
    assert_int_equal(virtual_address, fake.guest_address);
    return fake.memory_comes;
}

/* Both take LOCK_CAPSULE. */
enum error capsule_stop(struct capsule *capsule)
{
    assert_ptr_equal(capsule, &fake.capsule);
    assert_false(fake.locked);
    fake.stop_calls++;
    return fake.life_answer;
}

enum error capsule_restart(struct capsule *capsule)
{
    assert_ptr_equal(capsule, &fake.capsule);
    assert_false(fake.locked);
    fake.restart_calls++;
    return fake.life_answer;
}

static size_t take(char *from, size_t *stored, uint8_t *bytes, size_t count)
{
    if (count > *stored)
        count = *stored;
    memcpy(bytes, from, count);
    *stored -= count;
    memmove(from, from + count, *stored);
    return count;
}

size_t console_write(struct capsule *capsule, const uint8_t *bytes, size_t count)
{
    assert_ptr_equal(capsule, &fake.capsule);
    if (count > fake.console_room)
        count = fake.console_room;
    memcpy(fake.console + fake.console_count, bytes, count);
    fake.console_count += count;
    fake.console_room -= count;
    return count;
}

size_t console_space(struct capsule *capsule)
{
    (void)capsule;
    return fake.console_room;
}

size_t console_read(struct capsule *capsule, uint8_t *bytes, size_t count)
{
    (void)capsule;
    return take(fake.input, &fake.input_count, bytes, count);
}

bool console_has_input(const struct capsule *capsule)
{
    (void)capsule;
    return fake.input_count != 0;
}

size_t console_take_serial(uint8_t *bytes, size_t count)
{
    assert_false(fake.locked);
    return take(fake.serial_input, &fake.serial_input_count, bytes, count);
}

void sched_start(struct vcpu *vcpu)
{
    assert_int_equal(atomic_load(&vcpu->hsm), HSM_STARTED);
    fake.started[vcpu->id]++;
}

void sched_stop_current(struct vcpu *vcpu)
{
    (void)vcpu;
    fake.stopped++;
}

void sched_block_current(struct vcpu *vcpu, uint64_t deadline)
{
    (void)vcpu;
    fake.blocked++;
    fake.blocked_until = deadline;
}

void sched_yield_current(struct vcpu *vcpu)
{
    (void)vcpu;
    fake.yielded++;
}

void sched_update_timer(struct hart *hart)
{
    assert_ptr_equal(hart, &the_hart);
    fake.timer_updates++;
}

void sched_wake(struct vcpu *vcpu)
{
    fake.woken[vcpu->id]++;
}

struct service_result service_call(struct vcpu *vcpu, uint64_t function, const uint64_t args[6],
                                   bool *again)
{
    assert_ptr_equal(vcpu, fake_vcpu(0));
    fake.service_function = function;
    memcpy(fake.service_args, args, sizeof fake.service_args);
    *again = fake.service_again;
    return (struct service_result){.error = fake.service_error, .value = 71, .extra = 72};
}

/* --- the port --- */

uint64_t port_time(void)
{
    return fake.time;
}

uint64_t port_frequency(void)
{
    return fake.frequency;
}

struct hart *port_hart(void)
{
    return &the_hart;
}

void port_serial_write(const char *bytes, size_t count)
{
    memcpy(fake.serial + fake.serial_count, bytes, count);
    fake.serial_count += count;
}

size_t port_serial_put(const char *bytes, size_t count)
{
    if (fake.serial_full)
        return 0;
    port_serial_write(bytes, count);
    return count;
}

void vcpu_begin(struct vcpu *vcpu, struct gpa entry, uint64_t a0, uint64_t a1)
{
    memset(&vcpu->arch, 0, offsetof(struct vcpu_arch, interrupts));
    vcpu->arch.x[0] = entry.value;
    vcpu->arch.x[10] = a0;
    vcpu->arch.x[11] = a1;
    fake.resets++;
    fake.reset_entry = entry;
    fake.reset_a0 = a0;
    fake.reset_a1 = a1;
}

void interrupt_raise(struct vcpu *vcpu, unsigned irq)
{
    fake.lines[vcpu->id] |= UINT64_C(1) << irq;
}

void interrupt_lower(struct vcpu *vcpu, unsigned irq)
{
    fake.lines[vcpu->id] &= ~(UINT64_C(1) << irq);
}

bool interrupt_clear_software(struct vcpu *vcpu)
{
    bool pending = fake.lines[vcpu->id] >> IRQ_S_SOFT & 1;
    interrupt_lower(vcpu, IRQ_S_SOFT);
    return pending;
}

void interrupt_set_timer(struct vcpu *vcpu, uint64_t deadline)
{
    fake.timer[vcpu->id] = deadline;
}

bool interrupt_is_pending(const struct vcpu *vcpu)
{
    return fake.enabled[vcpu->id] & fake.lines[vcpu->id];
}

void fence_request(struct vcpu *target, uint32_t kinds)
{
    assert_false(fake.locked);
    fake.fences[target->id] |= kinds;
}

void fence_capsule(struct vcpu *vcpu, uint32_t kinds)
{
    assert_ptr_equal(vcpu, fake_vcpu(0));
    for (unsigned id = 0; id < fake.capsule.vcpu_count; id++)
        fence_request(fake_vcpu(id), kinds);
}

bool guest_read(struct vcpu *vcpu, void *to, uint64_t virtual_address, size_t size,
                struct guest_fault *fault)
{
    (void)vcpu;
    fake.guest_address = virtual_address;
    *fault = (struct guest_fault){.cause = 13, .tval = virtual_address};
    memcpy(to, &fake.guest_word, size);
    return !fake.guest_faults;
}

void inject_exception(struct vcpu *vcpu, uint64_t cause, uint64_t tval)
{
    (void)vcpu;
    fake.injected++;
    fake.injected_cause = cause;
    fake.injected_tval = tval;
}

const char *platform_mmu_type(void)
{
    return "riscv,sv39";
}

uint32_t platform_cbop_block_size(void)
{
    return fake.cbop_block_size;
}

uint32_t platform_cboz_block_size(void)
{
    return fake.cboz_block_size;
}
