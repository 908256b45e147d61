/* The hypervisor's own command line. Of words for the same choice the last counts, wherever it
 * stands and whatever is around it. */
#include "fuzz.h"
#include "bootargs.h"
#include <string.h>

/* By a second way: the last of two words that has white space or an end on both sides. */
static bool last_is(const char *words, const char *yes, const char *no)
{
    static const char spaces[] = " \t\r\n";
    bool chosen = false;

    for (const char *at = words; *at; at++) {
        bool begins = at == words || strchr(spaces, at[-1]);
        size_t length = strcspn(at, spaces);

        if (begins && length == strlen(yes) && strncmp(at, yes, length) == 0)
            chosen = true;
        if (begins && length == strlen(no) && strncmp(at, no, length) == 0)
            chosen = false;
    }
    return chosen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *words = fuzz_string(data, size);

    fuzz_reset();
    bootargs_parse(words);
    CHECK(bootargs.force_pmp == last_is(words, "isolation=pmp", "isolation=auto"));
    CHECK(bootargs.no_services == last_is(words, "services=no", "services=yes"));
    CHECK(bootargs.no_guests == last_is(words, "guests=no", "guests=yes"));
    free(words);
    return 0;
}
