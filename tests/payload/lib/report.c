/* Printing, results, the end. A line goes out in one call, so that lines of several capsules that
 * share a serial port stay whole. */
#include "payload.h"

static char text[16384]; /* what is not yet printed */
static size_t used;
static bool held;
static unsigned passed, failed, skipped;

/* Without DBCN (OpenSBI before 1.3) the legacy call prints a character. */
static void flush(void)
{
    static int debug_console = -1;
    if (debug_console < 0)
        debug_console = sbi_has(SBI_DBCN);
    size_t done = 0;
    while (done < used) {
        if (!debug_console) {
            sbi_call(1, 0, text[done++], 0, 0);
            continue;
        }
        struct sbi_return result = sbi_call(SBI_DBCN, 0, used - done, text + done, 0);
        if (result.error)
            break;
        done += result.value;
    }
    used = 0;
}

static void put(char character)
{
    if (used == sizeof text)
        flush();
    text[used++] = character;
}

static void put_text(const char *words)
{
    while (*words)
        put(*words++);
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count)
        put(digits[--count]);
}

/* One conversion; `l` before it means a long. */
static const char *convert(const char *format, va_list *list)
{
    bool is_long = *format == 'l';
    format += is_long;
    switch (*format) {
    case 's':
        put_text(va_arg(*list, const char *));
        break;
    case 'c':
        put((char)va_arg(*list, int));
        break;
    case 'd': {
        long value = is_long ? va_arg(*list, long) : va_arg(*list, int);
        if (value < 0)
            put('-');
        put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
        break;
    }
    case 'u':
    case 'x':
        put_number(is_long ? va_arg(*list, uint64_t) : va_arg(*list, unsigned),
                   *format == 'x' ? 16 : 10);
        break;
    default:
        put(*format);
    }
    return format + 1;
}

static void put_format(const char *format, va_list *list)
{
    while (*format) {
        if (*format == '%')
            format = convert(format + 1, list);
        else
            put(*format++);
    }
}

static void begin(void)
{
    const char *name = argument("name");
    if (!name)
        return;
    put('[');
    while (*name && *name != ' ')
        put(*name++);
    put_text("] ");
}

static void end(void)
{
    put('\r');
    put('\n');
    if (!held)
        flush();
}

void hold_output(bool hold)
{
    held = hold;
    if (!hold)
        flush();
}

void print(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    begin();
    put_format(format, &list);
    end();
    va_end(list);
}

static void report(const char *what, const char *name, const char *why, va_list *list)
{
    begin();
    put_text(what);
    put_text(name);
    if (why) {
        put_text(": ");
        put_format(why, list);
    }
    end();
}

/* A failure is one only if `strict`; otherwise the check is skipped. */
static bool check_if(bool strict, bool condition, const char *name, const char *why, va_list *list)
{
    if (condition) {
        passed++;
        report("ok ", name, NULL, list);
    } else if (strict) {
        failed++;
        report("not ok ", name, why, list);
    } else {
        skipped++;
        report("skip ", name, why, list);
    }
    return condition;
}

bool check(bool condition, const char *name, const char *why, ...)
{
    va_list list;
    va_start(list, why);
    check_if(true, condition, name, why, &list);
    va_end(list);
    return condition;
}

bool check_equal(uint64_t found, uint64_t expected, const char *name)
{
    return check(found == expected, name, "found 0x%lx, expected 0x%lx", found, expected);
}

bool check_strict(bool condition, const char *name, const char *why, ...)
{
    va_list list;
    va_start(list, why);
    check_if(in_diosix, condition, name, why, &list);
    va_end(list);
    return condition;
}

bool check_sip(bool condition, const char *name, const char *why, ...)
{
    va_list list;
    va_start(list, why);
    check_if(!argument("sip"), condition, name, why, &list);
    va_end(list);
    return condition;
}

void skip(const char *name, const char *why)
{
    skipped++;
    print("skip %s: %s", name, why);
}

void power_off(void)
{
    sbi_call(SBI_SRST, 0, 0, 0, 0);
    sbi_call(8, 0, 0, 0, 0); /* legacy shutdown */
    for (;;)
        __asm__ volatile("wfi");
}

void finish(void)
{
    held = false;
    print("PAYLOAD DONE passed=%u failed=%u skipped=%u", passed, failed, skipped);
    power_off();
}
