/* What picolibc asks of the system below it: a failed assertion is a bug of ours. */
#include "log.h"
#include <assert.h>

void __assert_func(const char *file, int line, const char *function, const char *condition)
{
    panic("%s:%d: %s: assertion failed: %s", file, line, function, condition);
}
