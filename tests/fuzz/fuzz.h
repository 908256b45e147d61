/*
 * The fuzz guest: a supervisor that does anything that a guest can, from a seed, and finds back to
 * its loop from most of what it does to itself. fuzz.c has the loop, and each actions_*.c some of
 * the actions; entry.S the way into an action and back.
 *
 * An *action* is prepared by the loop: a few instructions in memory, a value for each register, an
 * address-translation setting, a privilege mode. It then runs, and ends with a trap, expected or
 * not: its last instruction is an ebreak. The loop itself runs without translation and with
 * interrupts disabled, so all that an action may have broken is put right by the trap's entry.
 *
 * Each hart of the guest is a *worker*. A guest's *life* goes from one start to the next, and ends
 * after a number of actions with a reboot; if it dies otherwise, keeper.c, in a capsule of its own,
 * starts it again. Each life has another seed, which is derived from the one in the bootargs.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "payload.h"

#define WORKERS_MAX  8
#define BURST        32   /* calls in a row */
#define RARELY       8192 /* one in so many actions does what its worker may not survive */
#define PROGRAMS     64   /* in a pool */
#define PROGRAM_SIZE 128
#define POOLS        5
#define MEGAPAGE     (2UL << 20)
#define CODE_SIZE    ((uint64_t)POOLS * PROGRAMS * PROGRAM_SIZE)
#define TABLE_COUNT  6

/* Kinds of actions, for the account of what came of them. */
enum kind {
    KIND_SBI,
    KIND_SERVICE,
    KIND_DEVICE,
    KIND_MEMORY,
    KIND_ZERO,
    KIND_CSR,
    KIND_CODE,
    KIND_JUMP,
    KIND_INTERRUPT,
    KIND_HART,
    KIND_COUNT
};

enum outcome {
    OUTCOME_DONE,
    OUTCOME_REFUSED, /* the SBI answered with an error */
    OUTCOME_TRAPPED, /* it ended with another trap than planned */
    OUTCOME_INTERRUPTED,
    OUTCOME_COUNT
};

/* What a worker enters an action with. */
struct state {
    uint64_t x[32]; /* x[0] is the pc */
    uint64_t satp, sstatus, sie;
};
_Static_assert(offsetof(struct state, satp) == 256, "entry.S");

struct worker {
    uint64_t context[16]; /* of the loop: ra, sp, gp, tp, s0 .. s11 */
    uint64_t inside;      /* an action runs */
    uint64_t scause, stval, sepc, a0;
    uint64_t stack;
    uint64_t burst, refused; /* operations of a burst so far, and how many of them were refused */
    uint64_t next;           /* the record that it goes on with */
    uint64_t id, random;
    volatile uint64_t alive; /* grows with each action */
    uint64_t plic_context;
    uint8_t *code; /* CODE_SIZE bytes of its own, for programs */
    size_t code_at;
    struct program *program; /* the one that is being written */
    uint64_t near;           /* the address that an action is about */
    uint64_t (*tables)[512]; /* TABLE_COUNT pages of its own */
    uint64_t alias;          /* from the code's address to where user mode finds it */
    struct state state;
    enum kind kind;
    bool is_call, is_burst;
    uint64_t (*records)[8]; /* BURST of them: what a burst is made of */
    uint64_t counts[KIND_COUNT][OUTCOME_COUNT];
    uint64_t strays; /* traps of the loop itself */
};
_Static_assert(offsetof(struct worker, inside) == 128, "entry.S");
_Static_assert(offsetof(struct worker, stack) == 168, "entry.S");
_Static_assert(offsetof(struct worker, burst) == 176, "entry.S");
#define WORKER_SIZE 2048
_Static_assert(sizeof(struct worker) <= WORKER_SIZE, "entry.S");

union worker_slot {
    struct worker worker;
    uint8_t bytes[WORKER_SIZE];
};
extern union worker_slot workers[WORKERS_MAX];

/* What all workers share: [arena, arena_end) is memory that actions may use as they like. */
extern uint64_t arena, arena_end;
extern uint32_t *shared_code; /* a page in which all write, and which all execute */
extern uint64_t (*shared_tables)[512];
extern bool have_sstc, have_senvcfg;

/* entry.S */
void fuzz_enter(struct worker *worker, const struct state *state);
void worker_entry(void); /* where harts are started */
extern char fuzz_traps[];
#define FUZZ_TRAP_SIZE 128

/* fuzz.c */
void worker_run(struct worker *worker);

/* values.c. RAM comes to a guest when it first reaches for it, from both ends. [gap_low, gap_high)
 * is what no worker has reached for, as far as they know: they go there now and then, to an end of
 * it, so that there is a gap for most of a life. */
extern volatile uint64_t gap_low, gap_high;
uint64_t mix(uint64_t value);
uint64_t any(struct worker *worker);
/* A number below the limit; whether one of so many chances came. */
uint64_t below(struct worker *worker, uint64_t limit);
bool one_in(struct worker *worker, uint64_t chances);
#define PICK(worker, array) ((array)[below(worker, sizeof(array) / sizeof((array)[0]))])
uint64_t arena_address(struct worker *worker, uint64_t size);
uint64_t gap_address(struct worker *worker);
uint64_t device_address(struct worker *worker);
uint64_t foreign_address(struct worker *worker);
uint64_t any_address(struct worker *worker);
uint64_t any_value(struct worker *worker);

/*
 * code.c: programs, of a few instructions each. To make one costs more than to run it (an emulator
 * has to translate it), so a worker keeps a pool of them for each kind of action, runs them with
 * ever new registers, and replaces one now and then.
 */
enum pool {
    POOL_DEVICE,
    POOL_MEMORY,
    POOL_ZERO,
    POOL_CSR,
    POOL_CODE
};

/* What a program expects in a register. */
enum operand {
    OPERAND_ADDRESS,    /* of anything */
    OPERAND_REGISTER_1, /* of a device's register that is 1 byte wide, and so on */
    OPERAND_REGISTER_2,
    OPERAND_REGISTER_4,
    OPERAND_SATP,
};

#define OPERANDS_MAX 8
struct program {
    uint8_t count; /* of operands; more than OPERANDS_MAX are anything */
    bool made;
    uint8_t registers[OPERANDS_MAX], operands[OPERANDS_MAX];
    int16_t offsets[OPERANDS_MAX];
};

/* Chooses a program of the pool, made anew by `make` at one in so many times, and begins at it. */
void use_program(struct worker *worker, enum pool pool, uint64_t chances,
                 void (*make)(struct worker *worker));
/* Gives it its operands: addresses from `address`, in any order. */
void use_addresses(struct worker *worker, uint64_t (*address)(struct worker *worker));
void emit(struct worker *worker, uint32_t instruction);
#define ECALL  0x00000073U
#define EBREAK 0x00100073U
#define WFI    0x10500073U
/* entry.S: an ecall, and a jump to ra, each with an end behind it. */
extern uint32_t fuzz_ecall[], fuzz_return[];
/* One of these for all of worker->records. */
extern uint32_t fuzz_calls[], fuzz_sweep[], fuzz_zeros[];
extern uint32_t fuzz_wait[]; /* wfi, with interrupts allowed before or after it */
void emit_access(struct worker *worker);
void emit_zero(struct worker *worker);

/* The actions: each prepares worker->state and the code, and says of which kind it is. */
void action_sbi(struct worker *worker);
void action_service(struct worker *worker);
void action_device(struct worker *worker);
void action_pages(struct worker *worker);
void action_zero(struct worker *worker);
void action_csr(struct worker *worker);
void action_code(struct worker *worker);
void action_shared(struct worker *worker);
void action_jump(struct worker *worker);
void action_interrupt(struct worker *worker);
void action_hart(struct worker *worker);

/* For the action that is being prepared: a timer that ends it, a burst as its program, translation
 * by tables of the worker's own, with an address that they lead somewhere from. */
void set_alarm(struct worker *worker, uint64_t ticks);
void begin_burst(struct worker *worker, const uint32_t *program, uint64_t size);
void use_tables(struct worker *worker, uint64_t *virtual_address);

#endif
