/* BASE: what SBI this is and what it has (SBI 3.0, chapter 4). */
#include "sbi.h"
#include "version.h"

enum {
    GET_SPEC_VERSION = 0,
    GET_IMPL_ID = 1,
    GET_IMPL_VERSION = 2,
    PROBE_EXTENSION = 3,
    GET_MVENDORID = 4,
    GET_MARCHID = 5,
    GET_MIMPID = 6,
};

#define SPEC_VERSION (3UL << 24) /* 4.1: major number from bit 24 */

static void handle(struct sbi_call *call)
{
    switch (call->function) {
    case GET_SPEC_VERSION:
        call->value = SPEC_VERSION;
        break;
    case GET_IMPL_ID:
        call->value = DIOSIX_SBI_IMPL_ID;
        break;
    case GET_IMPL_VERSION:
        call->value = DIOSIX_VERSION_NUMBER;
        break;
    case PROBE_EXTENSION:
        call->value = sbi_probe(call->args[0]);
        break;
    case GET_MVENDORID:
    case GET_MARCHID:
    case GET_MIMPID:
        /* A virtual core may run on any of the machine's cores, which need not be alike, and
         * errata work-arounds for one must not be chosen: 0 is "not implemented" (4.5 to 4.7). */
        call->value = 0;
        break;
    default:
        call->error = SBI_ERR_NOT_SUPPORTED;
    }
}

const struct sbi_extension sbi_base = {
    .first = 0x10, .last = 0x10, .exit = DIOSIX_EXIT_SBI_BASE, .handle = handle};
