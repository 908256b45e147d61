/* The words of /chosen/bootargs that steer the hypervisor: `isolation=auto|pmp`, `services=no`,
 * `guests=no`, each also with `yes`. Debug builds know more, for tests: `fail=...`, `violate=...`.
 * Unknown words are logged and ignored. */
#ifndef CORE_BOOTARGS_H
#define CORE_BOOTARGS_H

#include <stdbool.h>
#include <stdint.h>

struct bootargs {
    bool force_pmp;
    bool no_services, no_guests;
#ifdef DEBUG
    /* What goes wrong on purpose, for tests. */
    struct {
        uint64_t allocation;       /* the n-th of boot; 0: none */
        bool start;                /* each allocation of a start after boot, one after the other */
        bool hart_away, hart_late; /* the last one in the list that is not the first to come in */
        bool serial;               /* once guests run, the port takes nothing and gives nothing */
        uint64_t pmp1, pmp3, pmp6; /* that entry of PMP at the n-th world switch; 0: never */
        uint64_t gstage;           /* an entry of the G-stage table, likewise */
    } fail;
    char violate[24]; /* what riscv/violate.c is to try */
#endif
};

extern struct bootargs bootargs;

void bootargs_parse(const char *words);

#endif
