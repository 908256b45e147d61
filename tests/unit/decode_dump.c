/* Decodes the 32-bit words that it reads and prints what they are: for test_decode_objdump.py. */
#include "decode.h"
#include <stdio.h>

int main(void)
{
    static const char *const kinds[] = {"load", "store", "amo", "lr", "sc"};
    uint32_t word;
    while (fread(&word, sizeof word, 1, stdin) == 1) {
        struct access_instruction access;
        if (decode_access(word, &access))
            printf("%s %u %c%c %u %u %u %lld %u\n", kinds[access.kind], access.size,
                   access.sign_extend ? 's' : '-', access.fp ? 'f' : '-', access.data,
                   access.destination, access.base, (long long)access.offset, access.amo);
        else
            printf("-\n");
    }
    return 0;
}
