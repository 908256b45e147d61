/*
 * The property that each service call needs, written down a second time (docs/abi.md), for those
 * who look whether the hypervisor asks for it. 0: none. Statistics of one's own need none either.
 * And which calls are the registered console service's alone.
 */
#ifndef UNIT_SERVICE_PROPERTIES_H
#define UNIT_SERVICE_PROPERTIES_H

#include <diosix/abi.h>
#include <stdbool.h>
#include <stdint.h>

static const uint64_t needed[DIOSIX_FUNCTION_COUNT] = {
    [DIOSIX_REGISTER_SERVICE] = DIOSIX_PROPERTY_SERVICE_CONSOLE,
    [DIOSIX_PUTC] = DIOSIX_PROPERTY_SERVICE_CONSOLE,
    [DIOSIX_GETC] = DIOSIX_PROPERTY_SERVICE_CONSOLE,
    [DIOSIX_LOG_GETC] = DIOSIX_PROPERTY_HV_LOG_READ,
    [DIOSIX_OUTPUT_READ] = DIOSIX_PROPERTY_SERVICE_CONSOLE,
    [DIOSIX_INPUT_WRITE] = DIOSIX_PROPERTY_SERVICE_CONSOLE,
    [DIOSIX_LOG_READ] = DIOSIX_PROPERTY_HV_LOG_READ,
    [DIOSIX_CONSOLE_WRITE] = DIOSIX_PROPERTY_CONSOLE_WRITE,
    [DIOSIX_CONSOLE_READ] = DIOSIX_PROPERTY_CONSOLE_READ,
    [DIOSIX_CAPSULE_INFO] = DIOSIX_PROPERTY_CAPSULE_INFO,
    [DIOSIX_CAPSULE_CONTROL] = DIOSIX_PROPERTY_CAPSULE_CONTROL,
    [DIOSIX_HART_STATS] = DIOSIX_PROPERTY_STATS_READ,
    [DIOSIX_TRACE_READ] = DIOSIX_PROPERTY_STATS_READ,
};

static const bool needs_registration[DIOSIX_FUNCTION_COUNT] = {
    [DIOSIX_PUTC] = true,
    [DIOSIX_GETC] = true,
    [DIOSIX_OUTPUT_READ] = true,
    [DIOSIX_INPUT_WRITE] = true,
};

#endif
