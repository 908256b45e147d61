#include "console.h"

#include <string.h>

struct diosix_capsule_info capsules[CAPSULES];
unsigned capsule_count;

void capsules_refresh(void)
{
    capsule_count = 0;
    while (capsule_count < CAPSULES &&
           diosix_capsule_info(capsule_count, &capsules[capsule_count]) == DIOSIX_OK)
        capsule_count++;
}

/* A decimal number, or -1. */
static int number(const char *word)
{
    int value = 0;

    if (!*word || strlen(word) > 4)
        return -1;
    for (; *word; word++) {
        if (*word < '0' || *word > '9')
            return -1;
        value = value * 10 + (*word - '0');
    }
    return value;
}

int capsules_find(const char *word)
{
    int wanted = number(word);

    capsules_refresh();
    for (unsigned i = 0; i < capsule_count; i++)
        if (!strcmp(capsules[i].name, word))
            return (int)i;
    return wanted >= 0 && (unsigned)wanted < capsule_count ? wanted : NOBODY;
}

bool capsules_attachable(int capsule)
{
    return !(capsules[capsule].properties & DIOSIX_PROPERTY_SERVICE_CONSOLE);
}

int capsules_next_guest(int capsule)
{
    capsules_refresh();
    for (unsigned step = 1; step <= capsule_count; step++) {
        unsigned i = ((unsigned)(capsule == NOBODY ? (int)capsule_count - 1 : capsule) + step) %
                     capsule_count;

        if (!capsules[i].is_service)
            return (int)i;
    }
    return NOBODY;
}

uint64_t ticks(unsigned milliseconds)
{
    /* All capsules tell the same frequency; there is at least the one that this runs in. */
    return capsules[0].frequency * milliseconds / 1000;
}
