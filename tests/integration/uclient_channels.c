// SPDX-License-Identifier: BSD-3-Clause
// Preloaded into turnutils_uclient, which picks channel numbers as RFC 5766 had them, from 0x4000
// to 0x7FFF, at random: keeps them in 0x4000..0x4FFF, all that RFC 8656 section 12 has left.
#define _GNU_SOURCE
#include <dlfcn.h>

// Its random numbers are longs from here; it takes one modulo 0x4000.
int RAND_bytes(unsigned char *buffer, int len);

int RAND_bytes(unsigned char *buffer, int len)
{
    int (*next)(unsigned char *, int) =
        (int (*)(unsigned char *, int))dlsym(RTLD_NEXT, "RAND_bytes");
    int result = next(buffer, len);

    if (len == (int)sizeof(long))
        buffer[1] &= 0xCF;
    return result;
}
