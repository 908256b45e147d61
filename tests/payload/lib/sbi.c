/* Calling the SBI, and the few functions of a C library that compilers expect. */
#include "payload.h"

struct sbi_return sbi_call6(uint64_t extension, uint64_t function, uint64_t arg0, uint64_t arg1,
                            uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
    register uint64_t a0 __asm__("a0") = arg0;
    register uint64_t a1 __asm__("a1") = arg1;
    register uint64_t a2 __asm__("a2") = arg2;
    register uint64_t a3 __asm__("a3") = arg3;
    register uint64_t a4 __asm__("a4") = arg4;
    register uint64_t a5 __asm__("a5") = arg5;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2)
                     : "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi_return){(long)a0, a1};
}

bool sbi_has(uint64_t extension)
{
    struct sbi_return result = sbi_call(SBI_BASE, 3, extension, 0, 0);
    return !result.error && result.value;
}

void sbi_set_timer(uint64_t deadline)
{
    sbi_call(SBI_TIME, 0, deadline, 0, 0);
}

void *memset(void *to, int value, size_t size)
{
    for (char *byte = to; size--; byte++)
        *byte = (char)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    char *out = to;
    const char *in = from;
    while (size--)
        *out++ = *in++;
    return to;
}

int strncmp(const char *a, const char *b, size_t size)
{
    for (; size; a++, b++, size--)
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}
