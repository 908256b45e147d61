/*
 * A service with capsule_info and capsule_control: does `do=restart` (or stop, start, pause,
 * resume) to the capsule that `capsule=` names, `times=` times, `gap_ms=` apart, then powers itself
 * off.
 */
#include "payload.h"
#include <diosix/abi.h>

static struct diosix_capsule_info info;

static bool word_is(const char *argument_name, const char *text)
{
    const char *word = argument(argument_name);
    size_t length = strlen(text);
    return word && !strncmp(word, text, length) && (word[length] == ' ' || !word[length]);
}

static long find(void)
{
    for (uint64_t index = 0;; index++) {
        if (sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, index, &info, 0).error)
            return -1;
        if (word_is("capsule", info.name))
            return info.id;
    }
}

static uint64_t command(void)
{
    static const char *const names[DIOSIX_CONTROL_COUNT] = {"stop", "start", "restart", "pause",
                                                            "resume"};
    for (uint64_t i = 0; i < DIOSIX_CONTROL_COUNT; i++)
        if (word_is("do", names[i]))
            return i;
    return DIOSIX_CONTROL_COUNT;
}

static void sleep(uint64_t milliseconds)
{
    uint64_t end = time_now() + milliseconds * (frequency / 1000);
    csr_write(sie, SIP_STIP);
    sbi_set_timer(end);
    while (time_now() < end)
        __asm__ volatile("wfi");
    sbi_set_timer(~0UL);
}

static void arguments(long id)
{
    struct sbi_return result =
        sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_CONTROL, id, DIOSIX_CONTROL_COUNT, 0);
    check(result.error == SBI_ERR_INVALID_PARAM, "control.unknown_command", "error %ld",
          result.error);
    result = sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_CONTROL, 1000, DIOSIX_CONTROL_STOP, 0);
    check(result.error == SBI_ERR_INVALID_PARAM, "control.unknown_capsule", "error %ld",
          result.error);
    result = sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, 0, ram.base + ram.size - 8, 0);
    check(result.error == SBI_ERR_INVALID_ADDRESS || result.error == SBI_ERR_INVALID_PARAM,
          "info.bad_buffer", "error %ld", result.error);
}

void payload_main(void)
{
    long id = in_diosix ? find() : -1;
    if (!in_diosix) {
        skip("control", "not on Diosix");
        return;
    }
    if (!check(id >= 0, "control.find", "no capsule has that name"))
        return;
    arguments(id);
    sleep(argument_number("delay_ms", 0));
    for (uint64_t i = 0; i < argument_number("times", 1); i++) {
        struct sbi_return result =
            sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_CONTROL, id, command(), 0);
        check(!result.error, "control", "error %ld", result.error);
        sleep(argument_number("gap_ms", 500));
    }
}
