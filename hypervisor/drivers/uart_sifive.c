/* SiFive's UART (SiFive FU540-C000 manual, chapter 13). Its baud rate stays as the firmware left
 * it, unless the device tree states both clock and speed. */
#include "boot_only.h"
#include "devicetree.h"
#include "driver.h"
#include "mmio.h"

/* FU540-C000 manual, 13.3 and after. */
#define TXDATA 0x00
#define RXDATA 0x04
#define TXCTRL 0x08
#define RXCTRL 0x0c
#define IE     0x10
#define DIV    0x18
#define SIZE   0x1c

#define TXDATA_FULL  0x80000000U
#define RXDATA_EMPTY 0x80000000U
#define CTRL_ENABLE  0x1 /* with watermark 0 in RXCTRL: each character interrupts */
#define IE_RXWM      0x2

static uint64_t base;

BOOT_ONLY static bool probe(const void *fdt, int node)
{
    uint64_t size;
    uint32_t clock, speed;

    if (!devicetree_reg(fdt, node, 0, &base, &size) || size < SIZE || base % 4)
        return false;
    if (devicetree_u32(fdt, node, "clock-frequency", &clock) &&
        devicetree_u32(fdt, node, "current-speed", &speed) && clock && speed)
        mmio_write32(base + DIV, (clock + speed - 1) / speed - 1);
    mmio_write32(base + IE, 0);
    mmio_write32(base + TXCTRL, CTRL_ENABLE);
    mmio_write32(base + RXCTRL, CTRL_ENABLE);
    return true;
}

static size_t put(const char *bytes, size_t count)
{
    if (count == 0 || mmio_read32(base + TXDATA) & TXDATA_FULL)
        return 0;
    mmio_write32(base + TXDATA, (uint8_t)*bytes);
    return 1;
}

static int get(void)
{
    uint32_t received = mmio_read32(base + RXDATA); /* reading takes the character */

    return received & RXDATA_EMPTY ? -1 : (int)(received & 0xff);
}

BOOT_ONLY static void enable_interrupt(void)
{
    mmio_write32(base + IE, IE_RXWM);
}

static const char *const compatible[] = {"sifive,uart0", NULL};

const struct serial_driver uart_sifive = {compatible, probe, put, get, enable_interrupt};
