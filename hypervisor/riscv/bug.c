/*
 * The hypervisor's own faults: bugs, and what self-protection (protect.c) has caught. The machine
 * is to stop with a record of them, whatever is still right. So there are three grades, each for a
 * fault in the one before (entry.S):
 *
 *   trap_bug         any fault of the hypervisor: on the hart's own stack, in full
 *   trap_last_words  a fault meanwhile: on a stack of its own, with nothing but the serial port
 *   park             a fault even then: the hart stops
 *
 * A hart with Smdbltrp does not take a fault in the handling of a trap as another trap. With Smrnmi
 * it enters rnmi_entry, if the machine's RNMI vectors say so, and from there trap_bug; without, it
 * stops, and the platform may see that. So a slow exit ends the handling (mstatus.MDT) early.
 */
#include "addr.h"
#include "csr.h"
#include "entry.h"
#include "hart.h"
#include "log.h"
#include "port.h"
#include "protect.h"
#include <string.h>

extern char hypervisor_start[], text_end[], rodata_end[];

static bool between(uint64_t address, const char *start, const char *end)
{
    return address >= (uintptr_t)start && address < (uintptr_t)end;
}

/* What is at the address that was accessed, if that tells something. */
static const char *place(uint64_t address)
{
    if (between(address, hypervisor_start, text_end))
        return " in the hypervisor's code";
    if (between(address, text_end, rodata_end))
        return " in its constants";
    if (protect_is_guests(address))
        return " in guests' memory";
    if (address - port_hart()->arch.stack_low < PAGE_SIZE)
        return " below the hart's stack";
    return "";
}

__attribute__((noreturn)) void trap_bug(uint64_t pc, uint64_t sp, uint64_t ra, uint64_t a0,
                                        uint64_t cause, bool in_trap)
{
    uint64_t value = csr_read(CSR_MTVAL);
    unsigned hart = port_hart()->index;
    if (in_trap) /* mtval, mepc and mcause are those of the trap (Smrnmi 1.0;
                    Privileged 1.13, 3.1.6.2) */
        panic("hypervisor fault in a trap (%s at 0x%lx): %s, pc 0x%lx, sp 0x%lx, ra 0x%lx, a0 "
              "0x%lx, hart %u",
              exit_cause_name(csr_read(CSR_MCAUSE)), csr_read(CSR_MEPC), exit_cause_name(cause), pc,
              sp, ra, a0, hart);
    panic("hypervisor fault: %s%s, mtval 0x%lx, pc 0x%lx, sp 0x%lx, ra 0x%lx, a0 0x%lx, hart %u",
          exit_cause_name(cause), place(value), value, pc, sp, ra, a0, hart);
}

static void say(const char *text)
{
    port_panic_write(text, strlen(text));
}

static void say_hexadecimal(const char *name, uint64_t value)
{
    say(name);
    for (int shift = 60; shift >= 0; shift -= 4)
        port_panic_write(&"0123456789abcdef"[value >> shift & 15], 1);
}

__attribute__((noreturn)) void trap_last_words(uint64_t cause, uint64_t pc, uint64_t value)
{
    say("\r\npanic: the hypervisor cannot go on:");
    say_hexadecimal(" mcause 0x", cause);
    say_hexadecimal(" mepc 0x", pc);
    say_hexadecimal(" mtval 0x", value);
    say("\r\n");
    port_halt();
}
