/*
 * What one guest leaves in a hart's registers, the next must not find. `role=writer` sets every bit
 * that it can in every register that supervisor mode reaches, whatever extension it belongs to and
 * whether the device tree lists it or not; `role=spy` shares its hart and looks: it finds its own
 * values, or zero.
 */
#include "payload.h"

/* Selectors of the indirect registers: AIA 1.0, 2.3 and 3.8 (priorities, IMSIC), Smctr 1.0
 * (records). */
#define CSR_SISELECT   0x150U
#define CSR_SIREG      0x151U
#define FIRST_SELECTOR 0x30U
#define LAST_SELECTOR  0x2ffU

static uint32_t csr_instruction(unsigned csr, unsigned funct3)
{
    return csr << 20 | 10U << 15 | funct3 << 12 | 10U << 7 | 0x73; /* rd, rs1: a0 */
}

static bool csr_get(unsigned csr, uint64_t *value)
{
    uint32_t read = (csr_instruction(csr, 2) & ~(31U << 15)); /* csrrs a0, csr, x0 */
    return !try_instruction(read, 0, value).trapped;
}

static bool csr_put(unsigned csr, uint64_t value)
{
    return !try_instruction(csr_instruction(csr, 1), value, NULL).trapped;
}

/* Numbers that supervisor mode may read and write (Privileged 1.13, 2.1), but for those that this
 * program itself, or each of its traps, depends on, and seed, which has no memory. */
static bool is_candidate(unsigned csr)
{
    static const uint16_t spared[] = {0x015, 0x100, 0x104, 0x105, 0x140,        0x141,    0x142,
                                      0x143, 0x144, 0x14d, 0x180, CSR_SISELECT, CSR_SIREG};
    for (unsigned i = 0; i < sizeof spared / sizeof spared[0]; i++)
        if (csr == spared[i])
            return false;
    return csr < 0x200 || (csr >= 0x400 && csr < 0x600) || (csr >= 0x800 && csr < 0xa00);
}

static void for_all(void (*look)(unsigned number, bool indirect))
{
    for (unsigned csr = 0; csr < 0xa00; csr++)
        if (is_candidate(csr))
            look(csr, false);
    for (unsigned selector = FIRST_SELECTOR; selector <= LAST_SELECTOR; selector++)
        if (csr_put(CSR_SISELECT, selector))
            look(selector, true);
}

static unsigned written, found;

static void write_ones(unsigned number, bool indirect)
{
    uint64_t value = 0;
    unsigned csr = indirect ? CSR_SIREG : number;
    written += csr_put(csr, ~0UL) && csr_get(csr, &value) && value != 0;
}

/* A guest begins with all counters open to its programs, and nothing else is set. */
static void expect_zero(unsigned number, bool indirect)
{
    const unsigned scounteren = 0x106;
    uint64_t value = 0, expected = number == scounteren && !indirect ? 7 : 0;
    if (!csr_get(indirect ? CSR_SIREG : number, &value) || value == expected)
        return;
    if (found++ < 10)
        print("# %s 0x%x holds 0x%lx", indirect ? "selector" : "CSR", number, value);
}

/* The other one's turn. */
static void rest(void)
{
    csr_write(sie, SIP_STIP);
    uint64_t due = time_now() + frequency / 200;
    sbi_set_timer(due);
    do
        __asm__ volatile("wfi");
    while (time_now() < due);
    sbi_set_timer(~0UL);
    csr_write(sie, 0);
}

void payload_main(void)
{
    bool writer = argument("role") && *argument("role") == 'w';
    csr_set(sstatus, SSTATUS_FS | SSTATUS_VS);
    for (unsigned round = 0; round < 20; round++) {
        uint64_t left = 0;
        if (!writer && csr_get(CSR_SISELECT, &left) && left > LAST_SELECTOR)
            print("# siselect holds 0x%lx", left);
        found += left > LAST_SELECTOR;
        for_all(writer ? write_ones : expect_zero);
        csr_put(CSR_SISELECT, writer ? ~0UL : 0);
        rest();
    }
    if (writer)
        check(written > 0, "leak.written", "nothing can be written");
    else
        check(!found, "leak.nothing_found", "%u registers hold what they should not", found);
}
