/* See fuzz.h. */
#include "fuzz.h"
#include <stdarg.h>
#include <string.h>

#define LOGGED_MAX 65536

/* The linker gives the sections of variables.h these ends, if there is something in them. */
extern char __start_variables_zero[] __attribute__((weak));
extern char __stop_variables_zero[] __attribute__((weak));
extern char __start_variables_set[] __attribute__((weak));
extern char __stop_variables_set[] __attribute__((weak));

char fuzz_logged[LOGGED_MAX];
static size_t logged;

/* The sanitizer keeps guards between variables, so its checks must stay out. */
__attribute__((no_sanitize("address", "undefined"))) static void copy(char *to, const char *from,
                                                                      size_t size)
{
    for (size_t i = 0; i < size / 8; i++)
        ((volatile uint64_t *)to)[i] = ((const volatile uint64_t *)from)[i];
}

static void reset_section(char *start, const char *end, char **first)
{
    size_t size = end - start;

    if (size && !*first) {
        *first = malloc(size);
        copy(*first, start, size);
    }
    copy(start, *first, size);
}

void fuzz_reset(void)
{
    static char *zero, *set;

    reset_section(__start_variables_zero, __stop_variables_zero, &zero);
    reset_section(__start_variables_set, __stop_variables_set, &set);
    logged = 0;
    fuzz_logged[0] = '\0';
}

void *fuzz_copy(const void *bytes, size_t size)
{
    void *copied = malloc(size);

    if (size)
        memcpy(copied, bytes, size);
    return copied;
}

char *fuzz_string(const void *bytes, size_t size)
{
    char *string = malloc(size + 1);

    if (size)
        memcpy(string, bytes, size);
    string[size] = '\0';
    return string;
}

bool fuzz_is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

/* Weak, because some targets have the hypervisor's own log. */
void log_write(const char *format, ...);
__attribute__((weak)) void log_write(const char *format, ...)
{
    va_list arguments;
    size_t room = LOGGED_MAX - logged;

    va_start(arguments, format);
    size_t length = vsnprintf(fuzz_logged + logged, room, format, arguments);
    va_end(arguments);
    if (length < room)
        logged += length;
}
