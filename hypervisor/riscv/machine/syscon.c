/*
 * The test finisher (SiFive's "test device" of `virt`, device tree "sifive,test0" and "syscon"):
 * one register; what is written says how the run ends.
 */
#include "devices.h"
#include "log.h"

/* QEMU, include/hw/misc/sifive_test.h: the low half is the verb, the high half a code. */
#define FINISHER_FAIL  0x3333
#define FINISHER_PASS  0x5555
#define FINISHER_RESET 0x7777

bool syscon_access(struct machine *machine, struct mmio *mmio)
{
    if (!mmio->write || mmio->offset != 0)
        return true; /* reads 0, and the rest of the page does nothing */
    switch (mmio->value & 0xffff) {
    case FINISHER_PASS:
        machine->wish = WISH_STOP;
        break;
    case FINISHER_FAIL:
        log_error("capsule %s ends with failure code %u", machine->capsule->config.name,
                  (unsigned)(mmio->value >> 16 & 0xffff));
        machine->wish = WISH_STOP;
        break;
    case FINISHER_RESET:
        machine->wish = WISH_RESTART;
        break;
    default:
        break;
    }
    return true;
}
