/* The log for tests of rooms that don't need the core's: text to the standard output. A panic
 * ends as the core's does, in port_halt(), which a test can intercept. */
#include "log.h"
#include "port.h"
#include <stdarg.h>
#include <stdio.h>

void log_write(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    port_halt();
}
