/* Random numbers, and addresses and values with which something interesting may happen. */
#include "fuzz.h"

/* What a machine of this kind has, and where the hypervisor and its devices are. */
static const struct {
    uint64_t base, size;
} places[] = {
    {0x00100000, 0x1000},     /* test device, switches the machine off */
    {0x00101000, 0x40},       /* clock */
    {0x02000000, 0x10000},    /* CLINT: not the guest's */
    {0x0c000000, 0x80},       /* PLIC: priorities */
    {0x0c001000, 0x10},       /* pending */
    {0x0c002000, 0x800},      /* enables */
    {0x0c200000, 0x10000},    /* thresholds and claims */
    {0x0c000000, 0x600000},   /* all of it */
    {0x10000000, 8},          /* serial port */
    {0x10000000, 0x100},      /* and behind */
    {0x10001000, 0x8000},     /* virtio */
    {0x20000000, 0x4000000},  /* flash */
    {0x30000000, 0x10000000}, /* PCI */
};

uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

uint64_t any(struct worker *worker)
{
    return mix(worker->random += 0x9e3779b97f4a7c15);
}

uint64_t below(struct worker *worker, uint64_t limit)
{
    return (any(worker) >> 32) * limit >> 32;
}

bool one_in(struct worker *worker, uint64_t chances)
{
    return below(worker, chances) == 0;
}

volatile uint64_t gap_low, gap_high;

static void narrow_gap(uint64_t low, uint64_t high, uint64_t address)
{
    if (address - low < high - address)
        gap_low = (address & ~(MEGAPAGE - 1)) + MEGAPAGE;
    else
        gap_high = address & ~(MEGAPAGE - 1);
}

/* At an end of the gap, across it, or a step inside; rarely far inside. Others get the same end, at
 * the same time, for a while. */
uint64_t gap_address(struct worker *worker)
{
    uint64_t low = gap_low, high = gap_high;
    if (low >= high)
        return arena + below(worker, arena_end - arena - 16);
    uint64_t step = below(worker, one_in(worker, 2) ? 32 : MEGAPAGE);
    uint64_t address = one_in(worker, 2) ? low - 16 + step : high + 15 - step;
    if (one_in(worker, 256))
        address = low + below(worker, high - low);
    if (address >= low && address < high && one_in(worker, 4))
        narrow_gap(low, high, address);
    return one_in(worker, 2) ? address : address & ~7UL;
}

/* Of what is not the gap's; a few reach into it, as does what is longer than it seems. */
uint64_t arena_address(struct worker *worker, uint64_t size)
{
    uint64_t low = gap_low, high = gap_high;
    if (low >= high)
        low = high = arena_end;
    uint64_t offset = below(worker, low - arena + arena_end - high);
    uint64_t address = offset < low - arena ? arena + offset : high + offset - (low - arena);
    if (one_in(worker, 8))
        address = gap_address(worker);
    if (address > arena_end - size)
        address = arena_end - size;
    return one_in(worker, 3) ? address : address & ~7UL;
}

uint64_t device_address(struct worker *worker)
{
    unsigned place = (unsigned)below(worker, sizeof places / sizeof places[0]);
    uint64_t address = places[place].base + below(worker, places[place].size);
    static const uint64_t masks[] = {~0UL, ~1UL, ~3UL, ~3UL, ~3UL, ~7UL};
    return address & PICK(worker, masks);
}

static uint64_t outside(struct worker *worker)
{
    static const uint64_t edges[] = {
        0,          0x1000,     0x80000000,   0x80040000,        0x80080000,
        0x80200000, 0x90000000, 0x2000000000, 1UL << 38,         1UL << 39,
        1UL << 47,  1UL << 55,  1UL << 56,    (1UL << 56) - PAGE};
    switch (below(worker, 6)) {
    case 0:
        return ram.base + ram.size + below(worker, 3 * PAGE) - PAGE;
    case 1:
        return ram.base - below(worker, 2 * PAGE);
    case 2:
        return PICK(worker, edges) + below(worker, PAGE) - 16;
    case 3:
        return 0x80000000 + below(worker, 0x40000);
    case 4:
        return 0x80000000 + below(worker, 0x40000000);
    default:
        return HOLE + below(worker, PAGE);
    }
}

/* The hypervisor's, other capsules' or nobody's. Where there is translation, some of these are its
 * own, and what the fuzz guest does to its own code ends its life, or in the midst of the gap ends
 * that: seldom, therefore. */
uint64_t foreign_address(struct worker *worker)
{
    uint64_t address = outside(worker);
    bool own =
        address >= ram.base && (address < arena || (address >= gap_low && address < gap_high));
    return own && !one_in(worker, RARELY / 16) ? address + 0x10000000 : address;
}

uint64_t any_address(struct worker *worker)
{
    switch (below(worker, 8)) {
    case 0:
    case 1:
    case 2:
        return arena_address(worker, 8);
    case 3:
    case 4:
        return device_address(worker);
    case 5:
        return any(worker) >> below(worker, 40);
    case 6:
        return one_in(worker, RARELY / 16) ? ram.base + below(worker, ram.size)
                                           : foreign_address(worker);
    default:
        return foreign_address(worker);
    }
}

uint64_t any_value(struct worker *worker)
{
    switch (below(worker, 8)) {
    case 0:
        return below(worker, 16);
    case 1:
        return (1UL << below(worker, 64)) - below(worker, 3) + 1;
    case 2:
        return ~below(worker, 16);
    case 3:
        return any(worker);
    case 4:
        return any(worker) >> below(worker, 64);
    case 5:
        return time_now() + below(worker, 4000) - 100;
    default:
        return any_address(worker);
    }
}
