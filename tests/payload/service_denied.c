/* Each call of extension 0x0A000005 that needs a property, without it: SBI_ERR_DENIED. */
#include "payload.h"
#include <diosix/abi.h>

void payload_main(void)
{
    if (!in_diosix) {
        skip("diosix", "not on Diosix");
        return;
    }
    check(sbi_has(DIOSIX_SBI_EXTENSION), "probe", "the extension is not there");
    for (uint64_t function = 1; function < DIOSIX_FUNCTION_COUNT; function++) {
        if (function == DIOSIX_WAIT)
            continue;
        struct sbi_return result = sbi_call(DIOSIX_SBI_EXTENSION, function, scratch_pages, 64, 0);
        check(result.error == SBI_ERR_DENIED, "denied", "function %lu: error %ld", function,
              result.error);
        result = sbi_call(DIOSIX_SBI_EXTENSION, function, HOLE, ~0UL, ~0UL);
        check(result.error == SBI_ERR_DENIED, "denied.bad_arguments", "function %lu: error %ld",
              function, result.error);
    }
    check_equal((uint64_t)sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_YIELD, 0, 0, 0).error, 0, "yield");
    const uint64_t events = DIOSIX_EVENT_OUTPUT | DIOSIX_EVENT_LOG | DIOSIX_EVENT_CONSOLE;
    uint64_t deadline = time_now() + frequency / 20;
    struct sbi_return result = sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_WAIT, events, deadline, 0);
    check(result.error == SBI_ERR_DENIED || (!result.error && !result.value), "wait.no_events",
          "error %ld, events 0x%lx", result.error, result.value);
    check_equal((uint64_t)sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_FUNCTION_COUNT, 0, 0, 0).error,
                (uint64_t)SBI_ERR_NOT_SUPPORTED, "function.unknown");
}
