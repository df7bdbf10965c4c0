// SPDX-License-Identifier: BSD-3-Clause
// Makes the table of the alias method: every cell is as likely as any other, and is shared by at
// most two flows.
#include "picker.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

// Which flow has which rank: a random permutation.
static void shuffle(struct random_state *random, uint32_t *ranks, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ranks[i] = i;
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t other = random_below(random, i + 1), rank = ranks[i];
        ranks[i] = ranks[other];
        ranks[other] = rank;
    }
}

// shares: of each flow, 1 on average.
static void make_shares(const uint32_t *ranks, uint32_t count, double exponent, double *shares)
{
    double sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += shares[i] = pow(ranks[i] + 1.0, -exponent);
    for (uint32_t i = 0; i < count; i++)
        shares[i] *= count / sum;
}

static uint32_t threshold(double share)
{
    return share >= 1 ? UINT32_MAX : (uint32_t)(share * 4294967296.0);
}

// work: the cells that are still to be made, poor ones from the front, rich ones from the back.
static void make_cells(double *shares, uint32_t *work, uint32_t count, struct picker_cell *cells)
{
    uint32_t poor = 0, rich = count;

    for (uint32_t i = 0; i < count; i++) {
        if (shares[i] < 1)
            work[poor++] = i;
        else
            work[--rich] = i;
    }
    while (poor > 0 && rich < count) {
        uint32_t from = work[--poor], to = work[rich];
        cells[from] = (struct picker_cell){threshold(shares[from]), to};
        shares[to] -= 1 - shares[from];
        if (shares[to] < 1) {
            rich++;
            work[poor++] = to;
        }
    }
    while (poor > 0) {
        poor--;
        cells[work[poor]] = (struct picker_cell){UINT32_MAX, work[poor]};
    }
    for (; rich < count; rich++)
        cells[work[rich]] = (struct picker_cell){UINT32_MAX, work[rich]};
}

int picker_init(struct picker *picker, uint32_t count, double exponent, uint64_t seed)
{
    struct picker made = {.count = count, .random = random_seeded(seed)};

    if (exponent > 0) {
        double *shares = calloc(count, sizeof(*shares));
        uint32_t *work = calloc(count, sizeof(*work));

        made.cells = calloc(count, sizeof(*made.cells));
        if (shares && work && made.cells) {
            shuffle(&made.random, work, count);
            make_shares(work, count, exponent, shares);
            make_cells(shares, work, count, made.cells);
        }
        free(work);
        free(shares);
        if (!shares || !work || !made.cells) {
            free(made.cells);
            return -ENOMEM;
        }
    }
    *picker = made;
    return 0;
}

void picker_done(struct picker *picker)
{
    free(picker->cells);
    picker->cells = NULL;
}
