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
    return entry;
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
    leaves[third] = any_entry(worker);
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

static uint64_t near(struct worker *worker)
{
    return worker->near + (one_in(worker, 4) ? below(worker, 8) : 0);
}

static void make_memory_program(struct worker *worker)
{
    for (uint64_t count = 1 + below(worker, 2); count > 0; count--)
        emit_access(worker);
}

void action_pages(struct worker *worker)
{
    uint64_t address = 0;
    worker->kind = KIND_MEMORY;
    switch (below(worker, 8)) {
    case 0:
    case 1:
        address = any_address(worker);
        break;
    case 2:
        use_shared_tables(worker, &address);
        break;
    default:
        use_tables(worker, &address);
    }
    use_program(worker, POOL_MEMORY, 16, make_memory_program);
    worker->near = address;
    use_addresses(worker, near);
}

/* The privilege of whoever arrives there is what the loop chose, as for every action. */
void action_jump(struct worker *worker)
{
    uint64_t address;
    worker->kind = KIND_JUMP;
    if (one_in(worker, 2))
        use_tables(worker, &address);
    else
        address = any_address(worker);
    if (one_in(worker, 4)) { /* by jalr, so that the fault is at the target of a jump */
        worker->state.x[1] = address;
        worker->state.x[0] = (uint64_t)fuzz_return;
    } else {
        worker->state.x[0] = address;
    }
    set_alarm(worker, 4000);
}
