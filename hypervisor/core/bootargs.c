/*
 * The hypervisor's own command line. A word that is not one of these is another program's or a
 * typing mistake: it is worth a line in the log and nothing more. Of words for the same choice, the
 * last counts.
 */
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
};

static void parse_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(words_known) / sizeof(words_known[0]); i++) {
        if (strlen(words_known[i].word) == length &&
            memcmp(words_known[i].word, word, length) == 0) {
            *words_known[i].choice = words_known[i].value;
            return;
        }
    }
    log_info("boot arguments: '%.*s' is unknown and ignored",
             (int)(length < SHOWN_MAX ? length : SHOWN_MAX), word);
}

void bootargs_parse(const char *words)
{
    static const char spaces[] = " \t\r\n";

    for (words += strspn(words, spaces); *words; words += strspn(words, spaces)) {
        size_t length = strcspn(words, spaces);

        parse_word(words, length);
        words += length;
    }
}
