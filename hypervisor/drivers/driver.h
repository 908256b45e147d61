/*
 * Physical devices, one file each, bound by device-tree `compatible`. A driver knows registers; it
 * never calls up.
 *
 * A probe is called once at boot, by one hart, with a node whose `compatible` matches. It reads
 * what it needs from the tree (devicetree.h) and answers false when it cannot work with what is
 * there; the device is then as if it were not there.
 */
#ifndef DRIVERS_DRIVER_H
#define DRIVERS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A serial port. Context of all calls: one hart at a time (LOCK_SERIAL), or a panic. */
struct serial_driver {
    const char *const *compatible; /* ends with NULL */
    bool (*probe)(const void *fdt, int node);
    size_t (*put)(const char *bytes, size_t count); /* takes as many as there is room for now */
    int (*get)(void);                               /* -1 when nothing has come */
    void (*enable_interrupt)(void); /* on received characters; NULL if it has none */
};

extern const struct serial_driver uart_ns16550, uart_sifive, uart_htif;

/* A timer, inter-processor interrupts, or both (a CLINT, or ACLINT's MTIMER and MSWI). A machine
 * may have several, each for some of the harts: all are probed. */
struct timer_driver {
    const char *const *compatible;
    bool (*probe)(const void *fdt, int node);
};

extern const struct timer_driver clint, aclint_mtimer, aclint_mswi;

/* Any hart, for any hart; nothing happens for a hart that no device serves. */
void clint_set_timer(uint64_t hart_id, uint64_t deadline);
void clint_send_ipi(uint64_t hart_id);
void clint_clear_ipi(uint64_t hart_id);
/* Where a hart has no register for it, writing 1 to this one makes it an interrupt, too. */
void clint_send_ipi_by(uint64_t hart_id, uint64_t address);
/* Has the hart a timer and an inter-processor interrupt? */
bool clint_serves(uint64_t hart_id);
/* mtime; where it cannot be read in memory, the `time` CSR. */
uint64_t clint_time(void);
/* Where the hart's mtimecmp is, for code that must be quick; 0 if it has none or if it cannot be
 * written with one 64-bit store. */
uint64_t clint_mtimecmp(uint64_t hart_id);
/* The same of its register for inter-processor interrupts, to be written with 32-bit stores of 1
 * and 0; 0 if it has none. */
uint64_t clint_msip(uint64_t hart_id);

/* A physical interrupt controller; of its levels only the machine's is used. */
struct interrupt_driver {
    const char *name;
    const char *const *compatible;
    bool (*probe)(const void *fdt, int node);
    /* Do the sources that the tree gives to this node come to the one that was probed? */
    bool (*passes)(const void *fdt, int node);
    /* Routes a source to a hart; false when the controller does not know the source or the hart.
     * Its type is what the tree says (1 rising, 2 falling, 4 high, 8 low; 0 nothing). */
    bool (*route)(unsigned source, uint32_t type, uint64_t hart_id);
    /* On the hart itself. */
    unsigned (*claim)(uint64_t hart_id); /* 0 when nothing is pending */
    void (*complete)(uint64_t hart_id, unsigned source);
    void (*mask)(uint64_t hart_id, unsigned source); /* takes the route away again */
};

/* An IMSIC has no sources, so only `compatible` and `probe`. */
extern const struct interrupt_driver plic, aplic, imsic;

/* What harts use of their IMSICs: identities, from which an interrupt is made by writing one to a
 * hart's page. */
#define IMSIC_KICK      1
#define IMSIC_FORWARDED 2
/* A hart's page; 0 if it has none. */
uint64_t imsic_page(uint64_t hart_id);
/* Each hart, once, before it takes interrupts. */
void imsic_start(uint64_t hart_id);
/* On the hart itself: the identity of what is pending, 0 for nothing. */
unsigned imsic_claim(uint64_t hart_id);
/* How a page's address is made of the numbers of its hart's group and of its hart in the group. */
struct imsic_layout {
    uint64_t base;
    uint32_t hart_bits, group_bits, group_shift;
};
const struct imsic_layout *imsic_layout(void);

/* The machine's own switch. */
struct power_driver {
    const char *const *compatible;
    bool (*probe)(const void *fdt, int node);
    void (*off)(void); /* returns only if it did not work */
};

extern const struct power_driver power_sifive_test;

#endif
