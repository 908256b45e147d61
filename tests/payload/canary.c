/*
 * A well-behaved neighbour that notices when something is wrong: it keeps a pattern in its memory,
 * in its FP registers, in supervisor CSRs and in registers of its devices, looks at all of them
 * after each sleep, watches time, and says each second that it is alive.
 * `beats=` (0: for ever), `beat_ms=`, `megabytes=` of pattern.
 */
#include "payload.h"

/* registers.S */
void fp_fill(uint64_t seed);
uint64_t fp_check(uint64_t seed);

#define FP_SEED       0x4010000000000000
#define UART_SCRATCH  7
#define UART_PATTERN  0xa5
#define PLIC_SOURCE   3
#define PLIC_PRIORITY 5

static volatile unsigned ticks;
static uint64_t deadline;

static void on_timer(void)
{
    bool too_early = time_now() < deadline && stimecmp_get() == deadline;
    ticks += !too_early;
    sbi_set_timer(too_early ? deadline : ~0UL);
}

static uint64_t pattern(const uint64_t *word)
{
    return (uint64_t)word * 0x9e3779b97f4a7c15 ^ 0x5bd1e995;
}

static void sleep(uint64_t ticks_of_time)
{
    unsigned before = ticks;
    deadline = time_now() + ticks_of_time;
    sbi_set_timer(deadline);
    while (ticks == before) { /* interrupts are off between the look and the wfi */
        __asm__ volatile("wfi");
        csr_set(sstatus, SSTATUS_SIE);
        csr_clear(sstatus, SSTATUS_SIE);
    }
    if (time_now() < deadline)
        check(false, "canary.time", "woken early");
}

/* What nothing has a reason to write to: the code at the start of RAM, the device tree at its end.
 */
extern char __rela_start[];

static uint64_t sum(const char *from, const char *to)
{
    uint64_t total = 0;
    for (const uint64_t *word = (const uint64_t *)from; word < (const uint64_t *)to; word++)
        total = total * 31 + *word;
    return total;
}

static uint64_t constants(void)
{
    const char *tree = (const char *)(((uint64_t)fdt + 7) & ~7UL);
    return sum(__image_start, (const char *)((uint64_t)__rela_start & ~7UL)) +
           sum(tree, tree + (fdt_size() & ~7U));
}

static bool has_double;

static void keep_registers(void)
{
    has_double = isa_has("d");
    csr_set(sstatus, SSTATUS_FS);
    if (has_double)
        fp_fill(FP_SEED);
    csr_write(scounteren, 5);
    uart_write(UART_SCRATCH, UART_PATTERN);
    *plic_priority(PLIC_SOURCE) = PLIC_PRIORITY;
}

/* How many of them differ; scause and sepc are those of the last interrupt. */
static unsigned changed_registers(void)
{
    unsigned wrong = has_double ? (unsigned)fp_check(FP_SEED) : 0;
    wrong += csr_read(scounteren) != 5;
    wrong += csr_read(sscratch) != (uint64_t)local();
    wrong += csr_read(stvec) != (uint64_t)trap_entry;
    wrong += csr_read(satp) != 0;
    wrong += csr_read(sie) != SIP_STIP;
    wrong += csr_read(scause) != (INTERRUPT | 5);
    wrong += uart_read(UART_SCRATCH) != UART_PATTERN;
    wrong += *plic_priority(PLIC_SOURCE) != PLIC_PRIORITY;
    return wrong;
}

void payload_main(void)
{
    uint64_t beats = argument_number("beats", 5);
    uint64_t beat = argument_number("beat_ms", 1000) * (frequency / 1000);
    uint64_t words = argument_number("megabytes", 1) << 20 >> 3;
    uint64_t *memory = (uint64_t *)(((uint64_t)__image_end + 0xfffff) & ~0xfffffUL);
    for (uint64_t i = 0; i < words; i++)
        memory[i] = pattern(memory + i);
    interrupt_handlers[5] = on_timer;
    csr_write(sie, SIP_STIP);
    keep_registers();
    uint64_t constant = constants();
    unsigned wrong = 0;
    for (uint64_t i = 1; !beats || i <= beats; i++) {
        sleep(beat);
        for (uint64_t word = 0; word < words; word++)
            wrong += memory[word] != pattern(memory + word);
        wrong += constants() != constant;
        if (wrong)
            check(false, "canary.memory", "%u words have changed", wrong);
        unsigned changed = changed_registers();
        if (changed)
            check(false, "canary.registers", "%u registers have changed", changed);
        print("canary alive %lu", i);
    }
    check(!wrong, "canary.memory", "%u words have changed", wrong);
}
