// SPDX-License-Identifier: BSD-3-Clause
// The system's random source: nonce keys, relay ports and tokens are drawn from it.
#include "base/random.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

// Small draws, such as a port's, share a system call, which costs some 600 cycles. What was drawn
// is no longer here.
#define STOCK_LEN     256
#define SMALL_MAX_LEN 32

struct stock {
    uint8_t bytes[STOCK_LEN];
    size_t left; // at the end
};

static _Thread_local struct stock stock;

static void ask_system(uint8_t *next, size_t len)
{
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

static void draw(uint8_t *bytes, size_t len)
{
    uint8_t *first;

    if (len > stock.left) {
        ask_system(stock.bytes, sizeof(stock.bytes));
        stock.left = sizeof(stock.bytes);
    }
    first = stock.bytes + sizeof(stock.bytes) - stock.left;
    memcpy(bytes, first, len);
    explicit_bzero(first, len);
    stock.left -= len;
}

static void fill_from_system(void *context, void *bytes, size_t len)
{
    (void)context;
    if (len > SMALL_MAX_LEN)
        ask_system(bytes, len);
    else if (len > 0)
        draw(bytes, len);
}

const struct random_source random_system = {.fill = fill_from_system};
