/*
 * A capsule without a hypervisor: what the virtual machine asks of the world outside, answered from
 * plain variables that a test sets and reads.
 */
#ifndef UNIT_MACHINE_FAKES_H
#define UNIT_MACHINE_FAKES_H

#include "unit.h"
#include "capsule.h"
#include "fence.h"
#include "guest_access.h"
#include "interrupt.h"
#include "machine.h"
#include <stdbool.h>

#define FAKE_RAM_BASE 0x80000000UL
#define FAKE_RAM_SIZE 0x10000UL

extern struct fake {
    struct capsule capsule;
    uint8_t ram[FAKE_RAM_SIZE];
    uint64_t time, frequency;
    uint64_t lines[CAPSULE_VCPU_MAX];   /* interrupts that are up, by number */
    uint64_t enabled[CAPSULE_VCPU_MAX]; /* interrupts that wake it, by number */
    uint64_t timer[CAPSULE_VCPU_MAX];
    uint32_t fences[CAPSULE_VCPU_MAX];
    unsigned started[CAPSULE_VCPU_MAX], woken[CAPSULE_VCPU_MAX];
    unsigned stopped, blocked, yielded, resets, timer_updates;
    uint64_t blocked_until;
    struct gpa reset_entry;
    uint64_t reset_a0, reset_a1;
    unsigned stop_calls, restart_calls;
    enum error life_answer; /* of capsule_stop and capsule_restart */
    bool locked;
    bool memory_comes;   /* its RAM is not filled yet */
    bool open;           /* the capsule's memory: port_memory_open() */
    size_t console_room; /* bytes that the console still takes */
    char console[4096], serial[4096], input[64], serial_input[64];
    bool serial_full;
    size_t console_count, serial_count, input_count, serial_input_count;
    size_t flash_size, flash_room; /* bytes that the flash has taken, and could */
    unsigned shows;                /* of isolation_show_rom: calls, and what was shown last */
    bool shown[CAPSULE_FLASH_MAX];
    bool guest_faults; /* what guest_read answers */
    uint64_t guest_word, guest_address;
    unsigned injected;
    uint64_t injected_cause, injected_tval;
    uint64_t service_function, service_args[6];
    bool service_again;
    long service_error;
    uint32_t cbop_block_size, cboz_block_size;
} fake;

/* For the next fake_setup: first contents of a flash bank; gone afterwards. */
void fake_flash(unsigned bank, const void *bytes, size_t size);
/* A capsule with `vcpus` harts, its machine made, its first hart started. */
int fake_setup(unsigned vcpus);
int fake_teardown(void);
struct vcpu *fake_vcpu(unsigned id);
void fake_type(const char *text);

/* An access by hart 0; the read and write of 4 bytes and of 1 must succeed. */
bool fake_access(uint64_t address, unsigned size, bool write, uint64_t *value);
int64_t fake_look(uint64_t address, unsigned size);
uint32_t read32(uint64_t address);
void write32(uint64_t address, uint32_t value);
uint8_t read8(uint64_t address);
void write8(uint64_t address, uint8_t value);

#endif
