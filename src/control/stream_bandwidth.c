// SPDX-License-Identifier: BSD-3-Clause
// What a read may take is taken before it, for threads that look and read and then charge may do so
// at the same time. The rest goes back; of a bucket that is not short of bytes no more than half is
// taken, and never the last of what workers share, who take a piece at a time: so they do not drop
// meanwhile what there is bandwidth for.
#include "control/stream_bandwidth.h"

#include "exchange/plane.h"

// A read of fewer bytes is put off, unless they are what comes in a tenth of a second.
#define READ_LEN_MIN    256
#define READS_PER_S_MIN 10
#define READ_LEN_MAX    131072
// In a bucket that is not short of bytes.
#define ENOUGH_LEN 65536

static size_t least_of(size_t least_len, uint64_t bps)
{
    uint64_t slow = bps / READS_PER_S_MIN > 0 ? bps / READS_PER_S_MIN : 1;

    return bps > 0 && slow < least_len ? (size_t)slow : least_len;
}

static void set_limits(struct stream_bandwidth *bandwidth, const struct bandwidth_limits *limits)
{
    uint64_t tsc_hz = bandwidth->plane->tsc_hz;

    bandwidth->limits = *limits;
    bandwidth->own = bandwidth_rate(limits->max_bps, tsc_hz);
    bandwidth->user = bandwidth_rate(limits->user_max_bps, tsc_hz);
    bandwidth->total = bandwidth_rate(limits->total_max_bps, tsc_hz);
    bandwidth->least_len = least_of(READ_LEN_MIN, limits->max_bps);
    bandwidth->least_len = least_of(bandwidth->least_len, limits->user_max_bps);
    bandwidth->least_len = least_of(bandwidth->least_len, limits->total_max_bps);
}

void stream_bandwidth_init(struct stream_bandwidth *bandwidth, struct plane *plane)
{
    const struct bandwidth_limits limits = bandwidth_limits_read(&plane->stream_limits);

    bandwidth->plane = plane;
    set_limits(bandwidth, &limits);
}

// A reload may have come.
static void follow_limits(struct stream_bandwidth *bandwidth)
{
    const struct bandwidth_limits limits = bandwidth_limits_read(&bandwidth->plane->stream_limits);

    if (limits.max_bps != bandwidth->limits.max_bps ||
        limits.user_max_bps != bandwidth->limits.user_max_bps ||
        limits.total_max_bps != bandwidth->limits.total_max_bps)
        set_limits(bandwidth, &limits);
}

// NULL: there is none, and no limit.
static uint64_t *user_bucket(const struct stream_bandwidth *bandwidth,
                             const struct stream_account *account, enum direction direction)
{
    struct shared_bandwidth *users = bandwidth->plane->user_bandwidth;

    return account && users ? &users[stream_account_user(account)].full_tsc[direction] : NULL;
}

// The buckets of an allocation in one direction that have a limit, and their rates.
struct levels {
    unsigned count;
    uint64_t *buckets[3];
    const struct token_rate *rates[3];
    uint64_t kept_len[3]; // for workers
};

static void add_level(struct levels *levels, uint64_t *bucket, const struct token_rate *rate,
                      uint64_t kept_len)
{
    if (!bucket || token_rate_is_unlimited(rate))
        return;
    levels->buckets[levels->count] = bucket;
    levels->kept_len[levels->count] = kept_len;
    levels->rates[levels->count++] = rate;
}

static uint64_t piece_len(uint64_t bps)
{
    return bandwidth_burst_len(bps) / BANDWIDTH_PIECES;
}

static struct levels levels_of(const struct stream_bandwidth *bandwidth,
                               struct stream_account *account, enum direction direction)
{
    struct levels levels = {};

    add_level(&levels, &bandwidth->plane->total_bandwidth.full_tsc[direction], &bandwidth->total,
              piece_len(bandwidth->limits.total_max_bps));
    add_level(&levels, user_bucket(bandwidth, account, direction), &bandwidth->user,
              piece_len(bandwidth->limits.user_max_bps));
    add_level(&levels, stream_account_bucket(account, direction), &bandwidth->own, 0);
    return levels;
}

// UINT64_MAX: there is no limit.
static uint64_t least_left(const struct levels *levels)
{
    uint64_t now_tsc = bandwidth_now_tsc(), least = UINT64_MAX;

    for (unsigned i = 0; i < levels->count; i++) {
        uint64_t left = token_bucket_left_shared(levels->buckets[i], levels->rates[i], now_tsc);

        left = left > levels->kept_len[i] ? left - levels->kept_len[i] : 0;
        least = left < least ? left : least;
    }
    return least;
}

size_t stream_bandwidth_left(struct stream_bandwidth *bandwidth, struct stream_account *account,
                             enum direction direction)
{
    struct levels levels;
    uint64_t left;

    follow_limits(bandwidth);
    levels = levels_of(bandwidth, account, direction);
    left = least_left(&levels);
    return left < bandwidth->least_len ? 0 : left;
}

static void give_first(const struct levels *levels, unsigned count, size_t len)
{
    for (unsigned i = 0; i < count; i++)
        token_bucket_give_shared(levels->buckets[i], levels->rates[i], (uint32_t)len);
}

static bool take_all(const struct levels *levels, uint64_t now_tsc, size_t len)
{
    for (unsigned i = 0; i < levels->count; i++) {
        if (!token_bucket_take_shared(levels->buckets[i], levels->rates[i], now_tsc, (uint32_t)len,
                                      0)) {
            give_first(levels, i, len);
            return false;
        }
    }
    return true;
}

size_t stream_bandwidth_take(struct stream_bandwidth *bandwidth, struct stream_account *account,
                             enum direction direction)
{
    size_t len = stream_bandwidth_left(bandwidth, account, direction);
    const struct levels levels = levels_of(bandwidth, account, direction);

    if (len == 0 || levels.count == 0)
        return len;
    if (len > ENOUGH_LEN)
        len /= 2;
    if (len > READ_LEN_MAX)
        len = READ_LEN_MAX;
    return take_all(&levels, bandwidth_now_tsc(), len) ? len : 0;
}

void stream_bandwidth_give(const struct stream_bandwidth *bandwidth, struct stream_account *account,
                           enum direction direction, size_t len)
{
    const struct levels levels = levels_of(bandwidth, account, direction);

    give_first(&levels, levels.count, len);
}

void stream_bandwidth_spend(struct stream_bandwidth *bandwidth, struct stream_account *account,
                            enum direction direction, size_t len)
{
    struct levels levels;
    uint64_t now_tsc = bandwidth_now_tsc();

    follow_limits(bandwidth);
    levels = levels_of(bandwidth, account, direction);
    for (unsigned i = 0; i < levels.count; i++)
        token_bucket_spend_shared(levels.buckets[i], levels.rates[i], now_tsc, (uint32_t)len);
}
