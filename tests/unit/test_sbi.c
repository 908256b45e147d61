/* The SBI of the virtual machine, call by call: results, registers, and every error that SBI 3.0
 * names for an argument. */
#include "machine_fakes.h"
#include "devices.h"
#include "sbi.h"
#include "version.h"
#include <stdio.h>
#include <string.h>

#define EXT_BASE   0x10
#define EXT_TIME   0x54494D45
#define EXT_IPI    0x735049
#define EXT_RFENCE 0x52464E43
#define EXT_HSM    0x48534D
#define EXT_SRST   0x53525354
#define EXT_DBCN   0x4442434E
#define EXT_SUSP   0x53555350

#define PC        0x80001000UL
#define RAM_END   (FAKE_RAM_BASE + FAKE_RAM_SIZE)
#define UNTOUCHED 0x5a5a5a5aUL
#define SSIP      (1UL << IRQ_S_SOFT)

static int setup(void **state)
{
    (void)state;
    return fake_setup(4);
}

static int teardown(void **state)
{
    (void)state;
    return fake_teardown();
}

struct answer {
    long error;
    uint64_t value;
};

static uint64_t *registers(void)
{
    return fake_vcpu(0)->arch.x;
}

static void prepare(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2,
                    uint64_t a3)
{
    uint64_t *x = registers();
    for (unsigned i = 0; i < 32; i++)
        x[i] = UNTOUCHED + i;
    x[0] = PC;
    x[10] = a0;
    x[11] = a1;
    x[12] = a2;
    x[13] = a3;
    x[16] = function;
    x[17] = extension;
}

/* A call as a guest makes it; all but a0 and a1 must be as before (SBI 3.0, chapter 3). */
static struct answer call4(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1,
                           uint64_t a2, uint64_t a3)
{
    prepare(extension, function, a0, a1, a2, a3);
    sbi_call(fake_vcpu(0));
    uint64_t *x = registers();
    assert_int_equal(x[0], PC + 4);
    for (unsigned i = 1; i < 32; i++)
        if (i < 10 || (i > 13 && i < 16) || i > 17)
            assert_int_equal(x[i], UNTOUCHED + i);
    assert_int_equal(x[12], a2);
    assert_int_equal(x[13], a3);
    assert_int_equal(x[16], function);
    assert_int_equal(x[17], extension);
    return (struct answer){(long)x[10], x[11]};
}

static struct answer call(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1,
                          uint64_t a2)
{
    return call4(extension, function, a0, a1, a2, UNTOUCHED);
}

static void test_unknown_calls(void **state)
{
    (void)state;
    static const uint64_t unknown[] = {9, 0xf, 0x11, 0x0A000004, 0x504D55, UINT64_MAX, 0x80000000};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_int_equal(call(unknown[i], 0, 0, 0, 0).error, SBI_ERR_NOT_SUPPORTED);
    static const struct {
        uint64_t extension, first_unknown;
    } functions[] = {{EXT_BASE, 7}, {EXT_TIME, 1}, {EXT_IPI, 1},  {EXT_RFENCE, 7},
                     {EXT_HSM, 4},  {EXT_SRST, 1}, {EXT_DBCN, 3}, {EXT_SUSP, 1}};
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        uint64_t extension = functions[i].extension, function = functions[i].first_unknown;
        assert_int_equal(call(extension, function, 0, 0, 0).error, SBI_ERR_NOT_SUPPORTED);
        assert_int_equal(call(extension, UINT64_MAX, 0, 0, 0).error, SBI_ERR_NOT_SUPPORTED);
        assert_int_equal(call(extension, 1UL << 32, 0, 0, 0).error, SBI_ERR_NOT_SUPPORTED);
    }
}

static void test_base(void **state)
{
    (void)state;
    assert_int_equal(call(EXT_BASE, 0, 0, 0, 0).value, 3UL << 24);
    assert_int_equal(call(EXT_BASE, 1, 0, 0, 0).value, 5);
    unsigned major, minor, patch;
    assert_int_equal(sscanf(DIOSIX_VERSION, "%u.%u.%u", &major, &minor, &patch), 3);
    assert_int_equal(call(EXT_BASE, 2, 0, 0, 0).value, major << 16 | minor << 8 | patch);
    for (uint64_t function = 4; function < 7; function++) {
        struct answer answer = call(EXT_BASE, function, 9, 9, 9);
        assert_int_equal(answer.error, SBI_SUCCESS);
        assert_int_equal(answer.value, 0);
    }
    static const uint64_t there[] = {0,        8,       EXT_BASE, EXT_TIME, EXT_IPI,   EXT_RFENCE,
                                     EXT_SRST, EXT_HSM, EXT_DBCN, EXT_SUSP, 0x0A000005};
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        assert_int_equal(call(EXT_BASE, 3, there[i], 0, 0).value, 1);
    assert_int_equal(call(EXT_BASE, 3, 9, 0, 0).value, 0);
    assert_int_equal(call(EXT_BASE, 3, 0x504D55, 0, 0).value, 0);
    assert_int_equal(call(EXT_BASE, 3, UINT64_MAX, 0, 0).error, SBI_SUCCESS);
}

static void test_time(void **state)
{
    (void)state;
    assert_int_equal(call(EXT_TIME, 0, 123456, 0, 0).error, SBI_SUCCESS);
    assert_int_equal(fake.timer[0], 123456);
    assert_int_equal(call(EXT_TIME, 0, UINT64_MAX, 0, 0).error, SBI_SUCCESS);
    assert_int_equal(fake.timer[0], UINT64_MAX);
}

/* Hart masks (3.2), seen through IPIs: which harts got one, as a mask. */
static uint64_t interrupted(void)
{
    uint64_t mask = 0;
    for (unsigned id = 0; id < CAPSULE_VCPU_MAX; id++)
        if (fake.lines[id] & SSIP)
            mask |= 1UL << id;
    memset(fake.lines, 0, sizeof fake.lines);
    return mask;
}

static void test_hart_masks(void **state)
{
    (void)state;
    static const struct {
        uint64_t mask, base;
        long error;
        uint64_t harts;
    } cases[] = {
        {1, 0, 0, 1},
        {0xa, 0, 0, 0xa},
        {3, 2, 0, 0xc},
        {0, 0, 0, 0},
        {0, 3, 0, 0},
        {0, UINT64_MAX, 0, 0xf}, /* base -1: all, the mask is ignored */
        {UINT64_MAX, UINT64_MAX, 0, 0xf},
        {0x10, 0, SBI_ERR_INVALID_PARAM, 0},
        {0x1f, 0, SBI_ERR_INVALID_PARAM, 0},
        {1, 4, SBI_ERR_INVALID_PARAM, 0},
        {3, 3, SBI_ERR_INVALID_PARAM, 0},
        {1, 64, SBI_ERR_INVALID_PARAM, 0},
        {1, UINT64_MAX - 1, SBI_ERR_INVALID_PARAM, 0},
        {1UL << 63, 1, SBI_ERR_INVALID_PARAM, 0}, /* hart 64 is not hart 0 */
        {3UL << 62, UINT64_MAX - 62, SBI_ERR_INVALID_PARAM, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(call(EXT_IPI, 0, cases[i].mask, cases[i].base, 0).error, cases[i].error);
        assert_int_equal(interrupted(), cases[i].harts);
    }
}

static void test_hart_masks_of_64(void **state)
{
    (void)state;
    fake_teardown();
    fake_setup(64);
    assert_int_equal(call(EXT_IPI, 0, UINT64_MAX, 0, 0).error, SBI_SUCCESS);
    assert_int_equal(interrupted(), UINT64_MAX);
    assert_int_equal(call(EXT_IPI, 0, 1, 63, 0).error, SBI_SUCCESS);
    assert_int_equal(interrupted(), 1UL << 63);
    assert_int_equal(call(EXT_IPI, 0, 3, 63, 0).error, SBI_ERR_INVALID_PARAM);
    assert_int_equal(interrupted(), 0);
}

static void test_rfence(void **state)
{
    (void)state;
    assert_int_equal(call(EXT_RFENCE, 0, 5, 0, 0).error, SBI_SUCCESS);
    assert_int_equal(fake.fences[0], FENCE_I);
    assert_int_equal(fake.fences[1], 0);
    assert_int_equal(fake.fences[2], FENCE_I);
    assert_int_equal(call4(EXT_RFENCE, 1, 2, 0, 0x1000, 0x2000).error, SBI_SUCCESS);
    assert_int_equal(fake.fences[1], FENCE_VMA);
    assert_int_equal(call4(EXT_RFENCE, 2, 8, 0, 0, UINT64_MAX).error, SBI_SUCCESS);
    assert_int_equal(fake.fences[3], FENCE_VMA);
    memset(fake.fences, 0, sizeof fake.fences);
    assert_int_equal(call4(EXT_RFENCE, 1, 16, 0, 0, 0).error, SBI_ERR_INVALID_PARAM);
    assert_int_equal(call4(EXT_RFENCE, 1, 1, 0, -4096UL, 8192).error, SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(fake.fences[0], 0);
    assert_int_equal(call4(EXT_RFENCE, 1, 1, 0, -4096UL, 4096).error, SBI_SUCCESS);
    assert_int_equal(call4(EXT_RFENCE, 1, 1, 0, 4096, UINT64_MAX).error, SBI_SUCCESS);
    memset(fake.fences, 0, sizeof fake.fences);
    for (uint64_t function = 3; function < 7; function++)
        assert_int_equal(call(EXT_RFENCE, function, 1, 0, 0).error, SBI_ERR_NOT_SUPPORTED);
    assert_int_equal(fake.fences[0], 0);
}

static int hsm(unsigned id)
{
    struct answer answer = call(EXT_HSM, 2, id, 0, 0);
    assert_int_equal(answer.error, SBI_SUCCESS);
    return (int)answer.value;
}

static void test_hart_start(void **state)
{
    (void)state;
    assert_int_equal(hsm(0), HSM_STARTED);
    assert_int_equal(hsm(1), HSM_STOPPED);
    assert_int_equal(call(EXT_HSM, 0, 1, 0x80002000, 77).error, SBI_SUCCESS);
    assert_int_equal(hsm(1), HSM_STARTED);
    assert_int_equal(fake.started[1], 1);
    assert_int_equal(fake_vcpu(1)->arch.x[0], 0x80002000);
    assert_int_equal(fake_vcpu(1)->arch.x[10], 1);
    assert_int_equal(fake_vcpu(1)->arch.x[11], 77);
    assert_int_equal(call(EXT_HSM, 0, 1, 0x80002000, 0).error, SBI_ERR_ALREADY_AVAILABLE);
    assert_int_equal(call(EXT_HSM, 0, 0, 0x80002000, 0).error, SBI_ERR_ALREADY_AVAILABLE);
    assert_int_equal(fake.resets, 1);
    assert_int_equal(fake.started[1], 1);
}

static void test_hart_start_keeps_the_plics_line(void **state)
{
    (void)state;
    atomic_store(&fake_vcpu(1)->arch.interrupts, 1UL << 9 | 1UL << 1);
    assert_int_equal(call(EXT_HSM, 0, 1, 0x80002000, 77).error, SBI_SUCCESS);
    assert_int_equal(atomic_load(&fake_vcpu(1)->arch.interrupts), 1UL << 9);
}

static void test_hart_start_refuses(void **state)
{
    (void)state;
    static const uint64_t addresses[] = {0,           0x10000000, FAKE_RAM_BASE - 2, RAM_END,
                                         RAM_END - 1, UINT64_MAX, 0x80000001};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        assert_int_equal(call(EXT_HSM, 0, 1, addresses[i], 0).error, SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(call(EXT_HSM, 0, 4, 0x80002000, 0).error, SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(EXT_HSM, 0, UINT64_MAX, 0x80002000, 0).error, SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(EXT_HSM, 0, 1UL << 32, 0x80002000, 0).error, SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(EXT_HSM, 2, 4, 0, 0).error, SBI_ERR_INVALID_PARAM);
    assert_int_equal(fake.resets, 0);
    assert_int_equal(hsm(1), HSM_STOPPED);
    assert_int_equal(call(EXT_HSM, 0, 1, RAM_END - 2, 0).error, SBI_SUCCESS);
}

static void test_hart_stop(void **state)
{
    (void)state;
    struct vcpu *vcpu = fake_vcpu(0);
    prepare(EXT_HSM, 1, 0, 0, 0, 0);
    sbi_call(vcpu);
    assert_int_equal(fake.stopped, 1);
    assert_int_equal(atomic_load(&vcpu->hsm), HSM_STOP_PENDING);
    struct sbi_call other = {.vcpu = fake_vcpu(1), .function = 0, .args = {0, 0x80002000, 0}};
    sbi_hsm.handle(&other);
    assert_int_equal(other.error, SBI_ERR_FAILED); /* its registers are still on the hart */
    assert_int_equal(fake.resets, 0);
    sbi_hsm_leave(vcpu);
    assert_int_equal(atomic_load(&vcpu->hsm), HSM_STOPPED);
    sbi_hsm.handle(&other);
    assert_int_equal(other.error, SBI_SUCCESS);
    assert_int_equal(fake.started[0], 1);
    assert_int_equal(fake.reset_a0, 0);
}

static void test_leaving_a_hart_does_not_stop(void **state)
{
    (void)state;
    sbi_hsm_leave(fake_vcpu(0));
    assert_int_equal(atomic_load(&fake_vcpu(0)->hsm), HSM_STARTED);
}

/* Hart 0 comes to a core, first for no reason of its own (its capsule was paused and resumed), then
 * with a line up that it has masked, then with one that it has enabled. */
static void resume(void)
{
    unsigned blocked = fake.blocked, resets = fake.resets;
    fake.enabled[0] = SSIP;
    for (fake.lines[0] = 0; fake.lines[0] <= 1U << IRQ_S_EXTERNAL;
         fake.lines[0] += 1U << IRQ_S_EXTERNAL) {
        assert_false(sbi_hsm_enter(fake_vcpu(0)));
        assert_int_equal(fake.blocked, ++blocked);
        assert_int_equal(fake.blocked_until, UINT64_MAX); /* its timer is the scheduler's to know */
        assert_int_equal(atomic_load(&fake_vcpu(0)->hsm), HSM_SUSPENDED);
        assert_int_equal(fake.resets, resets);
    }
    fake.lines[0] = SSIP;
    assert_true(sbi_hsm_enter(fake_vcpu(0)));
    assert_int_equal(fake.blocked, blocked);
    assert_int_equal(atomic_load(&fake_vcpu(0)->hsm), HSM_STARTED);
}

static void test_retentive_suspend(void **state)
{
    (void)state;
    struct answer answer = call(EXT_HSM, 3, 0, 0xbad, 0xbad);
    assert_int_equal(answer.error, SBI_SUCCESS);
    assert_int_equal(fake.blocked, 1);
    assert_int_equal(fake.blocked_until, UINT64_MAX);
    assert_int_equal(atomic_load(&fake_vcpu(0)->hsm), HSM_SUSPENDED);
    resume();
    assert_int_equal(registers()[0], PC + 4);
    assert_int_equal(registers()[10], SBI_SUCCESS);
    assert_int_equal(fake.resets, 0);
}

static void test_non_retentive_suspend(void **state)
{
    (void)state;
    prepare(EXT_HSM, 3, 0xffffffff80000000, 0x80003000, 55, 0);
    sbi_call(fake_vcpu(0)); /* the type is 32 bits wide, its sign may be extended */
    assert_int_equal(fake.blocked, 1);
    assert_int_equal(atomic_load(&fake_vcpu(0)->hsm), HSM_SUSPENDED);
    assert_int_equal(fake.resets, 0);
    resume();
    assert_int_equal(fake.resets, 1);
    assert_int_equal(registers()[0], 0x80003000);
    assert_int_equal(registers()[10], 0);
    assert_int_equal(registers()[11], 55);
    assert_true(sbi_hsm_enter(fake_vcpu(0)));
    assert_int_equal(fake.resets, 1);
}

/* With `sie` empty, and one IPI pending since before: the next one is what counts. */
static void test_an_ipi_ends_a_suspend(void **state)
{
    (void)state;
    fake.lines[0] = SSIP;
    atomic_store(&fake_vcpu(0)->arch.resume, true); /* of an earlier suspend */
    call(EXT_HSM, 3, 0, 0, 0);
    assert_int_equal(fake.woken[0], 0);
    assert_false(sbi_hsm_enter(fake_vcpu(0)));
    atomic_store(&fake_vcpu(0)->arch.resume, true); /* interrupt_raise() */
    assert_true(sbi_hsm_enter(fake_vcpu(0)));
    assert_int_equal(atomic_load(&fake_vcpu(0)->hsm), HSM_STARTED);
}

static void test_suspend_refuses(void **state)
{
    (void)state;
    static const uint32_t types[] = {1,          0x0fffffff, 0x10000000, 0x7fffffff,
                                     0x80000001, 0x8fffffff, 0x90000000, 0xffffffff};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        assert_int_equal(call(EXT_HSM, 3, types[i], 0x80002000, 0).error, SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(EXT_HSM, 3, 0x80000000, 0x1000, 0).error, SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(call(EXT_HSM, 3, 0x80000000, RAM_END, 0).error, SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(fake.blocked, 0);
    assert_int_equal(hsm(0), HSM_STARTED);
}

/* Firmware starts harts where it was started itself; whatever commands a bank answers just now, it
 * is memory that they may execute. */
static void test_flash_is_an_entry(void **state)
{
    static const uint8_t contents[] = {1};
    const uint64_t bank = MACHINE_FLASH_BASE + MACHINE_FLASH_SIZE;
    static const uint64_t none[] = {
        MACHINE_FLASH_BASE - 2, MACHINE_FLASH_BASE, MACHINE_FLASH_BASE + MACHINE_FLASH_SIZE - 2,
        MACHINE_FLASH_BASE + MACHINE_FLASH_SIZE + 1, MACHINE_FLASH_BASE + 2 * MACHINE_FLASH_SIZE};
    fake_teardown();
    fake_flash(1, contents, sizeof contents);
    setup(state);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(call(EXT_HSM, 0, 1, none[i], 0).error, SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(call(EXT_HSM, 0, 1, bank, 0).error, SBI_SUCCESS);
    assert_int_equal(fake_vcpu(1)->arch.x[0], bank);
    write32(bank, 0x700070); /* read the status */
    assert_int_equal(call(EXT_HSM, 0, 2, bank + MACHINE_FLASH_SIZE - 2, 0).error, SBI_SUCCESS);
    prepare(EXT_HSM, 3, 0x80000000, bank + 4, 0, 0);
    sbi_call(fake_vcpu(0));
    assert_int_equal(atomic_load(&fake_vcpu(0)->hsm), HSM_SUSPENDED);
    resume();
    assert_int_equal(registers()[0], bank + 4);
}

static void test_system_suspend(void **state)
{
    (void)state;
    prepare(EXT_SUSP, 0, 1UL << 32, 0x80003000, 55, 0); /* the type is 32 bits wide */
    sbi_call(fake_vcpu(0));
    assert_int_equal(fake.blocked, 1);
    assert_int_equal(hsm(1), HSM_STOPPED);
    assert_int_equal(atomic_load(&fake_vcpu(0)->hsm), HSM_SUSPENDED);
    assert_int_equal(fake.resets, 0);
    resume();
    assert_int_equal(fake.resets, 1);
    assert_int_equal(registers()[0], 0x80003000);
    assert_int_equal(registers()[10], 0);
    assert_int_equal(registers()[11], 55);
}

/* In this order, when there is more than one reason: type, other harts, address. */
static void test_system_suspend_refuses(void **state)
{
    (void)state;
    static const uint32_t types[] = {1, 2, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff};
    static const int states[] = {HSM_STARTED, HSM_START_PENDING, HSM_STOP_PENDING, HSM_SUSPENDED};
    static const uint64_t addresses[] = {0,           0x10000000, FAKE_RAM_BASE - 2, RAM_END,
                                         RAM_END - 1, UINT64_MAX, 0x80000001};
    atomic_store(&fake_vcpu(2)->hsm, HSM_STARTED);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        assert_int_equal(call(EXT_SUSP, 0, types[i], 0, 0).error, SBI_ERR_INVALID_PARAM);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        atomic_store(&fake_vcpu(2)->hsm, states[i]);
        assert_int_equal(call(EXT_SUSP, 0, 0, 0, 0).error, SBI_ERR_DENIED);
    }
    atomic_store(&fake_vcpu(2)->hsm, HSM_STOPPED);
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        assert_int_equal(call(EXT_SUSP, 0, 0, addresses[i], 0).error, SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(fake.blocked, 0);
    assert_int_equal(hsm(0), HSM_STARTED);
}

static void test_system_reset(void **state)
{
    (void)state;
    static const struct {
        uint64_t type, reason;
    } wrong[] = {{3, 0},          {0xefffffff, 0}, {0xf0000000, 0}, {0xffffffff, 0}, {0, 2},
                 {0, 0xdfffffff}, {0, 0xe0000000}, {1, 0xf0000000}, {2, 0xffffffff}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(call(EXT_SRST, 0, wrong[i].type, wrong[i].reason, 0).error,
                         SBI_ERR_INVALID_PARAM);
    assert_int_equal(fake.stop_calls + fake.restart_calls, 0);
    call(EXT_SRST, 0, 0, 0, 0);
    assert_int_equal(fake.stop_calls, 1);
    call(EXT_SRST, 0, 1, 0, 0);
    call(EXT_SRST, 0, 2, 1, 0);
    assert_int_equal(fake.restart_calls, 2);
    fake.life_answer = ERROR_BAD_STATE;
    assert_int_equal(call(EXT_SRST, 0, 0, 0, 0).error, SBI_ERR_FAILED);
}

static void test_dbcn_write(void **state)
{
    (void)state;
    memcpy(fake.ram + 0x100, "hello", 5);
    struct answer answer = call(EXT_DBCN, 0, 5, FAKE_RAM_BASE + 0x100, 0);
    assert_int_equal(answer.error, SBI_SUCCESS);
    assert_int_equal(answer.value, 5);
    assert_memory_equal(fake.console, "hello", 5);
    fake.console_room = 2;
    answer = call(EXT_DBCN, 0, 5, FAKE_RAM_BASE + 0x100, 0);
    assert_int_equal(answer.error, SBI_SUCCESS);
    assert_int_equal(answer.value, 2);
    assert_int_equal(fake.yielded, 0);
    answer = call(EXT_DBCN, 0, 5, FAKE_RAM_BASE + 0x100, 0);
    assert_int_equal(answer.error, SBI_SUCCESS);
    assert_int_equal(answer.value, 0);
    assert_int_equal(fake.yielded, 1);
}

static void test_dbcn_read(void **state)
{
    (void)state;
    struct answer answer = call(EXT_DBCN, 1, 16, FAKE_RAM_BASE, 0);
    assert_int_equal(answer.error, SBI_SUCCESS);
    assert_int_equal(answer.value, 0);
    fake_type("typed");
    answer = call(EXT_DBCN, 1, 3, RAM_END - 3, 0);
    assert_int_equal(answer.value, 3);
    assert_memory_equal(fake.ram + FAKE_RAM_SIZE - 3, "typ", 3);
}

static void test_dbcn_addresses(void **state)
{
    (void)state;
    static const struct {
        uint64_t count, low, high;
    } wrong[] = {
        {1, 0, 0},
        {1, MACHINE_UART_BASE, 0},
        {1, FAKE_RAM_BASE - 1, 0},
        {2, FAKE_RAM_BASE - 1, 0},
        {1, RAM_END, 0},
        {4, RAM_END - 3, 0},
        {FAKE_RAM_SIZE + 1, FAKE_RAM_BASE, 0},
        {UINT64_MAX, FAKE_RAM_BASE, 0},
        {1UL << 63, FAKE_RAM_BASE, 0},
        {2, UINT64_MAX, 0},
        {1, FAKE_RAM_BASE, 1},
        {1, FAKE_RAM_BASE, UINT64_MAX},
    };
    fake_type("x");
    for (uint64_t function = 0; function < 2; function++)
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
            assert_int_equal(
                call(EXT_DBCN, function, wrong[i].count, wrong[i].low, wrong[i].high).error,
                SBI_ERR_INVALID_PARAM);
    assert_int_equal(fake.console_count, 0);
    assert_int_equal(fake.input_count, 1);
    assert_int_equal(call(EXT_DBCN, 0, 0, 0, 0).error, SBI_SUCCESS);
}

/* The call is repeated until it is there. */
static void test_dbcn_in_memory_that_comes(void **state)
{
    (void)state;
    fake.memory_comes = true;
    memcpy(fake.ram, "text", 4);
    for (uint64_t function = 0; function < 2; function++) {
        prepare(EXT_DBCN, function, 4, FAKE_RAM_BASE, 0, 0);
        sbi_call(fake_vcpu(0));
        assert_int_equal(registers()[0], PC);
        assert_int_equal(registers()[10], 4);
    }
    assert_int_equal(fake.console_count, 0);
    assert_int_equal(call(EXT_DBCN, 0, 1, FAKE_RAM_BASE - 1, 0).error, SBI_ERR_INVALID_PARAM);
    fake.memory_comes = false;
    assert_int_equal(call(EXT_DBCN, 0, 4, FAKE_RAM_BASE, 0).value, 4);
    assert_int_equal(fake.console_count, 4);
}

static void test_dbcn_write_byte(void **state)
{
    (void)state;
    struct answer answer = call(EXT_DBCN, 2, 0x141, 0, 0);
    assert_int_equal(answer.error, SBI_SUCCESS);
    assert_int_equal(answer.value, 0);
    assert_int_equal(fake.console[0], 'A');
}

/* A byte that must be written waits: the ecall is repeated when there is room. */
static void test_blocking_write(void **state)
{
    (void)state;
    fake.console_room = 0;
    prepare(EXT_DBCN, 2, 'B', 1, 2, 3);
    sbi_call(fake_vcpu(0));
    assert_int_equal(registers()[0], PC);
    assert_int_equal(registers()[10], 'B');
    assert_int_equal(fake.blocked, 1);
    assert_int_equal(fake.blocked_until, UINT64_MAX);
    assert_int_equal(fake.woken[0], 0);
    fake.console_room = 1;
    fake.locked = true;
    machine_console_event(&fake.capsule);
    fake.locked = false;
    assert_int_equal(fake.woken[0], 1);
    sbi_call(fake_vcpu(0));
    assert_int_equal(registers()[0], PC + 4);
    assert_int_equal(registers()[10], SBI_SUCCESS);
    assert_int_equal(fake.console[0], 'B');
    fake.locked = true;
    machine_console_event(&fake.capsule); /* nobody waits any more */
    fake.locked = false;
    assert_int_equal(fake.woken[0], 1);
}

static void test_serial_port_of_a_console_service(void **state)
{
    (void)state;
    fake.capsule.config.properties = DIOSIX_PROPERTY_CONSOLE_WRITE | DIOSIX_PROPERTY_CONSOLE_READ;
    memset(fake.ram, 'x', 1000);
    struct answer answer = call(EXT_DBCN, 0, 1000, FAKE_RAM_BASE, 0);
    assert_true(answer.value > 0 && answer.value <= 1000);
    assert_int_equal(fake.serial_count, answer.value);
    fake.serial_full = true; /* it is not waited for */
    assert_int_equal(call(EXT_DBCN, 0, 1000, FAKE_RAM_BASE, 0).value, 0);
    assert_int_equal(fake.serial_count, answer.value);
    assert_int_equal(fake.console_count, 0);
    strcpy(fake.serial_input, "k");
    fake.serial_input_count = 1;
    fake_type("guest");
    assert_int_equal(call(EXT_DBCN, 1, 9, FAKE_RAM_BASE, 0).value, 1);
    assert_int_equal(fake.ram[0], 'k');
}

/* Legacy calls write a0 alone. */
static long legacy(uint64_t extension, uint64_t a0)
{
    prepare(extension, UINT64_MAX, a0, 0x1111, 0x2222, 0x3333);
    sbi_call(fake_vcpu(0));
    assert_int_equal(registers()[0], PC + 4);
    assert_int_equal(registers()[11], 0x1111);
    assert_int_equal(registers()[12], 0x2222);
    return (long)registers()[10];
}

static void test_legacy_console_and_timer(void **state)
{
    (void)state;
    assert_int_equal(legacy(0, 4711), 0);
    assert_int_equal(fake.timer[0], 4711);
    assert_int_equal(legacy(1, 'L'), 0);
    assert_int_equal(fake.console[0], 'L');
    assert_int_equal(legacy(2, 0), -1);
    fake_type("\xff");
    assert_int_equal(legacy(2, 0), 0xff);
    fake.console_room = 0;
    prepare(1, 0, 'M', 0, 0, 0);
    sbi_call(fake_vcpu(0));
    assert_int_equal(registers()[0], PC);
    assert_int_equal(fake.blocked, 1);
}

static void test_legacy_harts(void **state)
{
    (void)state;
    fake.guest_word = 0x6;
    assert_int_equal(legacy(4, 0xffffffc000001238), 0);
    assert_int_equal(fake.guest_address, 0xffffffc000001238); /* the guest's own address */
    assert_int_equal(interrupted(), 6);
    assert_int_equal(legacy(5, 8), 0);
    assert_int_equal(fake.fences[1] & fake.fences[2], FENCE_I);
    assert_int_equal(legacy(6, 8), 0);
    assert_int_equal(fake.fences[1], FENCE_I | FENCE_VMA);
    fake.guest_word = 0x1;
    assert_int_equal(legacy(7, 8), 0);
    assert_int_equal(fake.fences[0], FENCE_VMA);
    fake.guest_word = 0x10;
    assert_true(legacy(4, 8) < 0);
    assert_int_equal(legacy(4, 0), 0); /* no mask: everyone */
    assert_int_equal(interrupted(), 0xf);
}

static void test_legacy_mask_fault_is_the_guests(void **state)
{
    (void)state;
    fake.guest_faults = true;
    prepare(4, 0, 0x1234, 0, 0, 0);
    sbi_call(fake_vcpu(0));
    assert_int_equal(fake.injected, 1);
    assert_int_equal(fake.injected_cause, 13);
    assert_int_equal(fake.injected_tval, 0x1234);
    assert_int_equal(registers()[0], PC); /* sepc is the ecall */
    assert_int_equal(interrupted(), 0);
}

static void test_legacy_clear_ipi(void **state)
{
    (void)state;
    assert_int_equal(legacy(3, 0), 0);
    interrupt_raise(fake_vcpu(0), IRQ_S_SOFT);
    assert_true(legacy(3, 0) > 0);
    assert_int_equal(fake.lines[0], 0);
}

/* So is one whose mask lies there. */
static void test_legacy_mask_in_memory_that_comes(void **state)
{
    (void)state;
    fake.guest_faults = fake.memory_comes = true;
    prepare(4, 0, FAKE_RAM_BASE, 0, 0, 0);
    sbi_call(fake_vcpu(0));
    assert_int_equal(registers()[0], PC);
    assert_int_equal(registers()[10], FAKE_RAM_BASE);
    assert_int_equal(fake.injected, 0);
}

static void test_legacy_shutdown(void **state)
{
    (void)state;
    prepare(8, 0, 0, 0, 0, 0);
    sbi_call(fake_vcpu(0));
    assert_int_equal(fake.stop_calls, 1);
    assert_int_equal(registers()[0], PC); /* it does not return */
}

static void test_services(void **state)
{
    (void)state;
    fake.service_error = -4;
    prepare(0x0A000005, 5, 10, 11, 12, 13);
    sbi_call(fake_vcpu(0));
    assert_int_equal(fake.service_function, 5);
    assert_int_equal(fake.service_args[0], 10);
    assert_int_equal(fake.service_args[3], 13);
    assert_int_equal(registers()[0], PC + 4);
    assert_int_equal((long)registers()[10], -4);
    assert_int_equal(registers()[11], 71);
    assert_int_equal(registers()[12], 12); /* no answer there with an error */
    fake.service_error = 0;
    prepare(0x0A000005, 5, 10, 11, 12, 13); /* one of those that answer in a2 */
    sbi_call(fake_vcpu(0));
    assert_int_equal(registers()[12], 72);
    prepare(0x0A000005, 6, 10, 11, 12, 13);
    sbi_call(fake_vcpu(0));
    assert_int_equal(registers()[12], 12);
    fake.service_again = true;
    prepare(0x0A000005, 10, 1, 2, 3, 4);
    sbi_call(fake_vcpu(0));
    assert_int_equal(registers()[0], PC);
    assert_int_equal(registers()[10], 1);
    assert_int_equal(registers()[12], 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unknown_calls),
        TEST(test_base),
        TEST(test_time),
        TEST(test_hart_masks),
        TEST(test_hart_masks_of_64),
        TEST(test_rfence),
        TEST(test_hart_start),
        TEST(test_hart_start_keeps_the_plics_line),
        TEST(test_hart_start_refuses),
        TEST(test_hart_stop),
        TEST(test_leaving_a_hart_does_not_stop),
        TEST(test_retentive_suspend),
        TEST(test_non_retentive_suspend),
        TEST(test_an_ipi_ends_a_suspend),
        TEST(test_suspend_refuses),
        TEST(test_flash_is_an_entry),
        TEST(test_system_suspend),
        TEST(test_system_suspend_refuses),
        TEST(test_system_reset),
        TEST(test_dbcn_write),
        TEST(test_dbcn_read),
        TEST(test_dbcn_addresses),
        TEST(test_dbcn_in_memory_that_comes),
        TEST(test_dbcn_write_byte),
        TEST(test_blocking_write),
        TEST(test_serial_port_of_a_console_service),
        TEST(test_legacy_console_and_timer),
        TEST(test_legacy_harts),
        TEST(test_legacy_mask_fault_is_the_guests),
        TEST(test_legacy_clear_ipi),
        TEST(test_legacy_mask_in_memory_that_comes),
        TEST(test_legacy_shutdown),
        TEST(test_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
