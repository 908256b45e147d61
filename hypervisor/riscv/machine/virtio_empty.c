/*
 * The virtio-mmio slots that hold no device: a transport that says so (Virtio 1.3, 4.2.2: device
 * ID 0, "the driver MUST ignore the device" but no error). Kernels built for `virt` look there
 * without asking the device tree.
 */
#include "devices.h"

/* Virtio 1.3, 4.2.2, table of registers. */
enum {
    MAGIC_VALUE = 0x000,
    VERSION = 0x004,
    VENDOR_ID = 0x00c,
    CONFIG = 0x100
};

#define MAGIC           0x74726976 /* "virt" */
#define CURRENT_VERSION 2
#define VENDOR          0x58534944 /* "DISX" */

bool virtio_empty_access(struct machine *machine, struct mmio *mmio)
{
    (void)machine;
    uint64_t offset = mmio->offset % MACHINE_VIRTIO_SIZE;
    if (offset < CONFIG && mmio->size != 4) /* 4.2.2.2: the registers are 32 bits wide */
        return false;
    if (mmio->write)
        return true;
    if (offset == MAGIC_VALUE)
        mmio->value = MAGIC;
    else if (offset == VERSION)
        mmio->value = CURRENT_VERSION;
    else if (offset == VENDOR_ID)
        mmio->value = VENDOR;
    return true;
}
