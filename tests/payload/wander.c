/*
 * A vCPU that maps other pages and fences only itself, on whatever hart it is, as a kernel does;
 * then it goes to sleep, and its siblings, which sleep and wake up as they like, have it go from
 * hart to hart. What it left in a hart's TLB must be gone when it comes back to that hart.
 */
#include "payload.h"

#define PLACE (WINDOW + 0x55 * PAGE)
#define LOOKS 6 /* for each page that it maps */

static uint8_t stacks[HARTS_MAX][1024] __attribute__((aligned(16)));
static uint64_t root;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* For half a millisecond at most. A call suspends it, for QEMU's TLB survives that and not a `wfi`
 * that traps. */
static void sleep_a_little(uint64_t *random)
{
    sbi_set_timer(time_now() + next_random(random) % (frequency / 2000));
    sbi_call(SBI_HSM, 3, 0, 0, 0);
}

static void be_in_the_way(struct hart_local *self)
{
    uint64_t random = self->id + 1;
    csr_write(satp, root);
    fence_vma();
    csr_write(sie, SIP_STIP);
    for (;;) {
        wait_until(time_now() + next_random(&random) % (frequency / 2000));
        sleep_a_little(&random);
    }
}

void payload_main(void)
{
    static uint64_t pages[3][512] __attribute__((aligned(4096)));
    uint64_t rounds = argument_number("rounds", 300), random = 1, old = 0;
    paging_on();
    page_map(PLACE, (uint64_t)scratch_pages, PTE_LEAF);
    root = csr_read(satp);
    for (unsigned i = 0, index = 1; i < hart_count; i++) {
        if (hart_ids[i] == boot_hart)
            continue;
        hart_locals[index].work = be_in_the_way;
        hart_locals[index].stack_top = (uint64_t)stacks[index] + sizeof stacks[index];
        sbi_call(SBI_HSM, 0, hart_ids[i], secondary_entry, &hart_locals[index]);
        index++;
    }
    csr_write(sie, SIP_STIP);
    for (uint64_t round = 1; round <= rounds; round++) {
        pages[round % 3][0] = round;
        page_map(PLACE, (uint64_t)pages[round % 3], PTE_LEAF); /* and a fence, of this hart alone */
        for (unsigned look = 0; look < LOOKS; look++) {
            old += *(volatile uint64_t *)PLACE != round;
            sleep_a_little(&random);
        }
    }
    check(old == 0, "translations.stay_behind", "%lu of %lu were old", old, rounds * LOOKS);
    csr_write(sie, 0);
    sbi_set_timer(~0UL);
    paging_off();
}
