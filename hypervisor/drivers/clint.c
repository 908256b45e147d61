/*
 * Machine timers and inter-processor interrupts: SiFive's CLINT, T-Head's variant of it, and the
 * RISC-V ACLINT's MTIMER and MSWI devices, which are a CLINT's halves (RISC-V Advanced Core Local
 * Interruptor specification 1.0-rc4).
 *
 * A device numbers the harts that it serves by the order of their lines in `interrupts-extended`:
 * cause 3 for the software interrupt, 7 for the timer.
 */
#include "boot_only.h"
#include "devicetree.h"
#include "driver.h"
#include "hart_table.h"
#include "mmio.h"

/* A CLINT's registers (SiFive FU540-C000 manual, 9.1). */
#define MSIP       0x0000
#define MTIMECMP   0x4000
#define MTIME      0xbff8
#define CLINT_SIZE 0xc000

/* Privileged 1.13, 3.1.9: interrupt causes. */
#define CAUSE_MACHINE_SOFTWARE 3
#define CAUSE_MACHINE_TIMER    7

struct hart_registers {
    uint64_t mtimecmp, msip; /* addresses; 0 for none */
    bool halves;             /* mtimecmp takes 32-bit accesses only */
    bool set_only;           /* msip is an IMSIC's page: what takes the interrupt clears it */
};

static struct hart_registers registers[HART_MAX];
static uint64_t mtime; /* address; 0 when no device shows it */

static struct hart_registers *find(uint64_t hart_id)
{
    int place = hart_table_find(hart_id);

    return place < 0 ? NULL : &registers[place];
}

/* Notes for each hart with a line of this cause where its register of `width` bytes is. */
BOOT_ONLY static void connect(const void *fdt, int node, uint32_t cause, uint64_t first,
                              uint64_t size, bool halves)
{
    unsigned width = cause == CAUSE_MACHINE_TIMER ? 8 : 4;
    struct devicetree_cursor cursor = {0};
    struct devicetree_line line;

    for (uint64_t offset = 0; devicetree_next_line(fdt, node, &cursor, &line);) {
        if (line.cause != cause)
            continue;
        if (offset + width > size)
            return;
        int place = line.leads_to_hart ? hart_table_find(line.hart_id) : -1;

        if (place >= 0 && cause == CAUSE_MACHINE_TIMER) {
            registers[place].mtimecmp = first + offset;
            registers[place].halves = halves;
        } else if (place >= 0) {
            registers[place].msip = first + offset;
        }
        offset += width;
    }
}

BOOT_ONLY static bool is_thead(const void *fdt, int node)
{
    static const char *const names[] = {"thead,c900-clint", "thead,c900-aclint-mtimer", NULL};

    return devicetree_is_compatible(fdt, node, names);
}

BOOT_ONLY static bool probe_clint(const void *fdt, int node)
{
    uint64_t base, size;
    bool thead = is_thead(fdt, node);

    if (!devicetree_reg(fdt, node, 0, &base, &size) || size < CLINT_SIZE || base % 8)
        return false;
    connect(fdt, node, CAUSE_MACHINE_SOFTWARE, base + MSIP, MTIMECMP - MSIP, false);
    connect(fdt, node, CAUSE_MACHINE_TIMER, base + MTIMECMP, MTIME - MTIMECMP, thead);
    if (!mtime && !thead)
        mtime = base + MTIME;
    return true;
}

/* MTIMER has its two parts in `reg`, mtime first; T-Head's has mtimecmp only. */
BOOT_ONLY static bool probe_mtimer(const void *fdt, int node)
{
    uint64_t base, size;
    bool has_mtime = devicetree_reg(fdt, node, 1, &base, &size);

    if ((!has_mtime && !devicetree_reg(fdt, node, 0, &base, &size)) || base % 8)
        return false;
    connect(fdt, node, CAUSE_MACHINE_TIMER, base, size, is_thead(fdt, node));
    if (has_mtime && !mtime && devicetree_reg(fdt, node, 0, &base, &size) && size >= 8 &&
        base % 8 == 0)
        mtime = base;
    return true;
}

BOOT_ONLY static bool probe_mswi(const void *fdt, int node)
{
    uint64_t base, size;

    if (!devicetree_reg(fdt, node, 0, &base, &size) || base % 4)
        return false;
    connect(fdt, node, CAUSE_MACHINE_SOFTWARE, base, size, false);
    return true;
}

void clint_set_timer(uint64_t hart_id, uint64_t deadline)
{
    const struct hart_registers *hart = find(hart_id);

    if (!hart || !hart->mtimecmp)
        return;
    if (!hart->halves) {
        mmio_write(hart->mtimecmp, 8, deadline);
        return;
    }
    /* In between, the comparison must not be true too early (Privileged 1.13, 3.2.1). */
    mmio_write32(hart->mtimecmp + 4, UINT32_MAX);
    mmio_write32(hart->mtimecmp, (uint32_t)deadline);
    mmio_write32(hart->mtimecmp + 4, deadline >> 32);
}

void clint_send_ipi(uint64_t hart_id)
{
    const struct hart_registers *hart = find(hart_id);

    if (hart && hart->msip)
        mmio_write32(hart->msip, 1);
}

BOOT_ONLY void clint_send_ipi_by(uint64_t hart_id, uint64_t address)
{
    struct hart_registers *hart = find(hart_id);

    if (hart && !hart->msip) {
        hart->msip = address;
        hart->set_only = true;
    }
}

void clint_clear_ipi(uint64_t hart_id)
{
    const struct hart_registers *hart = find(hart_id);

    if (hart && hart->msip && !hart->set_only)
        mmio_write32(hart->msip, 0);
}

BOOT_ONLY bool clint_serves(uint64_t hart_id)
{
    const struct hart_registers *hart = find(hart_id);

    return hart && hart->msip && hart->mtimecmp;
}

uint64_t clint_mtimecmp(uint64_t hart_id)
{
    const struct hart_registers *hart = find(hart_id);

    return hart && !hart->halves ? hart->mtimecmp : 0;
}

uint64_t clint_msip(uint64_t hart_id)
{
    const struct hart_registers *hart = find(hart_id);

    return hart && !hart->set_only ? hart->msip : 0;
}

uint64_t clint_time(void)
{
    uint64_t time = 0;

    if (mtime)
        return mmio_read(mtime, 8);
#ifdef __riscv
    __asm__ volatile("csrr %0, time" : "=r"(time));
#endif
    return time;
}

static const char *const clint_names[] = {"riscv,clint0", "sifive,clint0", "thead,c900-clint",
                                          NULL};
static const char *const mtimer_names[] = {"riscv,aclint-mtimer", "thead,c900-aclint-mtimer", NULL};
static const char *const mswi_names[] = {"riscv,aclint-mswi", "thead,c900-aclint-mswi", NULL};

const struct timer_driver clint = {clint_names, probe_clint};
const struct timer_driver aclint_mtimer = {mtimer_names, probe_mtimer};
const struct timer_driver aclint_mswi = {mswi_names, probe_mswi};
