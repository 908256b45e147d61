/*
 * Accesses to devices, to memory that is not the guest's, through page tables that point anywhere,
 * and jumps there. Tables: Privileged 1.13, 12.3 to 12.6.
 */
#include "fuzz.h"

#define SATP_SV39 8UL

/* The entry of an action's table that keeps the loop's code where it is, by level. */
static uint64_t home(unsigned level)
{
    return ram.base >> (12 + 9 * level) & 511;
}

static uint64_t any_page(struct worker *worker)
{
    return (one_in(worker, 2) ? device_address(worker) : any_address(worker)) & ~(PAGE - 1);
}

static uint64_t any_entry(struct worker *worker)
{
    static const uint64_t flags[] = {PTE_LEAF,
                                     PTE_LEAF,
                                     PTE_LEAF | PTE_U,
                                     PTE_V,
                                     PTE_V | PTE_R | PTE_A,
                                     PTE_V | PTE_X | PTE_A,
                                     PTE_V | PTE_R | PTE_W,
                                     PTE_V | PTE_W,
                                     0};
    uint64_t entry = pte(any_page(worker), PICK(worker, flags));
    if (one_in(worker, 8)) /* N, PBMT, reserved */
        entry |= any(worker) << 54;
    if (one_in(worker, 16))
        entry = any(worker);
    if (one_in(worker, 4)) { /* a table of the worker's own, perhaps the one that it is in */
        uint64_t table = below(worker, TABLE_COUNT);
        entry = pte((uint64_t)worker->tables[table], PTE_V);
    }
    if (one_in(worker, 16))
        entry = pte((uint64_t)shared_tables, PTE_V);
    if (one_in(worker, 32)) /* a table that is not there yet */
        entry = pte(gap_address(worker), PTE_V);
    return entry;
}

static bool is_user(const struct worker *worker)
{
    return !(worker->state.sstatus & SSTATUS_SPP);
}

/* The code once more, for user mode: in the last root table, where neither home nor `taken` is. A
 * trap goes to where the code is a supervisor's. */
static void make_alias(struct worker *worker, uint64_t *last, uint64_t taken)
{
    uint64_t index = below(worker, 256);
    while (index == home(2) || index == taken)
        index = below(worker, 256);
    last[index] = pte(ram.base & ~(GIGAPAGE - 1), PTE_LEAF | PTE_U);
    worker->alias = (index - home(2)) << 30;
}

/* A few wild entries in each table, and a path to where the code is in the first. */
void use_tables(struct worker *worker, uint64_t *virtual_address)
{
    unsigned levels = one_in(worker, 3) ? 3 + (unsigned)below(worker, 3) : 3, level = levels;
    for (unsigned table = 0; table < TABLE_COUNT; table++)
        for (unsigned i = 0; i < 6; i++)
            worker->tables[table][below(worker, 512)] = any_entry(worker);
    for (unsigned table = 0; level-- > 2; table++)
        worker->tables[table][home(level)] = level == 2
                                                 ? pte(ram.base & ~(GIGAPAGE - 1), PTE_LEAF)
                                                 : pte((uint64_t)worker->tables[table + 1], PTE_V);
    worker->state.satp = (SATP_SV39 + levels - 3) << 60 | (uint64_t)worker->tables[0] >> 12;
    if (one_in(worker, 4))
        worker->state.satp |= below(worker, 65536) << 44;
    /* Of the last root table, an entry that is not home's, and through what it points to. */
    uint64_t *last = worker->tables[levels - 3], index = below(worker, 511);
    index += index >= home(2);
    uint64_t *middle = worker->tables[4], *leaves = worker->tables[5];
    last[index] = one_in(worker, 3) ? any_entry(worker) : pte((uint64_t)middle, PTE_V);
    uint64_t second = below(worker, 512), third = below(worker, 512);
    middle[second] = one_in(worker, 3) ? any_entry(worker) : pte((uint64_t)leaves, PTE_V);
    leaves[third] = one_in(worker, 4)
                        ? pte(gap_address(worker), PTE_LEAF | (is_user(worker) ? PTE_U : 0))
                        : any_entry(worker);
    make_alias(worker, last, index);
    uint64_t address = index << 30 | second << 21 | third << 12;
    if (levels == 3 && index >= 256)
        address |= ~0UL << 39;
    if (levels > 3)
        address |= home(3) << 39;
    *virtual_address =
        address + (one_in(worker, 4) ? PAGE - below(worker, 16) : below(worker, PAGE));
}

/* Others change the tables that this one uses. */
static void use_shared_tables(struct worker *worker, uint64_t *virtual_address)
{
    uint64_t index = below(worker, 511);
    index += index >= home(2);
    shared_tables[0][home(2)] = pte(ram.base & ~(GIGAPAGE - 1), PTE_LEAF);
    ((volatile uint64_t *)shared_tables[0])[index] = any_entry(worker);
    worker->state.satp = SATP_SV39 << 60 | (uint64_t)shared_tables >> 12;
    *virtual_address = index << 30 | below(worker, GIGAPAGE);
    if (index >= 256)
        *virtual_address |= ~0UL << 39;
}

/* Tables in memory that nobody has had yet: one makes them, and others use them before they have
 * seen that it came. Neither the first nor the last page of a megapage, where many write. */
static void use_new_tables(struct worker *worker, uint64_t *virtual_address)
{
    static uint64_t *volatile newest;
    uint64_t *root = newest, page = (gap_address(worker) & ~(MEGAPAGE - 1)) +
                                    PAGE * (1 + below(worker, MEGAPAGE / PAGE - 2));
    bool make = (!root || one_in(worker, 4)) && page >= arena && page < arena_end;
    if (make)
        root = (uint64_t *)page;
    if (!root) {
        use_shared_tables(worker, virtual_address);
        return;
    }
    uint64_t index = ((uint64_t)root / PAGE) % 256;
    index += index == home(2);
    if (make) {
        root[index] = any_entry(worker);
        root[home(2)] = pte(ram.base & ~(GIGAPAGE - 1), PTE_LEAF);
        __sync_synchronize();
        newest = root;
    }
    worker->state.satp = SATP_SV39 << 60 | (uint64_t)root >> 12;
    *virtual_address = index << 30 | below(worker, GIGAPAGE);
}

static uint64_t near(struct worker *worker)
{
    return worker->near + (one_in(worker, 4) ? below(worker, 8) : 0);
}

static void make_memory_program(struct worker *worker)
{
    for (uint64_t count = 1 + below(worker, 2); count > 0; count--)
        emit_access(worker);
}

/* With translation or without, where an address leads anywhere. */
static uint64_t any_way(struct worker *worker)
{
    uint64_t address = 0;
    switch (below(worker, 10)) {
    case 0:
        return any_address(worker);
    case 1:
    case 2:
        return gap_address(worker);
    case 3:
        use_shared_tables(worker, &address);
        break;
    case 4:
        use_new_tables(worker, &address);
        break;
    default:
        use_tables(worker, &address);
    }
    return address;
}

/* User mode has its code elsewhere, if there is translation. */
static void enter_alias(struct worker *worker)
{
    if (worker->state.satp != 0 && is_user(worker))
        worker->state.x[0] += worker->alias;
}

static void use_near(struct worker *worker, enum pool pool, uint64_t chances,
                     void (*make)(struct worker *worker))
{
    worker->near = any_way(worker);
    use_program(worker, pool, chances, make);
    use_addresses(worker, near);
    enter_alias(worker);
}

void action_pages(struct worker *worker)
{
    worker->kind = KIND_MEMORY;
    use_near(worker, POOL_MEMORY, 16, make_memory_program);
}

static void make_zero_program(struct worker *worker)
{
    for (uint64_t count = 1 + below(worker, 3); count > 0; count--)
        emit_zero(worker);
}

/* Blocks of zeros, here and there or many in a row. */
void action_zero(struct worker *worker)
{
    worker->kind = KIND_ZERO;
    if (!one_in(worker, 4)) {
        use_near(worker, POOL_ZERO, 256, make_zero_program);
        return;
    }
    for (unsigned i = 0; i < BURST; i++)
        worker->records[i][0] = one_in(worker, 4) ? gap_address(worker) : any_address(worker);
    begin_burst(worker, fuzz_zeros, 64 * BURST);
}

/* An instruction of which the one half has come, and the other not. */
static uint64_t halved_instruction(struct worker *worker)
{
    uint64_t address = gap_low - 2;
    if (gap_low >= gap_high)
        return any_address(worker);
    *(volatile uint16_t *)address = (uint16_t)any(worker) | 3;
    __asm__ volatile("fence.i" ::: "memory");
    return address;
}

/* The privilege of whoever arrives there is what the loop chose, as for every action. */
void action_jump(struct worker *worker)
{
    uint64_t address;
    worker->kind = KIND_JUMP;
    if (one_in(worker, 2))
        use_tables(worker, &address);
    else
        address = one_in(worker, 8) ? halved_instruction(worker) : any_address(worker);
    if (one_in(worker, 4)) { /* by jalr, so that the fault is at the target of a jump */
        worker->state.x[1] = address;
        worker->state.x[0] = (uint64_t)fuzz_return;
        enter_alias(worker);
    } else {
        worker->state.x[0] = address;
    }
    set_alarm(worker, 4000);
}
