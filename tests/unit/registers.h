/*
 * Device registers for tests of drivers: each keeps what was last written to it and reads as
 * that, unless a test puts a function in between. Included by one file of a test.
 */
#ifndef UNIT_REGISTERS_H
#define UNIT_REGISTERS_H

#include "mmio.h"
#include "unit.h"

#define REGISTERS_MAX 2048

static struct {
    uint64_t address, value;
} registers[REGISTERS_MAX];
static unsigned register_count;

/* What a read answers instead, and who sees a write first; NULL: nobody. */
static uint64_t (*on_read)(uint64_t address, unsigned size, uint64_t value);
static void (*on_write)(uint64_t address, unsigned size, uint64_t value);

static unsigned register_place(uint64_t address)
{
    for (unsigned i = 0; i < register_count; i++) {
        if (registers[i].address == address)
            return i;
    }
    if (register_count == REGISTERS_MAX)
        fail_msg("more than %u registers are used", REGISTERS_MAX);
    registers[register_count].address = address;
    registers[register_count].value = 0;
    return register_count++;
}

uint64_t mmio_read(uint64_t address, unsigned size)
{
    uint64_t value = registers[register_place(address)].value;

    assert_int_equal(address % size, 0);
    return on_read ? on_read(address, size, value) : value;
}

void mmio_write(uint64_t address, unsigned size, uint64_t value)
{
    assert_int_equal(address % size, 0);
    if (on_write)
        on_write(address, size, value);
    registers[register_place(address)].value = value;
}

/* What was last written there. */
static inline uint64_t written(uint64_t address)
{
    return registers[register_place(address)].value;
}

#endif
