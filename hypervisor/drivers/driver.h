/*
 * Physical devices, one file each, bound by device-tree `compatible`. A driver knows registers; it
 * never calls up.
 */
#ifndef DRIVERS_DRIVER_H
#define DRIVERS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A serial port. Context of all calls: one hart at a time (LOCK_SERIAL), or a panic. */
struct serial_driver {
    const char *const *compatible; /* ends with NULL */
    /* `fdt` and `node` for further properties; false when it cannot work. */
    bool (*probe)(const void *fdt, int node, uint64_t base, uint64_t size);
    void (*put)(char character);       /* waits for room, but not for ever */
    int (*get)(void);                  /* -1 when nothing has come */
    void (*enable_interrupt)(void);    /* on received characters; NULL if it has none */
};

/* A timer and inter-processor interrupts (CLINT, or ACLINT's MTIMER and MSWI). */
struct timer_driver {
    const char *const *compatible;
    bool (*probe)(const void *fdt, int node, uint64_t base, uint64_t size);
};
void clint_set_timer(uint64_t hart_id, uint64_t deadline);
void clint_send_ipi(uint64_t hart_id);
void clint_clear_ipi(uint64_t hart_id);
uint64_t clint_time(void); /* mtime */

/* The physical interrupt controller, machine-mode contexts only. */
struct plic_driver {
    const char *const *compatible;
    bool (*probe)(const void *fdt, int node, uint64_t base, uint64_t size);
};
/* Routes a source to a hart; false when the controller does not know the hart. */
bool plic_route(unsigned source, uint64_t hart_id);
unsigned plic_claim(uint64_t hart_id); /* 0 when nothing is pending */
void plic_complete(uint64_t hart_id, unsigned source);
bool plic_present(void);

#endif
