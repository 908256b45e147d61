/*
 * What every payload has: a small supervisor-mode kernel's library.
 *
 * A payload is one C file with payload_main(). It checks what it came to check, a line for each:
 * `ok NAME`, `not ok NAME: WHY` or `skip NAME: WHY`; returning from payload_main() prints
 * `PAYLOAD DONE passed=N failed=N` and powers the machine off. Words of /chosen/bootargs steer it:
 * argument("beats"). With `name=X` each line begins with `[X] `.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HARTS_MAX 64

void payload_main(void);
/* Before anything else; only memory_zero has one of its own. */
void payload_early(void);

/* report.c */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Counts and prints a result; returns the condition. The format says why it failed. */
bool check(bool condition, const char *name, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
bool check_equal(uint64_t found, uint64_t expected, const char *name);
/* As check(), for what Diosix promises and other firmware may do otherwise: there it skips. */
bool check_strict(bool condition, const char *name, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
/* As check(), for what is seen in sip alone: with the word `sip=hidden` it skips. (QEMU 7.2
 * delivers timer and external interrupts to a guest of two stages, but does not show them in its
 * sip.) */
bool check_sip(bool condition, const char *name, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
void skip(const char *name, const char *why);
/* Keeps what is printed back for a while: a firmware's console may be the UART under test. */
void hold_output(bool hold);
_Noreturn void finish(void);
_Noreturn void power_off(void);

/* Registers. */
#define csr_read(csr)                                                                              \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, " #csr : "=r"(value_)::"memory");                               \
        value_;                                                                                    \
    })
#define csr_write(csr, value)                                                                      \
    __asm__ volatile("csrw " #csr ", %0" ::"r"((uint64_t)(value)) : "memory")
#define csr_set(csr, bits) __asm__ volatile("csrs " #csr ", %0" ::"r"((uint64_t)(bits)) : "memory")
#define csr_clear(csr, bits)                                                                       \
    __asm__ volatile("csrc " #csr ", %0" ::"r"((uint64_t)(bits)) : "memory")

/* Privileged 1.13, 12.1.1 and 12.1.3. */
#define SSTATUS_SIE  (1UL << 1)
#define SSTATUS_SPIE (1UL << 5)
#define SSTATUS_SPP  (1UL << 8)
#define SSTATUS_VS   (3UL << 9)
#define SSTATUS_FS   (3UL << 13)
#define SSTATUS_SUM  (1UL << 18)
#define SSTATUS_MXR  (1UL << 19)
#define SIP_SSIP     (1UL << 1)
#define SIP_STIP     (1UL << 5)
#define SIP_SEIP     (1UL << 9)
#define INTERRUPT    (1UL << 63)

/* Privileged 1.13, table of supervisor cause register values. */
enum cause {
    CAUSE_FETCH_MISALIGNED = 0,
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_USER_ECALL = 8,
    CAUSE_FETCH_PAGE = 12,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15,
};

/* Traps; start.S and trap.c. */
struct trap {
    uint64_t trapped; /* 0 or 1 */
    uint64_t scause, stval, sepc;
};

struct hart_local {
    uint64_t resume; /* where to go on after an expected trap; 0: none is expected */
    struct trap trap;
    uint64_t user_return, scratch;
    uint64_t id;
    uint64_t stack_top;
    uint64_t user_a0; /* a0 when user mode was left */
    void (*work)(struct hart_local *local);
    uint64_t satp, sstatus; /* as a secondary hart found them */
    volatile uint64_t state;
    volatile uint64_t interrupts[16];
};
_Static_assert(offsetof(struct hart_local, trap.scause) == 16, "start.S");
_Static_assert(offsetof(struct hart_local, user_return) == 40, "start.S");
_Static_assert(offsetof(struct hart_local, stack_top) == 64, "start.S");
_Static_assert(offsetof(struct hart_local, user_a0) == 72, "start.S");

extern struct hart_local hart_locals[HARTS_MAX];
static inline struct hart_local *local(void)
{
    struct hart_local *tp;
    __asm__ volatile("mv %0, tp" : "=r"(tp));
    return tp;
}

/*
 * Runs assembly that may trap; the trap, or that there was none, is in local()->trap afterwards.
 * TRY(outputs, inputs, code): t0 and ra are free to use. The code may jump to label 99 itself.
 */
#define TRY(outputs, inputs, ...)                                                                  \
    do {                                                                                           \
        local()->trap = (struct trap){0};                                                          \
        __asm__ volatile("lla t0, 99f\n\tsd t0, 0(tp)\n\t" __VA_ARGS__                             \
                         "\n\t.balign 4\n99:\tsd zero, 0(tp)"                                      \
                         : outputs:inputs                                                          \
                         : "t0", "ra", "memory");                                                  \
    } while (0)
#define LIST(...) __VA_ARGS__

/* One access of 1, 2, 4 or 8 bytes that may fault. */
struct trap try_load(uint64_t address, unsigned size, uint64_t *value);
struct trap try_store(uint64_t address, unsigned size, uint64_t value);
struct trap try_amo(uint64_t address, unsigned size, uint64_t value, uint64_t *old);
struct trap try_lr(uint64_t address, unsigned size);
struct trap try_execute(uint64_t address);
/* One instruction made at run time, with this value in a0; a0 afterwards is in *value. */
struct trap try_instruction(uint32_t instruction, uint64_t a0, uint64_t *value);
extern uint32_t instruction_buffer[];
/* cbo.zero, where isa_has("zicboz"). */
static inline struct trap try_zero(uint64_t address)
{
    return try_instruction(0x0045200f, address, NULL);
}
/* Runs user-mode code until its first trap. */
struct trap try_user(void (*entry)(void), uint64_t a0, uint64_t a1);

/* What a supervisor interrupt runs; by cause. The default counts and disables the source. */
extern void (*interrupt_handlers[16])(void);
extern void trap_entry(void);
/* A `wfi` that does not wait, for a software interrupt of the hart's own is pending. */
void wait_for_nothing(void);

extern void secondary_entry(void);

/* sbi.c */
struct sbi_return {
    long error;
    uint64_t value;
};
struct sbi_return sbi_call6(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1,
                            uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
#define sbi_call(extension, function, a0, a1, a2)                                                  \
    sbi_call6(extension, function, (uint64_t)(a0), (uint64_t)(a1), (uint64_t)(a2), 0, 0, 0)
uint64_t sbi_preserves(const uint64_t call[8]);
bool sbi_has(uint64_t extension);
void sbi_set_timer(uint64_t deadline);

#define SBI_SUCCESS               0L
#define SBI_ERR_NOT_SUPPORTED     (-2L)
#define SBI_ERR_INVALID_PARAM     (-3L)
#define SBI_ERR_DENIED            (-4L)
#define SBI_ERR_INVALID_ADDRESS   (-5L)
#define SBI_ERR_ALREADY_AVAILABLE (-6L)

#define SBI_BASE   0x10UL
#define SBI_TIME   0x54494D45UL
#define SBI_IPI    0x735049UL
#define SBI_RFENCE 0x52464E43UL
#define SBI_HSM    0x48534DUL
#define SBI_SRST   0x53525354UL
#define SBI_DBCN   0x4442434EUL
#define SBI_SUSP   0x53555350UL

/* suspend.S: a call that loses the registers, and what a resume found in them. */
struct resume_state {
    uint64_t hart, satp, sstatus, sie;
    uint64_t saved[16];
};
_Static_assert(offsetof(struct resume_state, saved) == 32, "suspend.S");
long suspend_call(uint64_t type, struct resume_state *state, uint64_t extension, uint64_t function);

/* fdt.c: a small reader of the device tree. A node is the place of its FDT_BEGIN_NODE. */
struct range {
    uint64_t base, size;
};
extern const void *fdt;
const uint32_t *fdt_next(const uint32_t *node); /* all nodes in order; NULL to begin and at end */
const char *fdt_name(const uint32_t *node);
const void *fdt_get(const uint32_t *node, const char *property, uint32_t *length);
const uint32_t *fdt_by_name(const char *name); /* without the unit address */
const uint32_t *fdt_by_compatible(const char *compatible);
struct range fdt_reg(const uint32_t *node);
uint32_t fdt_cell(const uint32_t *node, const char *property, unsigned index);
uint32_t fdt_size(void);

/* machine.c: what the device tree says of this machine. */
extern struct range ram;
extern uint64_t frequency; /* of the time CSR */
extern unsigned hart_count;
extern uint64_t hart_ids[HARTS_MAX];
extern uint64_t boot_hart;
extern bool in_diosix;
void machine_discover(void);
bool isa_has(const char *extension);

/* What the hart compares time with; UINT64_MAX where the timer is the SBI's alone. With Sstc QEMU
 * fires early now and then: another vCPU's timer that expires while stimecmp is written leaves STIP
 * set, though stimecmp is in the future, until the next write. A test that meets an early interrupt
 * tells by this register whose fault it is. */
uint64_t stimecmp_get(void);
/* The value of a word NAME=VALUE in the bootargs, or NULL. */
const char *argument(const char *name);
uint64_t argument_number(const char *name, uint64_t otherwise);
static inline uint64_t time_now(void)
{
    return csr_read(time);
}
void wait_until(uint64_t time);

/* PLIC 1.0.0, memory map. */
extern uint64_t plic_base, uart_base;
extern uint32_t uart_irq;
uint32_t plic_context(void); /* this hart's supervisor context */
volatile uint32_t *plic_priority(unsigned source);
volatile uint32_t *plic_pending(unsigned source);
volatile uint32_t *plic_enable(unsigned source);
volatile uint32_t *plic_threshold(void);
volatile uint32_t *plic_claim(void);
static inline void uart_write(unsigned offset, uint8_t value)
{
    *(volatile uint8_t *)(uart_base + offset) = value;
}
static inline uint8_t uart_read(unsigned offset)
{
    return *(volatile uint8_t *)(uart_base + offset);
}

/* paging.c: Sv39 (Privileged 1.13, 12.4). */
#define PTE_V    (1UL << 0)
#define PTE_R    (1UL << 1)
#define PTE_W    (1UL << 2)
#define PTE_X    (1UL << 3)
#define PTE_U    (1UL << 4)
#define PTE_A    (1UL << 6)
#define PTE_D    (1UL << 7)
#define PTE_LEAF (PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D)
#define PAGE     4096UL
#define GIGAPAGE (1UL << 30)

/* The root table: the first 256 GiB are mapped one to one, and again from ALIAS on. */
#define ALIAS 0xffffffc000000000UL
/* Where single pages may be mapped: two megabytes there; entry 128 of the upper half. */
#define WINDOW (ALIAS + 128 * GIGAPAGE)
extern uint64_t page_root[512], page_middle[512], page_leaves[512];
void paging_on(void);
void paging_off(void);
void page_map(uint64_t virtual_address, uint64_t physical, uint64_t flags);
static inline void fence_vma(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}
static inline uint64_t pte(uint64_t physical, uint64_t flags)
{
    return physical >> 12 << 10 | flags;
}

/* Nothing answers here on `virt`, in a capsule or not. */
#define HOLE 0x00300000UL

/* Bytes that a test may use as it likes: two pages, page-aligned. */
extern uint8_t scratch_pages[2 * PAGE];
extern char __image_start[], __image_end[];

void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);
size_t strlen(const char *text);

#endif
