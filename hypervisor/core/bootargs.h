/* The words of /chosen/bootargs that steer the hypervisor: `isolation=auto|pmp`, `services=no`,
 * `guests=no`, each also with `yes`. Unknown words are logged and ignored. */
#ifndef CORE_BOOTARGS_H
#define CORE_BOOTARGS_H

#include <stdbool.h>

struct bootargs {
    bool force_pmp;
    bool no_services, no_guests;
};

extern struct bootargs bootargs;

void bootargs_parse(const char *words);

#endif
