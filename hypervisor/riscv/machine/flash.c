/*
 * The two banks of NOR flash of `virt` (hw/riscv/virt.c), for guests whose manifest gives them
 * contents: firmware starts there and keeps its variables there.
 *
 * A bank is two chips of 16 bits side by side on a bus of 32, which take the same commands at the
 * same time: Intel's command set (CFI primary command set 1), as the P30 family has it. What is
 * read depends on the mode that the last command has set:
 *
 *   array        the contents: the guest reads and executes them straight from memory, by G-stage
 *                pages that forbid writing; only writes come here
 *   status, identifier, query
 *                the pages are taken out, so reads come here, too
 *
 * A command of two cycles waits for its second one in bank->command. All work is done at once, so
 * the chips are always ready. Programming can only clear bits, erasing sets those of a block.
 *
 * The contents are memory of the capsule's own, filled from the image in steps before the first
 * instruction of each life; what the guest has written is gone when it restarts.
 */
#include "devices.h"
#include "isolation.h"
#include "log.h"
#include "memory.h"
#include "port.h"
#include <string.h>

#define BANK_SIZE   CAPSULE_FLASH_SIZE
#define BLOCK_SIZE  (256UL * 1024)
#define FILL_STEP   (1UL << 20)
#define LOCKED_BITS 64

_Static_assert(BANK_SIZE == MACHINE_FLASH_SIZE, "the image's idea of a bank is the machine's");
_Static_assert(LOAD_FLASH_ADDRESS == MACHINE_FLASH_BASE, "and the loader's of where they are");
_Static_assert(BANK_SIZE / BLOCK_SIZE <= FLASH_LOCK_WORDS * LOCKED_BITS, "a bit for each block");

/* Commands: Numonyx StrataFlash Embedded Memory (P30) datasheet, "Command Set". */
enum {
    PROGRAM_ALTERNATE = 0x10,
    ERASE_SETUP = 0x20,
    PROGRAM_SETUP = 0x40,
    CLEAR_STATUS = 0x50,
    LOCK_SETUP = 0x60,
    READ_STATUS = 0x70,
    READ_IDENTIFIER = 0x90,
    READ_QUERY = 0x98,
    SUSPEND = 0xb0,
    CONFIRM = 0xd0, /* also: resume, unlock */
    BUFFER_SETUP = 0xe8,
    READ_ARRAY = 0xff,
    /* the second cycle of LOCK_SETUP */
    LOCK_BLOCK = 0x01,
    LOCK_CONFIGURATION = 0x03,
    LOCK_DOWN = 0x2f,
    /* bank->command while a buffered program goes on: no command has these numbers */
    BUFFER_DATA = 1,
    BUFFER_CONFIRM = 2,
};

/* The status register, same place. */
#define STATUS_LOCKED   0x02
#define STATUS_PROGRAM  0x10
#define STATUS_ERASE    0x20
#define STATUS_READY    0x80
#define STATUS_SEQUENCE (STATUS_PROGRAM | STATUS_ERASE)

#define MANUFACTURER_INTEL 0x89
#define DEVICE_P30_128     0x18
#define IDENTIFIER_LOCK    2 /* of the block that is read */

/* What a chip answers in query mode from word 0x10 on (JEDEC JESD68.01, tables 1 to 4): 16 MiB in
 * 128 blocks of 128 KiB, a write buffer of 64 bytes. The extended table at 0x31 is that of command
 * set 1, version 1.0: blocks can be locked one by one. */
#define QUERY_FIRST 0x10
static const uint8_t query[] = {
    'Q',  'R',  'Y', 1,    0,   0x31, 0, 0, 0,
    0,    0,                                /* command set, extended table; no alternate ones */
    0x17, 0x20, 0,   0,                     /* 1.7 to 2.0 V */
    7,    7,    10,  0,    4,   4,    4, 0, /* typical times, 2^n us and ms, and maxima */
    24,   1,    0,   6,    0,   1,          /* 2^24 bytes, 16 bits wide, buffer 2^6, one region */
    127,  0,    0,   2,                     /* 127 + 1 blocks of 0x200 * 256 bytes */
    'P',  'R',  'I', '1',  '0', 0x20, 0, 0, 0, /* features: individual locking */
    0,    1,    0,   0x18, 0,   0,             /* no suspending; lock bits; 1.8 V */
};

bool flash_is_at(const struct machine *machine, uint64_t address)
{
    uint64_t offset = address - MACHINE_FLASH_BASE; /* wraps below the base */
    return offset < CAPSULE_FLASH_MAX * BANK_SIZE &&
           machine->flash.banks[offset / BANK_SIZE].contents != NULL;
}

static struct flash_bank *bank_at(struct machine *machine, uint64_t offset)
{
    struct flash_bank *bank = &machine->flash.banks[offset / BANK_SIZE];
    return bank->contents ? bank : NULL;
}

static uint64_t bank_address(const struct machine *machine, const struct flash_bank *bank)
{
    return MACHINE_FLASH_BASE + (uint64_t)(bank - machine->flash.banks) * BANK_SIZE;
}

/* The pages are there in array mode alone. The guest's other harts learn of it by the wish. */
static void set_mode(struct machine *machine, struct flash_bank *bank, enum flash_mode mode)
{
    bool shown = mode == FLASH_ARRAY;
    if (shown != (bank->mode == FLASH_ARRAY)) {
        isolation_show_rom(machine->capsule, gpa(bank_address(machine, bank)),
                           hpa_of(bank->contents), BANK_SIZE, shown);
        machine->wish = WISH_FENCE;
    }
    bank->mode = mode;
}

/* --- blocks --- */

static bool is_locked(const struct flash_bank *bank, uint64_t offset)
{
    uint64_t block = offset / BLOCK_SIZE;
    return bank->locked[block / LOCKED_BITS] >> block % LOCKED_BITS & 1;
}

static void set_locked(struct flash_bank *bank, uint64_t offset, bool locked)
{
    uint64_t block = offset / BLOCK_SIZE, bit = 1UL << block % LOCKED_BITS;
    if (locked)
        bank->locked[block / LOCKED_BITS] |= bit;
    else
        bank->locked[block / LOCKED_BITS] &= ~bit;
}

static void program(struct flash_bank *bank, uint64_t offset, const uint8_t *bytes, unsigned count)
{
    if (is_locked(bank, offset)) {
        bank->status |= STATUS_PROGRAM | STATUS_LOCKED;
        return;
    }
    for (unsigned i = 0; i < count; i++)
        bank->contents[offset + i] &= bytes[i];
}

static void erase(struct flash_bank *bank, uint64_t offset)
{
    if (is_locked(bank, offset))
        bank->status |= STATUS_ERASE | STATUS_LOCKED;
    else
        memset(bank->contents + align_down(offset, BLOCK_SIZE), 0xff, BLOCK_SIZE);
}

/* --- buffered programming --- */

/* Of a buffer that has no data yet, and of one whose data do not belong together. */
#define PLACE_NONE  UINT64_MAX
#define PLACE_WRONG (UINT64_MAX - 1)

/* The value is the number of data cycles less one. */
static void start_buffer(struct flash_bank *bank, uint32_t value)
{
    unsigned cycles = (value & 0xffff) + 1;
    bank->command = 0;
    if (cycles > FLASH_BUFFER_SIZE / 4) {
        bank->status |= STATUS_SEQUENCE;
        return;
    }
    memset(bank->buffer, 0xff, sizeof bank->buffer); /* which programs nothing */
    bank->buffer_left = cycles;
    bank->buffer_place = PLACE_NONE;
    bank->command = BUFFER_DATA;
}

/* All data of one buffer belong to one aligned piece of the array. */
static void fill_buffer(struct flash_bank *bank, uint64_t offset, const uint8_t *bytes,
                        unsigned count)
{
    uint64_t place = align_down(offset, FLASH_BUFFER_SIZE);
    if (bank->buffer_place == PLACE_NONE)
        bank->buffer_place = place;
    if (bank->buffer_place == place)
        memcpy(bank->buffer + offset % FLASH_BUFFER_SIZE, bytes, count);
    else
        bank->buffer_place = PLACE_WRONG;
    if (--bank->buffer_left == 0)
        bank->command = BUFFER_CONFIRM;
}

static void end_buffer(struct flash_bank *bank, uint8_t confirmation)
{
    bank->command = 0;
    if (confirmation != CONFIRM || bank->buffer_place == PLACE_WRONG)
        bank->status |= STATUS_SEQUENCE;
    else
        program(bank, bank->buffer_place, bank->buffer, FLASH_BUFFER_SIZE);
}

/* --- commands --- */

static void first_cycle(struct machine *machine, struct flash_bank *bank, uint8_t command)
{
    switch (command) {
    case PROGRAM_SETUP:
    case PROGRAM_ALTERNATE:
    case ERASE_SETUP:
    case LOCK_SETUP:
    case BUFFER_SETUP:
        bank->command = command;
        set_mode(machine, bank, FLASH_STATUS);
        break;
    case READ_STATUS:
    case SUSPEND: /* nothing goes on that could be suspended */
    case CONFIRM: /* or resumed */
        set_mode(machine, bank, FLASH_STATUS);
        break;
    case READ_IDENTIFIER:
        set_mode(machine, bank, FLASH_IDENTIFIER);
        break;
    case READ_QUERY:
        set_mode(machine, bank, FLASH_QUERY);
        break;
    case CLEAR_STATUS:
        bank->status = STATUS_READY;
        break;
    default: /* READ_ARRAY, and what there is no such command for */
        set_mode(machine, bank, FLASH_ARRAY);
    }
}

static void lock_cycle(struct flash_bank *bank, uint64_t offset, uint8_t second)
{
    bank->command = 0;
    if (second == LOCK_BLOCK || second == LOCK_DOWN)
        set_locked(bank, offset, true);
    else if (second == CONFIRM)
        set_locked(bank, offset, false);
    else if (second != LOCK_CONFIGURATION)
        bank->status |= STATUS_SEQUENCE;
}

static void write(struct machine *machine, struct flash_bank *bank, uint64_t offset, uint32_t value,
                  unsigned size)
{
    uint8_t bytes[4];
    memcpy(bytes, &value, sizeof bytes);
    switch (bank->command) {
    case 0:
        first_cycle(machine, bank, bytes[0]);
        break;
    case PROGRAM_SETUP:
    case PROGRAM_ALTERNATE:
        bank->command = 0;
        program(bank, offset, bytes, size);
        break;
    case ERASE_SETUP:
        bank->command = 0;
        if (bytes[0] == CONFIRM)
            erase(bank, offset);
        else
            bank->status |= STATUS_SEQUENCE;
        break;
    case LOCK_SETUP:
        lock_cycle(bank, offset, bytes[0]);
        break;
    case BUFFER_SETUP:
        start_buffer(bank, value);
        break;
    case BUFFER_DATA:
        fill_buffer(bank, offset, bytes, size);
        break;
    default:
        end_buffer(bank, bytes[0]);
    }
}

/* --- reading --- */

/* A chip's answer at an offset into the bank, of which each word is 4 bytes wide. */
static uint8_t answer(const struct flash_bank *bank, uint64_t offset)
{
    uint64_t word = offset % BLOCK_SIZE / 4;
    if (bank->mode == FLASH_STATUS)
        return bank->status;
    if (bank->mode == FLASH_QUERY)
        return word - QUERY_FIRST < sizeof query ? query[word - QUERY_FIRST] : 0;
    switch (word) {
    case 0:
        return MANUFACTURER_INTEL;
    case 1:
        return DEVICE_P30_128;
    case IDENTIFIER_LOCK:
        return is_locked(bank, offset);
    default:
        return 0;
    }
}

static uint64_t read(const struct flash_bank *bank, uint64_t offset, unsigned size)
{
    uint64_t value = 0;
    if (bank->mode == FLASH_ARRAY) {
        memcpy(&value, bank->contents + offset, size);
        return value;
    }
    for (unsigned i = 0; i < size; i++) /* both chips say the same, in the low half of a word */
        if ((offset + i) % 2 == 0)
            value |= (uint64_t)answer(bank, offset + i) << 8 * i;
    return value;
}

bool flash_access(struct machine *machine, struct mmio *mmio)
{
    struct flash_bank *bank = bank_at(machine, mmio->offset);
    uint64_t offset = mmio->offset % BANK_SIZE;
    if (!bank)
        return false;
    port_memory_open(machine->capsule);
    if (!mmio->write) {
        mmio->value = read(bank, offset, mmio->size);
    } else if (mmio->size == 8) { /* two cycles on a bus of 32 bits */
        write(machine, bank, offset, (uint32_t)mmio->value, 4);
        write(machine, bank, offset + 4, (uint32_t)(mmio->value >> 32), 4);
    } else {
        write(machine, bank, offset, (uint32_t)mmio->value, mmio->size);
    }
    port_memory_close();
    return true;
}

/* --- life --- */

enum error flash_create(struct machine *machine)
{
    struct capsule *capsule = machine->capsule;
    unsigned banks = 0;
    struct hpa base;
    for (unsigned i = 0; i < CAPSULE_FLASH_MAX; i++)
        banks += capsule->config.flash[i].data != NULL;
    if (banks == 0)
        return OK;
    if (memory_alloc(banks * BANK_SIZE, MEGAPAGE_SIZE, capsule->id, &base) != OK) {
        log_error("capsule %s: no %lu MiB of free memory for its flash", capsule->config.name,
                  banks * BANK_SIZE >> 20);
        return ERROR_NO_MEMORY;
    }
    capsule->arch.rom_host = base;
    capsule->arch.rom_size = banks * BANK_SIZE;
    for (unsigned i = 0; i < CAPSULE_FLASH_MAX; i++) {
        struct flash_bank *bank = &machine->flash.banks[i];
        if (!capsule->config.flash[i].data)
            continue;
        bank->contents = hpa_pointer(base);
        bank->mode = FLASH_STATUS; /* until the first reset: no pages yet */
        base.value += BANK_SIZE;
    }
    return OK;
}

void flash_destroy(struct machine *machine)
{
    struct capsule *capsule = machine->capsule;
    if (capsule->arch.rom_size != 0)
        memory_free(capsule->arch.rom_host, capsule->arch.rom_size, capsule->id);
    capsule->arch.rom_size = 0;
}

void flash_reset(struct machine *machine)
{
    machine->flash.prepared = 0;
    for (unsigned i = 0; i < CAPSULE_FLASH_MAX; i++) {
        struct flash_bank *bank = &machine->flash.banks[i];
        if (!bank->contents)
            continue;
        bank->command = 0;
        bank->status = STATUS_READY;
        memset(bank->locked, 0, sizeof bank->locked);
        set_mode(machine, bank, FLASH_ARRAY);
    }
}

/* A step of the first contents: from the image as far as that goes, then zero. */
bool flash_prepare(struct machine *machine)
{
    uint64_t at = machine->flash.prepared, offset = at % BANK_SIZE, copied = 0;
    while (at < CAPSULE_FLASH_MAX * BANK_SIZE && !machine->flash.banks[at / BANK_SIZE].contents)
        at += BANK_SIZE;
    machine->flash.prepared = at;
    if (at == CAPSULE_FLASH_MAX * BANK_SIZE)
        return true;
    uint8_t *contents = machine->flash.banks[at / BANK_SIZE].contents;
    const struct blob *blob = &machine->capsule->config.flash[at / BANK_SIZE];
    if (offset < blob->size)
        copied = blob->size - offset < FILL_STEP ? blob->size - offset : FILL_STEP;
    port_memory_open(machine->capsule);
    memcpy(contents + offset, (const uint8_t *)blob->data + offset, copied);
    memset(contents + offset + copied, 0, FILL_STEP - copied);
    port_memory_close();
    machine->flash.prepared += FILL_STEP;
    return false;
}
