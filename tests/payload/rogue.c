/*
 * A guest gone wild: no trap handler, then an access that it must not make. Whatever the
 * hypervisor does with it, its neighbours live. `how=` says what it does; it never ends well.
 */
#include "payload.h"

#define OUTSIDE 0x80000000UL /* where a RISC-V machine keeps its firmware */

static uint64_t target(void)
{
    return in_diosix && OUTSIDE - ram.base < ram.size ? ram.base + ram.size : OUTSIDE;
}

static bool how_is(const char *name)
{
    const char *how = argument("how");
    size_t length = strlen(name);
    return how && !strncmp(how, name, length) && (how[length] == ' ' || !how[length]);
}

void payload_main(void)
{
    uint64_t address = target();
    print("rogue at 0x%lx", address);
    csr_write(sie, 0);
    csr_write(stvec, how_is("loop") ? (uint64_t)ram.base : address);
    if (how_is("write"))
        *(volatile uint64_t *)address = 0xdeadbeef;
    else if (how_is("execute"))
        ((void (*)(void))address)();
    else if (how_is("tables")) {
        csr_write(satp, 8UL << 60 | address >> 12);
        fence_vma();
    } else if (how_is("spin"))
        for (;;)
            ;
    else if (how_is("storm")) /* exits as fast as it can */
        for (;;)
            sbi_call(SBI_IPI, 0, 1, 0, 0);
    else
        *(volatile uint64_t *)address;
    check(false, "rogue", "it is still alive");
}
