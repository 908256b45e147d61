/*
 * The registers of a capsule's devices: accesses of every width, aligned or not, and what happens
 * outside meanwhile. The input is a sequence of such steps.
 *
 * No lock may be kept, no access may bring more bits than it has room for, and after each step the
 * harts' external interrupt lines must be what the interrupt controller's registers say.
 */
#include "fuzz.h"
#include "machine_fakes.h"
#include "devices.h"
#include "hart.h"
#include "port.h"
#include <string.h>

#define VCPUS      3
#define FLASH_SIZE (MACHINE_FLASH_SIZE * CAPSULE_FLASH_MAX)
#define BLOCK_SIZE (256UL * 1024)

static const struct {
    uint64_t base, size;
    unsigned offsets; /* bytes of an offset that reach its registers */
} devices[] = {
    {MACHINE_UART_BASE, MACHINE_UART_SIZE, 1},
    {MACHINE_RTC_BASE, MACHINE_RTC_SIZE, 1},
    {MACHINE_SYSCON_BASE, MACHINE_SYSCON_SIZE, 1},
    {MACHINE_VIRTIO_BASE, MACHINE_VIRTIO_SIZE *MACHINE_VIRTIO_COUNT, 2},
    {MACHINE_PLIC_BASE, MACHINE_PLIC_SIZE, 2},
    {MACHINE_PLIC_BASE + 0x200000, MACHINE_PLIC_SIZE - 0x200000, 2},
    {MACHINE_PLIC_BASE, MACHINE_PLIC_SIZE, 3},
    {MACHINE_FLASH_BASE, FLASH_SIZE, 1},
    {MACHINE_FLASH_BASE + MACHINE_FLASH_SIZE - 0x80, FLASH_SIZE, 2},
    {MACHINE_FLASH_BASE, FLASH_SIZE, 4},
};

#define DEVICES (sizeof devices / sizeof devices[0])

/* Blocks of the flash that were written to, to be put back for the next input. */
static bool dirty[FLASH_SIZE / BLOCK_SIZE];

static void clean_flash(void)
{
    struct flash *flash = &fake.capsule.arch.machine->flash;

    for (size_t i = 0; i < sizeof dirty; i++) {
        uint64_t bank = i * BLOCK_SIZE / MACHINE_FLASH_SIZE;

        if (dirty[i])
            memset(flash->banks[bank].contents + i * BLOCK_SIZE % MACHINE_FLASH_SIZE, 0,
                   BLOCK_SIZE);
        dirty[i] = false;
    }
}

static bool is_in_device(uint64_t address)
{
    for (size_t i = 0; i < DEVICES; i++)
        if (address - devices[i].base < devices[i].size)
            return true;
    return false;
}

/* Whatever command it turns out to be, it changes no more than its block. */
static void note_flash(uint64_t address, unsigned size)
{
    uint64_t offset = address - MACHINE_FLASH_BASE;

    for (unsigned i = 0; i < size; i += 4)
        if (offset + i < FLASH_SIZE)
            dirty[(offset + i) / BLOCK_SIZE] = true;
}

static void access_device(struct input *input)
{
    unsigned where = take(input, 1), how = take(input, 1), size = 1U << how % 4;
    uint64_t address = where < DEVICES ? devices[where].base + take(input, devices[where].offsets)
                                       : take(input, 8);
    uint64_t value, given = 0;
    bool write = how & 4;

    if (how & 8) /* most guests align their accesses */
        address &= ~(uint64_t)(size - 1);
    if (write)
        given = take(input, how & 16 ? 8 : 1);
    value = write ? given : 0x5a5a5a5a5a5a5a5a;
    if (write)
        note_flash(address, size);
    bool answered = fake_access(address, size, write, &value);

    CHECK(!answered || (is_in_device(address) && address % size == 0));
    if (write)
        CHECK(value == given);
    else if (!answered)
        CHECK(value == 0x5a5a5a5a5a5a5a5a);
    else
        CHECK(size == 8 || value >> 8 * size == 0);
}

/* What a hart's line must be, by the controller's registers alone (PLIC 1.0.0, chapters 4 to 8). */
static bool is_interrupted(const struct plic *plic, unsigned id)
{
    unsigned context = 2 * id + 1;

    for (unsigned source = 1; source < PLIC_SOURCES; source++) {
        uint32_t bit = 1U << source % 32;

        if (plic->pending[source / 32] & plic->enable[context][source / 32] & bit &&
            plic->priority[source] > plic->threshold[context])
            return true;
    }
    return false;
}

static void check_machine(void)
{
    const struct machine *machine = fake.capsule.arch.machine;
    const struct uart *uart = &machine->uart;

    CHECK(!fake.locked && machine->wish == WISH_NONE);
    CHECK(uart->receive.count <= UART_FIFO_SIZE && uart->transmit.count <= UART_FIFO_SIZE);
    for (unsigned source = 0; source < PLIC_SOURCES; source++)
        CHECK(machine->plic.priority[source] <= PLIC_PRIORITY_MAX);
    for (unsigned id = 0; id < VCPUS; id++)
        CHECK((fake.lines[id] >> IRQ_S_EXTERNAL & 1) == is_interrupted(&machine->plic, id));
    for (unsigned i = 0; i < CAPSULE_FLASH_MAX; i++)
        CHECK(fake.shown[i] == (machine->flash.banks[i].mode == FLASH_ARRAY));
}

static void outside(struct input *input, unsigned what)
{
    const uint8_t *bytes;
    size_t count;

    switch (what % 4) {
    case 0:
        fake.time += take(input, 4);
        machine_alarms(port_hart());
        break;
    case 1:
        bytes = take_bytes(input, 16, &count);
        if (count)
            memcpy(fake.input, bytes, count);
        fake.input_count = count;
        break;
    case 2:
        fake.console_room = take(input, 1);
        break;
    default:
        lock_acquire(&fake.capsule.lock);
        machine_console_event(&fake.capsule);
        lock_release(&fake.capsule.lock);
    }
}

/* One machine for all inputs: its flash is large. */
static void set_up(void)
{
    static const char contents[] = "contents";
    static bool made;

    if (!made) {
        setenv("CMOCKA_TEST_ABORT", "1", 1); /* a fake's assertion is a finding, too */
        fake_flash(0, contents, 1);
        fake_flash(1, contents, 1);
        CHECK(fake_setup(VCPUS) == OK);
        made = true;
    }
    fake.time = 1000;
    port_hart()->arch.alarm = UINT64_MAX;
    fake.input_count = 0;
    fake.console_room = 16;
    lock_acquire(&fake.capsule.lock);
    machine_reset(&fake.capsule);
    lock_release(&fake.capsule.lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    set_up();
    check_machine();
    while (input.left) {
        unsigned what = take(&input, 1);

        if (what < 64)
            outside(&input, what);
        else
            access_device(&input);
        fake.console_count = 0;
        check_machine();
    }
    clean_flash();
    return 0;
}
