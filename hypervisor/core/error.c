#include "error.h"

const char *error_name(enum error error)
{
    static const char *const names[] = {
        [OK] = "no error",
        [ERROR_NO_MEMORY] = "not enough memory",
        [ERROR_BAD_IMAGE] = "damaged or unsuitable image",
        [ERROR_BAD_CONFIG] = "value out of range",
        [ERROR_NOT_FOUND] = "not found",
        [ERROR_BAD_STATE] = "not possible in this state",
        [ERROR_NO_SUPPORT] = "not supported",
    };
    const unsigned count = sizeof names / sizeof names[0];

    return (unsigned)error < count && names[error] ? names[error] : "unknown error";
}
