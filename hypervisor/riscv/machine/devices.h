/*
 * The state of a capsule's virtual devices. Private to the machine: the world outside sees
 * machine.h. All of it is guarded by the capsule's lock unless it says otherwise.
 */
#ifndef MACHINE_DEVICES_H
#define MACHINE_DEVICES_H

#include "machine.h"

#define UART_FIFO_SIZE 16

struct uart_fifo {
    uint8_t bytes[UART_FIFO_SIZE];
    unsigned first, count;
};

struct uart {
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
    uint8_t line_errors;  /* LSR's error bits, which a read clears */
    uint8_t modem_deltas; /* MSR's low half, which a read clears */
    bool thre_interrupt;  /* raised and not yet acknowledged */
    struct uart_fifo receive, transmit;
};

/* As on `virt`: sources 1 .. 95, and a machine and a supervisor context for each hart. */
#define PLIC_SOURCES      96
#define PLIC_WORDS        (PLIC_SOURCES / 32)
#define PLIC_PRIORITY_MAX 7
#define PLIC_CONTEXTS     (2 * CAPSULE_VCPU_MAX)

struct plic {
    uint8_t priority[PLIC_SOURCES];
    uint32_t level[PLIC_WORDS];   /* the wires from the devices */
    uint32_t pending[PLIC_WORDS]; /* the IP bits */
    uint32_t claimed[PLIC_WORDS]; /* the gateway waits for the completion */
    uint32_t enable[PLIC_CONTEXTS][PLIC_WORDS];
    uint8_t threshold[PLIC_CONTEXTS];
    uint64_t driven; /* harts whose external interrupt line is up, by bit */
};

struct rtc {
    uint64_t offset; /* ns that the guest has moved its clock by */
    uint64_t alarm;  /* ns since the epoch */
    uint32_t latched_high;
    bool alarm_running, interrupt_enabled, interrupt_pending;
    struct hart *keeper; /* whose timer looks after the alarm; NULL until one is set */
};

#define FLASH_BUFFER_SIZE 128 /* of a bank's two chips together */
#define FLASH_LOCK_WORDS  2

enum flash_mode {
    FLASH_ARRAY,
    FLASH_STATUS,
    FLASH_IDENTIFIER,
    FLASH_QUERY
};

struct flash_bank {
    uint8_t *contents; /* NULL: no such bank */
    enum flash_mode mode;
    uint8_t command; /* whose second cycle is expected; 0 none */
    uint8_t status;
    uint64_t locked[FLASH_LOCK_WORDS]; /* a bit for each block */
    unsigned buffer_left;              /* data cycles to come */
    uint64_t buffer_place;             /* where in the bank */
    uint8_t buffer[FLASH_BUFFER_SIZE];
};

struct flash {
    struct flash_bank banks[CAPSULE_FLASH_MAX];
    uint64_t prepared; /* bytes of all banks that have their first contents */
};

/* What a device asks for that takes no lock to be held: carried out when the capsule's is released.
 */
enum machine_wish {
    WISH_NONE,
    WISH_STOP,
    WISH_RESTART,
    WISH_FENCE /* the guest-physical map has changed */
};

struct machine {
    struct capsule *capsule;
    struct uart uart;
    struct plic plic;
    struct rtc rtc;
    struct flash flash;
    enum machine_wish wish;
    uint64_t console_waiters; /* vCPUs that wait for room in the console, by bit */
};

/* A device register is read or written: false when it does not answer to this access. */
bool uart_access(struct machine *machine, struct mmio *mmio);
bool plic_access(struct machine *machine, struct mmio *mmio);
bool rtc_access(struct machine *machine, struct mmio *mmio);
bool syscon_access(struct machine *machine, struct mmio *mmio);
bool virtio_empty_access(struct machine *machine, struct mmio *mmio);

/* The look of machine_look() for a device that guests poll; counts the exit. No locks held. */
int64_t uart_look(struct vcpu *vcpu, uint64_t offset);
int64_t plic_look(struct vcpu *vcpu, uint64_t offset);

bool flash_access(struct machine *machine, struct mmio *mmio);
/* Is there a bank at this guest-physical address? No lock needed: it stays. */
bool flash_is_at(const struct machine *machine, uint64_t address);

/* Takes the banks' memory, if the capsule has flash; ERROR_NO_MEMORY. */
enum error flash_create(struct machine *machine);
void flash_destroy(struct machine *machine);
void flash_reset(struct machine *machine);
/* A step of filling them; true when all is done. */
bool flash_prepare(struct machine *machine);

void uart_reset(struct machine *machine);
/* Room for output or new input has appeared. */
void uart_event(struct machine *machine);

void plic_reset(struct machine *machine);
/* The wire of a device: level-sensitive. */
void plic_set_level(struct machine *machine, unsigned source, bool high);

void rtc_reset(struct machine *machine);

#endif
