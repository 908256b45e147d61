/*
 * ISA strings, as a device tree has them, and what a manifest takes away. The input is a string, a
 * newline, and names to remove. What is written for guests must read back as the same.
 */
#include "fuzz.h"
#include "isa.h"
#include "machine.h"
#include <string.h>

static bool is_equal(struct isa one, struct isa other)
{
    return memcmp(&one, &other, sizeof one) == 0;
}

static bool is_subset(struct isa inner, struct isa outer)
{
    return is_equal(isa_intersection(inner, outer), inner);
}

static size_t list_size(const char *list)
{
    size_t size = 0;

    while (list[size])
        size += strlen(list + size) + 1;
    return size;
}

/* Only a name as `g` or `b` stands for more than itself, and none of those is ever written. */
static void check_format(struct isa isa)
{
    static struct machine_isa text;

    isa_format(&isa, &text);
    CHECK(fuzz_is_printable(text.base) && strncmp(text.base, "rv64", 4) == 0);
    size_t size = list_size(text.extensions);
    char *list = fuzz_copy(text.extensions, size);

    CHECK(is_equal(isa_of_list(list, size), isa));
    CHECK(is_equal(isa_of_string(text.base), isa));
    free(list);
}

static void check_removal(struct isa isa, const char *names)
{
    struct isa less = isa, again;
    const char *wrong = isa_remove(&less, names);

    CHECK(!wrong || (wrong >= names && *wrong && wrong < names + strlen(names)));
    CHECK(is_subset(less, isa));
    CHECK(!wrong || is_equal(less, isa));
    again = less;
    CHECK(isa_remove(&again, names) == wrong && is_equal(again, less));
    CHECK(isa_has(&less, "i") == isa_has(&isa, "i"));
    check_format(less);
}

static void check_limit(struct isa isa)
{
    const struct hart_features none = {0};
    struct isa less = isa;

    isa_limit(&less, &none);
    CHECK(is_subset(less, isa));
    CHECK(!isa_has(&less, "f") && !isa_has(&less, "d") && !isa_has(&less, "v"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
    size_t length = newline ? (size_t)(newline - data) : size;
    char *string = fuzz_string(data, length), *list = fuzz_copy(data, length);
    char *names = newline ? fuzz_string(newline + 1, size - length - 1) : fuzz_string("", 0);
    struct isa isa = isa_of_string(string), listed = isa_of_list(list, length);

    CHECK(!isa_has(&isa, "i") || (isa_has(&isa, "zicsr") && isa_has(&isa, "zicntr")));
    CHECK(!isa_has(&isa, "h") && !isa_has(&listed, "h"));
    check_format(isa);
    check_removal(isa, names);
    check_limit(isa);
    check_limit(listed);
    free(string);
    free(list);
    free(names);
    return 0;
}
