/*
 * SBI calls of a capsule's vCPUs, with what happens between them: interrupts, room in the console,
 * vCPUs that leave their harts and come back. The input is a sequence of such steps.
 *
 * Each answer must be one that the specification names for the call; no other register may change,
 * no lock be kept, and a vCPU's state must be one that HSM knows.
 */
#include "fuzz.h"
#include "machine_fakes.h"
#include "devices.h"
#include "port.h"
#include "sbi.h"
#include <string.h>

#define PC        0x80001000UL
#define VCPUS_MAX 5

/* SBI 3.0: the errors that a call may have, as bits by -error. */
#define MAY(error)       (1U << -(error))
#define MAY_MASK         (MAY(0) | MAY(SBI_ERR_INVALID_PARAM)) /* 3.2 */
#define NONE             MAY(SBI_ERR_NOT_SUPPORTED)
#define ALL_FUNCTIONS    UINT64_MAX
#define EXTENSION_LEGACY 8 /* 0 to 8: chapter 5 */

static const struct {
    uint64_t extension, function;
    unsigned errors;
} calls[] = {
    {0x10, 0, MAY(0)},
    {0x10, 1, MAY(0)},
    {0x10, 2, MAY(0)},
    {0x10, 3, MAY(0)},
    {0x10, 4, MAY(0)},
    {0x10, 5, MAY(0)},
    {0x10, 6, MAY(0)},
    {0x54494D45, 0, MAY(0)},
    {0x735049, 0, MAY_MASK},
    {0x52464E43, 0, MAY_MASK},
    {0x52464E43, 1, MAY_MASK | MAY(SBI_ERR_INVALID_ADDRESS)},
    {0x52464E43, 2, MAY_MASK | MAY(SBI_ERR_INVALID_ADDRESS)},
    {0x48534D, 0,
     MAY(0) | MAY(SBI_ERR_INVALID_PARAM) | MAY(SBI_ERR_INVALID_ADDRESS) |
         MAY(SBI_ERR_ALREADY_AVAILABLE) | MAY(SBI_ERR_FAILED)},
    {0x48534D, 1, MAY(SBI_ERR_FAILED)},
    {0x48534D, 2, MAY(0) | MAY(SBI_ERR_INVALID_PARAM)},
    {0x48534D, 3,
     MAY(0) | MAY(SBI_ERR_INVALID_PARAM) | MAY(SBI_ERR_NOT_SUPPORTED) |
         MAY(SBI_ERR_INVALID_ADDRESS) | MAY(SBI_ERR_FAILED)},
    {0x53525354, 0,
     MAY(0) | MAY(SBI_ERR_INVALID_PARAM) | MAY(SBI_ERR_NOT_SUPPORTED) | MAY(SBI_ERR_FAILED)},
    {0x53555350, 0,
     MAY(0) | MAY(SBI_ERR_INVALID_PARAM) | MAY(SBI_ERR_NOT_SUPPORTED) |
         MAY(SBI_ERR_INVALID_ADDRESS) | MAY(SBI_ERR_DENIED) | MAY(SBI_ERR_FAILED)},
    {0x4442434E, 0,
     MAY(0) | MAY(SBI_ERR_INVALID_PARAM) | MAY(SBI_ERR_DENIED) | MAY(SBI_ERR_FAILED)},
    {0x4442434E, 1,
     MAY(0) | MAY(SBI_ERR_INVALID_PARAM) | MAY(SBI_ERR_DENIED) | MAY(SBI_ERR_FAILED)},
    {0x4442434E, 2, MAY(0) | MAY(SBI_ERR_DENIED) | MAY(SBI_ERR_FAILED)},
    {DIOSIX_SBI_EXTENSION, ALL_FUNCTIONS, MAY(0)}, /* as the fake service answers */
};

#define CALLS (sizeof calls / sizeof calls[0])

/* An extension that this table does not know may answer with any error that there is. */
static unsigned allowed(uint64_t extension, uint64_t function)
{
    bool known = false;

    for (size_t i = 0; i < CALLS; i++) {
        if (calls[i].extension != extension)
            continue;
        known = true;
        if (calls[i].function == function || calls[i].function == ALL_FUNCTIONS)
            return calls[i].errors;
    }
    return known || !sbi_probe(extension) ? NONE : (MAY(SBI_ERR_DENIED_LOCKED) << 1) - 1;
}

static uint64_t take_argument(struct input *input)
{
    unsigned kind = take(input, 1);

    switch (kind % 8) {
    case 0:
        return take(input, 8);
    case 1:
        return UINT64_MAX - take(input, 1);
    case 2:
        return FAKE_RAM_BASE + take(input, 2);
    case 3:
        return FAKE_RAM_BASE + FAKE_RAM_SIZE - take(input, 1);
    default:
        return kind / 8;
    }
}

static void take_call(struct input *input, uint64_t *x)
{
    unsigned which = take(input, 1);

    for (unsigned i = 0; i < 32; i++)
        x[i] = 0x5a5a5a5a00 + i;
    x[0] = PC;
    if (which < CALLS) {
        x[A7] = calls[which].extension;
        x[A6] = calls[which].function == ALL_FUNCTIONS ? take(input, 1) : calls[which].function;
    } else if (which - CALLS <= EXTENSION_LEGACY) {
        x[A7] = which - CALLS;
    } else {
        x[A7] = take_argument(input);
        x[A6] = take_argument(input);
    }
    for (unsigned i = 0; i < 6; i++)
        x[A0 + i] = take_argument(input);
}

static bool is_answer(unsigned number)
{
    return number == 0 || number == A0 || number == A1 || number == A2;
}

static void check_answer(const uint64_t *before, const uint64_t *after)
{
    uint64_t extension = before[A7];
    long error = (long)after[A0];
    bool legacy = extension <= EXTENSION_LEGACY;

    for (unsigned i = 0; i < 32; i++)
        CHECK(is_answer(i) || after[i] == before[i]);
    CHECK(after[A2] == before[A2] || extension == DIOSIX_SBI_EXTENSION);
    if (after[0] == PC) { /* it is repeated, or was answered with a fault */
        CHECK(after[A0] == before[A0] && after[A1] == before[A1]);
        return;
    }
    CHECK(after[0] == PC + 4);
    CHECK(!legacy || after[A1] == before[A1]);
    if (legacy) {
        CHECK(error >= SBI_ERR_DENIED_LOCKED && error <= UINT8_MAX);
        return;
    }
    CHECK(error <= 0 && error >= SBI_ERR_DENIED_LOCKED);
    CHECK(allowed(extension, before[A6]) & MAY(error));
    if (extension == 0x4442434E && before[A6] < 2 && !error)
        CHECK(after[A1] <= before[A0]);
}

static void check_states(void)
{
    CHECK(!fake.locked);
    for (unsigned id = 0; id < fake.capsule.vcpu_count; id++) {
        int state = atomic_load(&fake_vcpu(id)->hsm);

        CHECK(state == HSM_STARTED || state == HSM_STOPPED || state == HSM_STOP_PENDING ||
              state == HSM_SUSPENDED);
        CHECK((fake.lines[id] &
               ~(1UL << IRQ_S_SOFT | 1UL << IRQ_S_TIMER | 1UL << IRQ_S_EXTERNAL)) == 0);
    }
}

/* Only a started vCPU is on a hart and can call. The fake's service answers but the first. */
static void call(struct input *input, struct vcpu *vcpu)
{
    uint64_t before[32];

    if (atomic_load(&vcpu->hsm) != HSM_STARTED)
        return;
    take_call(input, before);
    if (before[A7] == DIOSIX_SBI_EXTENSION && vcpu->id != 0)
        return;
    memcpy(vcpu->arch.x, before, sizeof before);
    sbi_call(vcpu);
    if (atomic_load(&vcpu->hsm) == HSM_STARTED)
        check_answer(before, vcpu->arch.x);
}

/* The vCPU leaves its hart, or would come back to it. */
static void move(struct vcpu *vcpu)
{
    int state = atomic_load(&vcpu->hsm);

    if (state == HSM_SUSPENDED) {
        bool entered = sbi_hsm_enter(vcpu);

        CHECK(entered == (atomic_load(&vcpu->hsm) == HSM_STARTED));
        CHECK(!entered || interrupt_is_pending(vcpu) || atomic_load(&vcpu->arch.resume));
    } else if (state != HSM_STOPPED) {
        sbi_hsm_leave(vcpu);
        CHECK(atomic_load(&vcpu->hsm) == (state == HSM_STOP_PENDING ? HSM_STOPPED : state));
    }
}

static void change_console(unsigned value)
{
    fake.console_count = fake.serial_count = 0;
    fake.console_room = value % 3 ? sizeof fake.console - 512 : value % 2;
    fake.input_count = value;
    if (fake.input_count > sizeof fake.input)
        fake.input_count = sizeof fake.input;
    fake.capsule.config.properties = (value & 0x40 ? DIOSIX_PROPERTY_CONSOLE_WRITE : 0) |
                                     (value & 0x80 ? DIOSIX_PROPERTY_CONSOLE_READ : 0);
}

static void step(struct input *input)
{
    unsigned what = take(input, 1);
    struct vcpu *vcpu = fake_vcpu(what / 8 % fake.capsule.vcpu_count);

    switch (what % 8) {
    case 0:
        move(vcpu);
        break;
    case 1:
        fake.enabled[vcpu->id] = take(input, 2);
        fake.lines[vcpu->id] ^= 1UL << IRQ_S_TIMER;
        break;
    case 2:
        change_console(take(input, 1));
        break;
    case 3:
        fake.guest_faults = !fake.guest_faults;
        fake.guest_word = take(input, 2);
        fake.life_answer = what / 8 % 2 ? ERROR_BAD_STATE : OK;
        fake.service_again = what / 16 % 2;
        fake.memory_comes = what / 32 % 2;
        break;
    default:
        call(input, vcpu);
    }
    fake.console_count = fake.serial_count = 0;
    check_states();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    setenv("CMOCKA_TEST_ABORT", "1", 1); /* a fake's assertion is a finding, too */
    CHECK(fake_setup(1 + take(&input, 1) % VCPUS_MAX) == OK);
    while (input.left)
        step(&input);
    fake_teardown();
    return 0;
}
