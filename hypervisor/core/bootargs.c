/*
 * The hypervisor's own command line. A word that is not one of these is another program's or a
 * typing mistake: it is worth a line in the log and nothing more. Of words for the same choice, the
 * last counts.
 */
#include "boot_only.h"
#include "bootargs.h"
#include "log.h"
#include <stddef.h>
#include <string.h>

#define SHOWN_MAX 64 /* characters of an unknown word in the log */

struct bootargs bootargs;

static const struct {
    const char *word;
    bool *choice;
    bool value;
} words_known[] = {
    {"isolation=auto", &bootargs.force_pmp, false}, {"isolation=pmp", &bootargs.force_pmp, true},
    {"services=yes", &bootargs.no_services, false}, {"services=no", &bootargs.no_services, true},
    {"guests=yes", &bootargs.no_guests, false},     {"guests=no", &bootargs.no_guests, true},
#ifdef DEBUG
    {"fail=hart", &bootargs.fail.hart_away, true},  {"fail=late", &bootargs.fail.hart_late, true},
    {"fail=serial", &bootargs.fail.serial, true},   {"fail=start", &bootargs.fail.start, true},
#endif
};

#ifdef DEBUG
/* Words with a number behind them, of at most 9 digits. */
static const struct {
    const char *word;
    uint64_t *number;
} numbers_known[] = {
    {"fail=allocation:", &bootargs.fail.allocation},
    {"fail=pmp1:", &bootargs.fail.pmp1},
    {"fail=pmp3:", &bootargs.fail.pmp3},
    {"fail=pmp6:", &bootargs.fail.pmp6},
    {"fail=gstage:", &bootargs.fail.gstage},
};

BOOT_ONLY static bool parse_digits(const char *digits, size_t count, uint64_t *number)
{
    uint64_t value = 0;

    for (size_t i = 0; i < count; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        value = 10 * value + (uint64_t)(digits[i] - '0');
    }
    if (count == 0 || count > 9)
        return false;
    *number = value;
    return true;
}

BOOT_ONLY static bool parse_number(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(numbers_known) / sizeof(numbers_known[0]); i++) {
        size_t skipped = strlen(numbers_known[i].word);

        if (length > skipped && memcmp(word, numbers_known[i].word, skipped) == 0)
            return parse_digits(word + skipped, length - skipped, numbers_known[i].number);
    }
    return false;
}

BOOT_ONLY static bool parse_violation(const char *word, size_t length)
{
    static const char name[] = "violate=";
    const size_t skipped = sizeof(name) - 1;

    if (length < skipped || memcmp(word, name, skipped) != 0 ||
        length - skipped >= sizeof(bootargs.violate))
        return false;
    memcpy(bootargs.violate, word + skipped, length - skipped);
    bootargs.violate[length - skipped] = '\0';
    return true;
}
#else
BOOT_ONLY static bool parse_number(const char *word, size_t length)
{
    (void)word, (void)length;
    return false;
}

BOOT_ONLY static bool parse_violation(const char *word, size_t length)
{
    (void)word, (void)length;
    return false;
}
#endif

BOOT_ONLY static void parse_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(words_known) / sizeof(words_known[0]); i++) {
        if (strlen(words_known[i].word) == length &&
            memcmp(words_known[i].word, word, length) == 0) {
            *words_known[i].choice = words_known[i].value;
            return;
        }
    }
    if (parse_number(word, length) || parse_violation(word, length))
        return;
    log_info("boot arguments: '%.*s' is unknown and ignored",
             (int)(length < SHOWN_MAX ? length : SHOWN_MAX), word);
}

BOOT_ONLY void bootargs_parse(const char *words)
{
    static const char spaces[] = " \t\r\n";

    for (words += strspn(words, spaces); *words; words += strspn(words, spaces)) {
        size_t length = strcspn(words, spaces);

        parse_word(words, length);
        words += length;
    }
}
