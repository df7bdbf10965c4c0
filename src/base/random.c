// SPDX-License-Identifier: BSD-3-Clause
// The system's random source: nonce keys, relay ports and tokens are drawn from it.
#include "base/random.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

static void fill_from_system(void *context, void *bytes, size_t len)
{
    uint8_t *next = bytes;

    (void)context;
    while (len > 0) {
        ssize_t got = getrandom(next, len, 0);

        if (got < 0) {
            if (errno == EINTR)
                continue;
            abort(); // going on with predictable nonces and ports would be worse than stopping
        }
        next += got;
        len -= (size_t)got;
    }
}

const struct random_source random_system = {.fill = fill_from_system};
