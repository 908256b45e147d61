/*
 * The Berkeley host-target interface, the console of the Spike simulator: two 64-bit words that
 * simulator and program write to each other. A command goes into `tohost` and stays until the
 * simulator has taken it; its answer comes in `fromhost` and is taken by writing 0. Bits 63..56
 * name the device, 55..48 the command.
 *
 * A simulator finds the words by their ELF symbols (and wants them side by side), or the device
 * tree names their place: `fromhost` first.
 */
#include "boot_only.h"
#include "devicetree.h"
#include "driver.h"
#include "mmio.h"

#define CONSOLE      (1ULL << 56)
#define CONSOLE_GET  (CONSOLE | 0ULL << 48)
#define CONSOLE_PUT  (CONSOLE | 1ULL << 48)
#define COMMAND_MASK 0xffff000000000000ULL

extern uint64_t tohost, fromhost;
__asm__(".pushsection .data.htif, \"aw\"\n"
        ".balign 64\n"
        ".globl tohost\n"
        ".type tohost, @object\n"
        ".size tohost, 8\n"
        "tohost: .quad 0\n"
        ".globl fromhost\n"
        ".type fromhost, @object\n"
        ".size fromhost, 8\n"
        "fromhost: .quad 0\n"
        ".popsection\n");

static uint64_t to, from;
static bool asked; /* the simulator owes us a character */
static int received;

BOOT_ONLY static bool probe(const void *fdt, int node)
{
    uint64_t base, size;

    to = (uintptr_t)&tohost;
    from = (uintptr_t)&fromhost;
    if (devicetree_reg(fdt, node, 0, &base, &size)) {
        if (size < 16 || base % 8)
            return false;
        from = base;
        to = base + 8;
    }
    asked = false;
    received = -1;
    return true;
}

/* Takes an answer. Those to written characters carry nothing. */
static void take_answer(void)
{
    uint64_t answer = mmio_read(from, 8);

    if (!answer)
        return;
    mmio_write(from, 8, 0);
    if ((answer & COMMAND_MASK) != CONSOLE_GET)
        return;
    received = answer & 0xff;
    asked = false;
}

static size_t put(const char *bytes, size_t count)
{
    take_answer();
    if (count == 0 || mmio_read(to, 8))
        return 0;
    mmio_write(to, 8, CONSOLE_PUT | (uint8_t)*bytes);
    return 1;
}

static int get(void)
{
    take_answer();
    int character = received;

    received = -1;
    if (!asked && !mmio_read(to, 8)) {
        mmio_write(to, 8, CONSOLE_GET);
        asked = true;
    }
    return character;
}

static const char *const compatible[] = {"ucb,htif0", NULL};

const struct serial_driver uart_htif = {compatible, probe, put, get, NULL};
