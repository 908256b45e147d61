/*
 * A well-behaved neighbour that notices when something is wrong: it keeps a pattern in its memory,
 * looks at it after each sleep, watches time, and says each second that it is alive.
 * `beats=` (0: for ever), `beat_ms=`, `megabytes=` of pattern.
 */
#include "payload.h"

static volatile unsigned ticks;

static void on_timer(void)
{
    ticks++;
    sbi_set_timer(~0UL);
}

static uint64_t pattern(const uint64_t *word)
{
    return (uint64_t)word * 0x9e3779b97f4a7c15 ^ 0x5bd1e995;
}

static void sleep(uint64_t ticks_of_time)
{
    unsigned before = ticks;
    uint64_t deadline = time_now() + ticks_of_time;
    sbi_set_timer(deadline);
    while (ticks == before) { /* interrupts are off between the look and the wfi */
        __asm__ volatile("wfi");
        csr_set(sstatus, SSTATUS_SIE);
        csr_clear(sstatus, SSTATUS_SIE);
    }
    if (time_now() < deadline)
        check(false, "canary.time", "woken early");
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
    unsigned wrong = 0;
    for (uint64_t i = 1; !beats || i <= beats; i++) {
        sleep(beat);
        for (uint64_t word = 0; word < words; word++)
            wrong += memory[word] != pattern(memory + word);
        if (wrong)
            check(false, "canary.memory", "%u words have changed", wrong);
        print("canary alive %lu", i);
    }
    check(!wrong, "canary.memory", "%u words have changed", wrong);
}
