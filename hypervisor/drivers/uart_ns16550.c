/*
 * The 16550 and what is built after it (National Semiconductor PC16550D data sheet). Its baud rate
 * stays as the firmware left it, unless the device tree states both clock and speed.
 */
#include "boot_only.h"
#include "devicetree.h"
#include "driver.h"
#include "mmio.h"

/* Registers (PC16550D, table II), and the bits of them that are used. */
#define RBR 0 /* receiver buffer, read */
#define THR 0 /* transmitter holding, write */
#define DLL 0 /* divisor latch, while LCR.DLAB is set */
#define IER 1
#define DLM 1
#define FCR 2 /* write */
#define IIR 2 /* read */
#define LCR 3
#define MCR 4
#define LSR 5

#define IER_RECEIVED   0x01
#define FCR_ENABLE     0x01
#define FCR_CLEAR_BOTH 0x06
#define IIR_FIFO       0xc0 /* both, when there are FIFOs that work and are in use */
#define LCR_8N1        0x03
#define LCR_DLAB       0x80
#define MCR_DTR_RTS    0x03
#define MCR_OUT2       0x08 /* on PC-like wiring it lets the interrupt line out */
#define LSR_RECEIVED   0x01
#define LSR_ROOM       0x20 /* with FIFOs, that all is sent */
#define FIFO_DEPTH     16

static uint64_t base;
static uint32_t shift, width;
static size_t depth; /* how many characters there is room for where there is room */

static uint8_t read(unsigned reg)
{
    return mmio_read(base + ((uint64_t)reg << shift), width);
}

static void write(unsigned reg, uint8_t value)
{
    mmio_write(base + ((uint64_t)reg << shift), width, value);
}

static void set_baud_rate(uint32_t clock, uint32_t speed)
{
    uint64_t divisor = (clock + 8ULL * speed) / (16ULL * speed); /* rounded */

    if (divisor < 1 || divisor > 0xffff)
        return;
    write(LCR, LCR_8N1 | LCR_DLAB);
    write(DLL, divisor & 0xff);
    write(DLM, divisor >> 8);
}

BOOT_ONLY static bool read_layout(const void *fdt, int node)
{
    uint64_t size;
    uint32_t offset = 0;

    shift = 0;
    width = 1;
    devicetree_u32(fdt, node, "reg-shift", &shift);
    devicetree_u32(fdt, node, "reg-io-width", &width);
    devicetree_u32(fdt, node, "reg-offset", &offset);
    if (!devicetree_reg(fdt, node, 0, &base, &size) || shift > 8 || offset > size)
        return false;
    base += offset;
    return (width == 1 || width == 2 || width == 4) && width <= 1U << shift && base % width == 0 &&
           size - offset >= ((uint64_t)LSR << shift) + width;
}

BOOT_ONLY static bool probe(const void *fdt, int node)
{
    uint32_t clock, speed;

    if (!read_layout(fdt, node))
        return false;
    write(IER, 0);
    if (devicetree_u32(fdt, node, "clock-frequency", &clock) &&
        devicetree_u32(fdt, node, "current-speed", &speed) && clock && speed)
        set_baud_rate(clock, speed);
    write(LCR, LCR_8N1);
    write(FCR, FCR_ENABLE | FCR_CLEAR_BOTH);
    depth = (read(IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_DEPTH : 1;
    write(MCR, MCR_DTR_RTS | MCR_OUT2);
    return true;
}

static size_t put(const char *bytes, size_t count)
{
    if (!(read(LSR) & LSR_ROOM))
        return 0;
    if (count > depth)
        count = depth;
    for (size_t i = 0; i < count; i++)
        write(THR, bytes[i]);
    return count;
}

static int get(void)
{
    return read(LSR) & LSR_RECEIVED ? read(RBR) : -1;
}

BOOT_ONLY static void enable_interrupt(void)
{
    write(IER, IER_RECEIVED);
}

static const char *const compatible[] = {"ns16550a", "ns16550", "snps,dw-apb-uart", NULL};

const struct serial_driver uart_ns16550 = {compatible, probe, put, get, enable_interrupt};
