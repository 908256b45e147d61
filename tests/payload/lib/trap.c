/* Traps in supervisor mode: those a test waits for, interrupts, and those nobody expected. */
#include "payload.h"

struct hart_local hart_locals[HARTS_MAX];
void (*interrupt_handlers[16])(void);

static void take_interrupt(uint64_t number)
{
    number &= 15;
    local()->interrupts[number]++;
    if (interrupt_handlers[number])
        interrupt_handlers[number]();
    else
        csr_clear(sie, 1UL << number);
}

void trap_handle(void);
void trap_handle(void)
{
    struct hart_local *hart = local();
    uint64_t cause = csr_read(scause);
    if (cause & INTERRUPT) {
        take_interrupt(cause & ~INTERRUPT);
        return;
    }
    struct trap trap = {1, cause, csr_read(stval), csr_read(sepc)};
    if (!hart->resume) {
        check(false, "no unexpected trap", "scause %lu stval 0x%lx sepc 0x%lx (image at 0x%lx)",
              trap.scause, trap.stval, trap.sepc, (uint64_t)__image_start);
        finish();
    }
    hart->trap = trap;
    csr_write(sepc, hart->resume);
    hart->resume = 0;
}

struct trap try_load(uint64_t address, unsigned size, uint64_t *value)
{
    uint64_t found = 0;
    switch (size) {
    case 1:
        TRY(LIST("+r"(found)), LIST("r"(address)), "lbu %0, (%1)");
        break;
    case 2:
        TRY(LIST("+r"(found)), LIST("r"(address)), "lhu %0, (%1)");
        break;
    case 4:
        TRY(LIST("+r"(found)), LIST("r"(address)), "lwu %0, (%1)");
        break;
    default:
        TRY(LIST("+r"(found)), LIST("r"(address)), "ld %0, (%1)");
    }
    if (value)
        *value = found;
    return local()->trap;
}

struct trap try_store(uint64_t address, unsigned size, uint64_t value)
{
    switch (size) {
    case 1:
        TRY(, LIST("r"(value), "r"(address)), "sb %0, (%1)");
        break;
    case 2:
        TRY(, LIST("r"(value), "r"(address)), "sh %0, (%1)");
        break;
    case 4:
        TRY(, LIST("r"(value), "r"(address)), "sw %0, (%1)");
        break;
    default:
        TRY(, LIST("r"(value), "r"(address)), "sd %0, (%1)");
    }
    return local()->trap;
}

struct trap try_amo(uint64_t address, unsigned size, uint64_t value, uint64_t *old)
{
    uint64_t found = 0;
    if (size == 4)
        TRY(LIST("+&r"(found)), LIST("r"(value), "r"(address)), "amoswap.w %0, %1, (%2)");
    else
        TRY(LIST("+&r"(found)), LIST("r"(value), "r"(address)), "amoswap.d %0, %1, (%2)");
    if (old)
        *old = found;
    return local()->trap;
}

struct trap try_lr(uint64_t address, unsigned size)
{
    uint64_t found = 0;
    if (size == 4)
        TRY(LIST("+r"(found)), LIST("r"(address)), "lr.w %0, (%1)");
    else
        TRY(LIST("+r"(found)), LIST("r"(address)), "lr.d %0, (%1)");
    return local()->trap;
}

struct trap try_execute(uint64_t address)
{
    TRY(, LIST("r"(address)), "jalr ra, %0");
    return local()->trap;
}

struct trap try_instruction(uint32_t instruction, uint64_t a0, uint64_t *value)
{
    instruction_buffer[0] = instruction;
    __asm__ volatile("fence.i" ::: "memory");
    register uint64_t in_out __asm__("a0") = a0;
    TRY(LIST("+r"(in_out)), LIST("r"(instruction_buffer)), "jalr ra, %1");
    if (value)
        *value = in_out;
    return local()->trap;
}

void user_run(void (*entry)(void), uint64_t a0, uint64_t a1);

struct trap try_user(void (*entry)(void), uint64_t a0, uint64_t a1)
{
    local()->trap = (struct trap){0};
    user_run(entry, a0, a1);
    return local()->trap;
}

void secondary_start(uint64_t id, struct hart_local *hart, uint64_t satp, uint64_t sstatus);
void secondary_start(uint64_t id, struct hart_local *hart, uint64_t satp, uint64_t sstatus)
{
    hart->id = id;
    hart->satp = satp;
    hart->sstatus = sstatus;
    if (hart->work)
        hart->work(hart);
}

void wait_for_nothing(void)
{
    csr_set(sie, SIP_SSIP);
    csr_set(sip, SIP_SSIP);
    __asm__ volatile("wfi");
    csr_clear(sip, SIP_SSIP);
    csr_clear(sie, SIP_SSIP);
}
