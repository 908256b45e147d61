/*
 * What it costs to ask for something: instructions, the guest's and those that are executed for it.
 *
 * Under QEMU's -icount, instret counts what all harts of the machine execute at every privilege, so
 * reading it before and after an operation gives both worlds' share. Each operation is done a
 * thousand times between two reads with nothing else between them; what two reads cost without an
 * operation is taken off. Arguments are in their registers before the first read.
 *
 * Prints `BENCH NAME MEAN LEAST MOST` for each. The word `run=` in the bootargs says what to
 * measure: calls (the default), timer (for harts without Sstc), illegal (instructions), pair (two
 * vCPUs), or stay (nothing, for ever).
 */
#include "payload.h"

#define REPETITIONS      1000
#define PAIR_REPETITIONS 200
#define FEW_REPETITIONS  50
#define WARM_UP          8

/* 16550: registers, and IER's bit for "the transmitter is empty". */
#define UART_RBR 0
#define UART_THR 0
#define UART_IER 1
#define UART_LSR 5
#define IER_THRE 2

extern uint64_t first_instret;
extern void take_ipi(void), take_timer(void), skip_instruction(void);

static long sbi_error;

/* Instructions that `code` takes, with the arguments in a0, a1, a6, a7 and zero in t2. */
#define TIMED(code, arg0, arg1, extension, function)                                               \
    ({                                                                                             \
        register uint64_t a0_ __asm__("a0") = (uint64_t)(arg0);                                    \
        register uint64_t a1_ __asm__("a1") = (uint64_t)(arg1);                                    \
        register uint64_t a6_ __asm__("a6") = (function);                                          \
        register uint64_t a7_ __asm__("a7") = (extension);                                         \
        register uint64_t t2_ __asm__("t2") = 0;                                                   \
        uint64_t start_, end_;                                                                     \
        __asm__ volatile(".option push\n\t.option norvc\n\t"                                       \
                         "csrr %0, instret\n\t" code "\n\tcsrr %1, instret\n\t.option pop"         \
                         : "=&r"(start_), "=&r"(end_), "+r"(a0_), "+r"(a1_), "+r"(t2_)             \
                         : "r"(a6_), "r"(a7_)                                                      \
                         : "t0", "memory");                                                        \
        if (extension)                                                                             \
            sbi_error |= (long)a0_;                                                                \
        end_ - start_;                                                                             \
    })

#define UNTIL_TAKEN "\n1: beqz t2, 1b"

static uint64_t nothing(void)
{
    return TIMED("", 0, 0, 0, 0);
}

static uint64_t null_call(void)
{
    return TIMED("ecall", 0, 0, SBI_BASE, 0);
}

static uint64_t set_timer(void)
{
    return TIMED("ecall", time_now() + 1000 * frequency, 0, SBI_TIME, 0);
}

static uint64_t timer_interrupt(void)
{
    sbi_set_timer(~0UL);
    csr_write(stvec, take_timer);
    csr_write(sie, SIP_STIP);
    csr_set(sstatus, SSTATUS_SIE);
    uint64_t count = TIMED("ecall" UNTIL_TAKEN, time_now() - 1, 0, SBI_TIME, 0);
    csr_clear(sstatus, SSTATUS_SIE);
    csr_write(stvec, trap_entry);
    return count;
}

static uint64_t self_ipi(void)
{
    csr_write(stvec, take_ipi);
    csr_write(sie, SIP_SSIP);
    csr_set(sstatus, SSTATUS_SIE);
    uint64_t count = TIMED("ecall" UNTIL_TAKEN, 1, boot_hart, SBI_IPI, 0);
    csr_clear(sstatus, SSTATUS_SIE);
    csr_write(sie, 0);
    csr_write(stvec, trap_entry);
    return count;
}

static uint64_t fence_i_self(void)
{
    return TIMED("ecall", 1, boot_hart, SBI_RFENCE, 0);
}

static uint64_t hart_status(void)
{
    return TIMED("ecall", boot_hart, 0, SBI_HSM, 2);
}

static uint64_t uart_read_lsr(void)
{
    return TIMED("lbu t0, 0(a0)", uart_base + UART_LSR, 0, 0, 0);
}

static uint64_t plic_read_priority(void)
{
    return TIMED("lw t0, 0(a0)", plic_priority(uart_irq), 0, 0, 0);
}

/* Nothing has been typed. */
static uint64_t uart_read_rbr(void)
{
    return TIMED("lbu t0, 0(a0)", uart_base + UART_RBR, 0, 0, 0);
}

static uint64_t uart_write_ier(void)
{
    return TIMED("sb a1, 0(a0)", uart_base + UART_IER, 0, 0, 0);
}

static uint64_t uart_write_thr(void)
{
    return TIMED("sb a1, 0(a0)", uart_base + UART_THR, '\r', 0, 0);
}

static uint64_t plic_write_priority(void)
{
    return TIMED("sw a1, 0(a0)", plic_priority(uart_irq), 1, 0, 0);
}

static uint64_t plic_claim_nothing(void)
{
    return TIMED("lw t0, 0(a0)", plic_claim(), 0, 0, 0);
}

/* The UART asks for service because it has nothing to send. */
static void raise_uart(void)
{
    *plic_priority(uart_irq) = 1;
    *plic_enable(uart_irq) |= 1U << uart_irq % 32;
    *plic_threshold() = 0;
    uart_write(UART_IER, IER_THRE);
}

static uint64_t plic_claim_one(void)
{
    raise_uart();
    uint64_t count = TIMED("lw t0, 0(a0)", plic_claim(), 0, 0, 0);
    uart_write(UART_IER, 0);
    *plic_claim() = uart_irq;
    return count;
}

static uint64_t plic_complete(void)
{
    raise_uart();
    if (*plic_claim() != uart_irq)
        check(false, "claim", "the UART did not ask");
    uart_write(UART_IER, 0);
    return TIMED("sw a1, 0(a0)", plic_claim(), uart_irq, 0, 0);
}

/* A custom-0 instruction (unprivileged ISA, table of base opcodes) that no hart here has. */
static uint64_t illegal_instruction(void)
{
    csr_write(stvec, skip_instruction);
    uint64_t count = TIMED(".4byte 0x0000000b", 0, 0, 0, 0);
    csr_write(stvec, trap_entry);
    return count;
}

/* No other came shortly before. */
static uint64_t illegal_instruction_by_itself(void)
{
    wait_until(time_now() + frequency / 3000);
    return illegal_instruction();
}

/* An exception that every firmware delegates: what an illegal instruction costs on bare metal. */
static uint64_t delegated_exception(void)
{
    csr_write(stvec, skip_instruction);
    uint64_t count = TIMED("ebreak", 0, 0, 0, 0);
    csr_write(stvec, trap_entry);
    return count;
}

/* Runs an operation and prints what it took. */
static void measure(const char *name, uint64_t (*operation)(void), unsigned repetitions)
{
    uint64_t least = ~0UL, most = 0, sum = 0, overhead = nothing();
    sbi_error = 0;
    for (unsigned i = 0; i < WARM_UP; i++)
        operation();
    for (unsigned i = 0; i < repetitions; i++) {
        uint64_t count = operation() - overhead;
        sum += count;
        if (count < least)
            least = count;
        if (count > most)
            most = count;
    }
    check(!sbi_error, name, "the SBI answers with error %ld", sbi_error);
    print("BENCH %s %lu %lu %lu", name, (sum + repetitions - 1) / repetitions, least, most);
}

static void timer(void)
{
    measure("set_timer", set_timer, REPETITIONS);
    measure("timer_interrupt", timer_interrupt, REPETITIONS);
}

/* Forty additions are forty instructions: does the counter say so? Every number rests on this. */
static void calibrate(void)
{
    uint64_t count = TIMED(".rept 40\n\taddi a0, a0, 1\n\t.endr", 0, 0, 0, 0) - nothing();
    check(count == 40, "calibration", "40 instructions count as %lu: is -icount shift=0 missing?",
          count);
}

static void illegal_instructions(void)
{
    measure("illegal_instruction", illegal_instruction, REPETITIONS);
    measure("illegal_by_itself", illegal_instruction_by_itself, FEW_REPETITIONS);
}

static void calls(void)
{
    measure("null_call", null_call, REPETITIONS);
    timer();
    measure("self_ipi", self_ipi, REPETITIONS);
    measure("fence_i_self", fence_i_self, REPETITIONS);
    measure("hart_status", hart_status, REPETITIONS);
    illegal_instructions();
    measure("delegated_exception", delegated_exception, REPETITIONS);
    if (!in_diosix)
        return;
    measure("uart_read_lsr", uart_read_lsr, REPETITIONS);
    measure("plic_read_priority", plic_read_priority, REPETITIONS);
    measure("uart_read_rbr", uart_read_rbr, REPETITIONS);
    measure("uart_write_ier", uart_write_ier, REPETITIONS);
    measure("uart_write_thr", uart_write_thr, REPETITIONS);
    measure("plic_write_priority", plic_write_priority, REPETITIONS);
    measure("plic_claim_nothing", plic_claim_nothing, REPETITIONS);
    measure("plic_claim_one", plic_claim_one, REPETITIONS);
    measure("plic_complete", plic_complete, REPETITIONS);
}

/*
 * Two vCPUs that send each other an IPI and sleep until one comes. They never poll: QEMU gives
 * harts their turns, and one that spins would keep the other from what it waits for.
 */
static void prepare_to_sleep(void)
{
    csr_write(stvec, take_ipi);
    csr_write(sie, SIP_SSIP);
}

static void sleep_until_ipi(void)
{
    __asm__ volatile("li t2, 0\n"
                     "1: wfi\n\t"
                     "csrsi sstatus, 2\n\t" /* SIE: the interrupt is taken here */
                     "csrci sstatus, 2\n\t"
                     "beqz t2, 1b" ::
                         : "t2", "memory");
}

static void send_ipi(uint64_t hart)
{
    sbi_error |= sbi_call(SBI_IPI, 0, 1, hart, 0).error;
}

static void answer(struct hart_local *self)
{
    (void)self;
    prepare_to_sleep();
    for (;;) {
        send_ipi(boot_hart); /* the first says that this hart has come */
        sleep_until_ipi();
    }
}

static uint64_t other_hart;

static uint64_t ping_pong(void)
{
    uint64_t start = csr_read(instret);
    send_ipi(other_hart);
    sleep_until_ipi();
    return csr_read(instret) - start;
}

static void pair(void)
{
    static uint8_t stack[4096] __attribute__((aligned(16)));
    struct hart_local *other = &hart_locals[1];
    if (!check(hart_count == 2, "two harts", "there are %u", hart_count))
        return;
    other_hart = hart_ids[hart_ids[0] == boot_hart];
    other->stack_top = (uint64_t)stack + sizeof stack;
    other->work = answer;
    prepare_to_sleep();
    check_equal((uint64_t)sbi_call(SBI_HSM, 0, other_hart, secondary_entry, other).error, 0,
                "the other hart starts");
    sleep_until_ipi();
    measure("ping_pong", ping_pong, PAIR_REPETITIONS);
}

void payload_main(void)
{
    const char *run = argument("run");
    calibrate();
    print("BENCH first_instruction %lu %lu %lu", first_instret, first_instret, first_instret);
    if (run && !strncmp(run, "stay", 4))
        for (;;)
            __asm__ volatile("wfi");
    if (run && !strncmp(run, "pair", 4))
        pair();
    else if (run && !strncmp(run, "timer", 5))
        timer();
    else if (run && !strncmp(run, "illegal", 7))
        illegal_instructions();
    else
        calls();
}
