// SPDX-License-Identifier: BSD-3-Clause
// Datagrams put together from fragments (RFC 791 section 3.2, RFC 8200 section 4.5; overlaps: RFC
// 5722; ECN: RFC 3168 section 5.3).
#include "dataplane/reassembly.h"

#include "base/address.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/random.h"

#include <netinet/in.h>
#include <rte_common.h>
#include <rte_prefetch.h>
#include <stddef.h>
#include <string.h>

#define PAYLOAD_MAX_LEN  65528u // what 13 bits of 8-byte blocks reach, and the longest that is taken
#define BLOCK_LEN        8u
#define WORD_BLOCKS      64u // that one word has bits for
#define SWEEPS_A_TIMEOUT 8
#define LINE_LEN         64
#define FETCH_MAX_LEN    1536u // the longest that a frame of usual length has

// From one payload to the next. Were it close to a power of two, the beginnings of all, which are
// what most datagrams need, would have the same few places in a cache.
#define PAYLOAD_STRIDE (PAYLOAD_MAX_LEN + 8 + 20 * LINE_LEN)

static_assert(PAYLOAD_STRIDE % LINE_LEN == 0, "each begins a line");

struct reassembly_key {
    uint8_t source_ip[16];
    uint8_t destination_ip[16];
    uint32_t id;
    uint16_t protocol;
    uint16_t family;
};

static_assert(sizeof(struct reassembly_key) == 40, "no padding: hashed and compared as bytes");

// Of one that is free the first line is zero and so are blocks, of which no bit behind highest_end
// is ever set.
struct reassembly_datagram {
    struct reassembly_key key;
    uint64_t deadline_tsc; // 0: free
    uint16_t total_len;    // 0: the last fragment has not come
    uint16_t highest_end;
    uint16_t blocks_seen;
    uint8_t fragments;
    uint8_t ecn_seen; // bit n: a fragment with ECN n
    bool has_first;
    uint8_t protocol; // the first fragment's
    uint8_t payload;  // which of them it has
    uint8_t headers[PACKET_ETHERNET_LEN + PACKET_IPV6_LEN]
        __attribute__((aligned(LINE_LEN)));                         // of the first fragment
    uint64_t blocks[PAYLOAD_MAX_LEN / BLOCK_LEN / WORD_BLOCKS + 1]; // one bit each
} __attribute__((aligned(LINE_LEN)));

static_assert(offsetof(struct reassembly_datagram, headers) == LINE_LEN, "found by one line");
static_assert(PAYLOAD_MAX_LEN <= UINT16_MAX && REASSEMBLY_FRAGMENTS_MAX <= UINT8_MAX &&
                  REASSEMBLY_DATAGRAMS <= UINT8_MAX,
              "what it counts fits");

int reassembly_init(struct reassembly *reassembly, uint64_t tsc_hz, int socket)
{
    memset(reassembly, 0, sizeof(*reassembly));
    size_t datagrams_len = REASSEMBLY_DATAGRAMS * sizeof(struct reassembly_datagram);
    int error = table_memory_take(datagrams_len + (size_t)REASSEMBLY_DATAGRAMS * PAYLOAD_STRIDE,
                                  socket, &reassembly->memory);
    if (error != 0)
        return error;
    reassembly->datagrams = reassembly->memory.bytes;
    reassembly->payloads = (uint8_t *)reassembly->memory.bytes + datagrams_len;
    for (unsigned i = 0; i < REASSEMBLY_DATAGRAMS; i++)
        reassembly->free_payloads[i] = (uint8_t)i;
    reassembly->timeout_tsc = tsc_hz / 1000 * REASSEMBLY_TIMEOUT_MS;
    random_fill(&random_system, &reassembly->key, sizeof(reassembly->key));
    return 0;
}

void reassembly_done(struct reassembly *reassembly)
{
    table_memory_give(&reassembly->memory);
}

static uint8_t *payload_of(const struct reassembly *reassembly,
                           const struct reassembly_datagram *datagram)
{
    return reassembly->payloads + (size_t)datagram->payload * PAYLOAD_STRIDE;
}

static struct reassembly_key key_of(const struct packet *fragment)
{
    struct reassembly_key key;
    size_t ip_len = fragment->family == IP_FAMILY_V4 ? 4 : 16;
    memset(&key, 0, sizeof(key));
    memcpy(key.source_ip, fragment->source_ip, ip_len);
    memcpy(key.destination_ip, packet_destination_ip(fragment), ip_len);
    key.id = fragment->fragment_id;
    // IPv6 identifies by addresses and id alone (RFC 8200 section 4.5).
    key.protocol = fragment->family == IP_FAMILY_V4 ? fragment->fragment_protocol : 0;
    key.family = fragment->family;
    return key;
}

static void datagram_begin(struct reassembly *reassembly, const struct reassembly_key *key,
                           uint64_t now_tsc, struct reassembly_datagram *datagram)
{
    datagram->key = *key;
    datagram->deadline_tsc = now_tsc + reassembly->timeout_tsc;
    datagram->payload = reassembly->free_payloads[reassembly->in_use++];
}

// How many fragments were lost with it.
static uint32_t datagram_forget(struct reassembly *reassembly, struct reassembly_datagram *datagram)
{
    const uint32_t word_reach = BLOCK_LEN * WORD_BLOCKS; // bytes
    uint32_t words = (datagram->highest_end + word_reach - 1) / word_reach;
    uint32_t fragments = datagram->fragments;
    reassembly->free_payloads[--reassembly->in_use] = datagram->payload;
    memset(datagram->blocks, 0, words * sizeof(datagram->blocks[0]));
    memset(datagram, 0, offsetof(struct reassembly_datagram, headers));
    return fragments;
}

// The datagram that this fragment is of. When its set is full the oldest goes: fragments of one
// datagram come close together, so it is the least likely to be completed.
static struct reassembly_datagram *datagram_reach(struct reassembly *reassembly,
                                                  const struct reassembly_key *key,
                                                  uint64_t now_tsc,
                                                  struct reassembly_result *result)
{
    uint64_t hash = siphash(&reassembly->key, key, sizeof(*key));
    struct reassembly_datagram *set =
        &reassembly->datagrams[hash % REASSEMBLY_SETS * REASSEMBLY_SET_SIZE];
    struct reassembly_datagram *oldest = &set[0];
    for (unsigned i = 0; i < REASSEMBLY_SET_SIZE; i++) {
        if (set[i].deadline_tsc != 0 && set[i].deadline_tsc <= now_tsc)
            result->dropped += datagram_forget(reassembly, &set[i]);
        if (set[i].deadline_tsc != 0 && memcmp(&set[i].key, key, sizeof(*key)) == 0)
            return &set[i];
        if (set[i].deadline_tsc < oldest->deadline_tsc)
            oldest = &set[i];
    }
    if (oldest->deadline_tsc != 0)
        result->dropped += datagram_forget(reassembly, oldest);
    datagram_begin(reassembly, key, now_tsc, oldest);
    return oldest;
}

// The blocks that a fragment has, first and last included.
struct blocks {
    uint32_t first;
    uint32_t last;
};

static struct blocks blocks_of(const struct packet *fragment)
{
    uint32_t first = fragment->fragment_offset / BLOCK_LEN;
    return (struct blocks){first, first + (fragment->l4_len - 1u) / BLOCK_LEN};
}

// The bits of those that are in this word, which has one at least.
static uint64_t blocks_in_word(struct blocks blocks, uint32_t word)
{
    uint64_t bits = UINT64_MAX;
    if (word == blocks.first / WORD_BLOCKS)
        bits &= UINT64_MAX << blocks.first % WORD_BLOCKS;
    if (word == blocks.last / WORD_BLOCKS)
        bits &= UINT64_MAX >> (WORD_BLOCKS - 1 - blocks.last % WORD_BLOCKS);
    return bits;
}

enum coverage {
    COVERAGE_NEW,
    COVERAGE_DUPLICATE, // all of it has been seen, byte for byte
    COVERAGE_OVERLAP,
};

// Of what has been seen: the end that it gives the datagram is the one that it has.
static bool ends_alike(const struct reassembly_datagram *datagram, const struct packet *fragment)
{
    uint32_t end = (uint32_t)fragment->fragment_offset + fragment->l4_len;
    return fragment->fragment_more ? datagram->total_len == 0 || end < datagram->total_len
                                   : end == datagram->total_len;
}

static enum coverage coverage_of(const struct reassembly_datagram *datagram, const uint8_t *payload,
                                 const struct packet *fragment)
{
    struct blocks blocks = blocks_of(fragment);
    uint64_t seen = 0, unseen = 0;
    for (uint32_t word = blocks.first / WORD_BLOCKS; word <= blocks.last / WORD_BLOCKS; word++) {
        uint64_t bits = blocks_in_word(blocks, word);
        seen |= bits & datagram->blocks[word];
        unseen |= bits & ~datagram->blocks[word];
    }
    if (seen == 0)
        return COVERAGE_NEW;
    bool same = unseen == 0 && ends_alike(datagram, fragment) &&
                memcmp(payload + fragment->fragment_offset, fragment->l4, fragment->l4_len) == 0;
    return same ? COVERAGE_DUPLICATE : COVERAGE_OVERLAP;
}

bool reassembly_serves(const struct packet *fragment)
{
    return fragment->fragment_protocol == IPPROTO_UDP ||
           (fragment->family == IP_FAMILY_V6 && fragment->fragment_protocol == IPPROTO_DSTOPTS);
}

// RFC 8200 section 4.5: the first fragment has all headers, UDP's included; of what is not UDP's,
// so much of its header. Over IPv4 eight bytes are the least it has.
static bool has_headers(const struct packet *fragment)
{
    const uint8_t *at = fragment->l4;
    size_t left = fragment->l4_len;
    uint8_t next = (uint8_t)fragment->fragment_protocol;
    while (next == IPPROTO_DSTOPTS && left >= PACKET_UDP_LEN) {
        size_t len = ((size_t)at[1] + 1) * 8;
        if (len > left)
            return false;
        next = at[0];
        at += len;
        left -= len;
    }
    return left >= PACKET_UDP_LEN;
}

static bool fragment_is_possible(const struct packet *fragment)
{
    uint32_t end = (uint32_t)fragment->fragment_offset + fragment->l4_len;
    return fragment->l4_len > 0 && end <= PAYLOAD_MAX_LEN &&
           (!fragment->fragment_more || fragment->l4_len % BLOCK_LEN == 0) &&
           (fragment->fragment_offset > 0 || has_headers(fragment)) && reassembly_serves(fragment);
}

static bool fragment_fits(const struct reassembly_datagram *datagram, const struct packet *fragment)
{
    uint32_t end = (uint32_t)fragment->fragment_offset + fragment->l4_len;
    if (datagram->fragments == REASSEMBLY_FRAGMENTS_MAX)
        return false;
    if (!fragment->fragment_more)
        return datagram->total_len == 0 && datagram->highest_end <= end;
    return datagram->total_len == 0 || end <= datagram->total_len;
}

static void datagram_add(struct reassembly_datagram *datagram, uint8_t *payload,
                         const struct packet *fragment)
{
    uint16_t end = (uint16_t)(fragment->fragment_offset + fragment->l4_len);
    struct blocks blocks = blocks_of(fragment);
    for (uint32_t word = blocks.first / WORD_BLOCKS; word <= blocks.last / WORD_BLOCKS; word++)
        datagram->blocks[word] |= blocks_in_word(blocks, word);
    datagram->blocks_seen += (uint16_t)(blocks.last - blocks.first + 1);
    memcpy(payload + fragment->fragment_offset, fragment->l4, fragment->l4_len);
    datagram->fragments++;
    datagram->ecn_seen |= (uint8_t)(1u << (fragment->traffic_class & 3));
    if (end > datagram->highest_end)
        datagram->highest_end = end;
    if (!fragment->fragment_more)
        datagram->total_len = end;
    if (fragment->fragment_offset == 0) {
        size_t ip_len = fragment->family == IP_FAMILY_V4 ? PACKET_IPV4_LEN : PACKET_IPV6_LEN;
        memcpy(datagram->headers, fragment->ip - PACKET_ETHERNET_LEN, PACKET_ETHERNET_LEN + ip_len);
        datagram->protocol = (uint8_t)fragment->fragment_protocol;
        datagram->has_first = true;
    }
}

static bool datagram_is_complete(const struct reassembly_datagram *datagram)
{
    return datagram->has_first && datagram->total_len != 0 &&
           datagram->blocks_seen == (datagram->total_len + BLOCK_LEN - 1) / BLOCK_LEN;
}

static uint32_t headers_len_of(const struct reassembly_datagram *datagram)
{
    return datagram->key.family == IP_FAMILY_V4
               ? PACKET_ETHERNET_LEN + PACKET_IPV4_LEN
               : PACKET_ETHERNET_LEN + PACKET_IPV6_LEN + PACKET_IPV6_FRAGMENT_LEN;
}

// What the IP header's length field can say.
static bool datagram_is_sayable(const struct reassembly_datagram *datagram)
{
    uint32_t outside =
        datagram->key.family == IP_FAMILY_V4 ? PACKET_IPV4_LEN : PACKET_IPV6_FRAGMENT_LEN;
    return outside + datagram->total_len <= UINT16_MAX;
}

// Congestion seen by one fragment was seen by the datagram; but one that cannot say so must not
// hide it.
static bool ecn_is_consistent(const struct reassembly_datagram *datagram)
{
    return (datagram->ecn_seen & 1) == 0 || (datagram->ecn_seen & 1 << 3) == 0;
}

static bool datagram_is_sound(const struct reassembly_datagram *datagram)
{
    return datagram_is_sayable(datagram) && ecn_is_consistent(datagram);
}

// A frame's headers have been read, not what is behind them.
static void fetch_bytes(const struct packet *fragment)
{
    uint32_t len = RTE_MIN(fragment->l4_len, FETCH_MAX_LEN);
    for (uint32_t at = LINE_LEN; at < len; at += LINE_LEN)
        rte_prefetch0(fragment->l4 + at);
}

void reassembly_take(struct reassembly *reassembly, const struct packet *fragment, uint64_t now_tsc,
                     struct reassembly_result *ret_result)
{
    struct reassembly_result result = {0, 0, false, 0};
    if (!fragment_is_possible(fragment)) {
        *ret_result = (struct reassembly_result){.dropped = 1};
        return;
    }
    fetch_bytes(fragment);
    struct reassembly_key key = key_of(fragment);
    struct reassembly_datagram *datagram = datagram_reach(reassembly, &key, now_tsc, &result);
    uint8_t *payload = payload_of(reassembly, datagram);
    enum coverage coverage = coverage_of(datagram, payload, fragment);
    if (coverage == COVERAGE_DUPLICATE) {
        result.dropped++;
    } else if (coverage == COVERAGE_OVERLAP || !fragment_fits(datagram, fragment)) {
        result.dropped += 1 + datagram_forget(reassembly, datagram);
    } else {
        datagram_add(datagram, payload, fragment);
        if (datagram_is_complete(datagram) && !datagram_is_sound(datagram)) {
            result.dropped += datagram_forget(reassembly, datagram);
        } else if (datagram_is_complete(datagram)) {
            reassembly->completed = datagram;
            result.complete = true;
            result.merged = (uint32_t)datagram->fragments - 1;
            result.frame_len = headers_len_of(datagram) + datagram->total_len;
        }
    }
    *ret_result = result;
}

// Before the checksum is made.
static void mark_congestion(const struct reassembly_datagram *datagram, uint8_t *ip)
{
    if ((datagram->ecn_seen & 1 << 3) == 0)
        return;
    if (datagram->key.family == IP_FAMILY_V4)
        ip[1] |= 3;
    else
        ip[1] |= 3 << 4; // the traffic class straddles two bytes
}

static void write_ipv4(const struct reassembly_datagram *datagram, uint8_t *ip)
{
    memcpy(ip, datagram->headers + PACKET_ETHERNET_LEN, PACKET_IPV4_LEN);
    mark_congestion(datagram, ip);
    ip[0] = 0x45; // options have been looked at, and end here
    store_be16(ip + 2, (uint16_t)(PACKET_IPV4_LEN + datagram->total_len));
    store_be16(ip + 6, 0);
    store_be16(ip + 10, 0);
    uint16_t sum = checksum_field(checksum_add_bytes(0, ip, PACKET_IPV4_LEN));
    memcpy(ip + 10, &sum, sizeof(sum));
}

static void write_ipv6(const struct reassembly_datagram *datagram, uint8_t *ip)
{
    memcpy(ip, datagram->headers + PACKET_ETHERNET_LEN, PACKET_IPV6_LEN);
    mark_congestion(datagram, ip);
    store_be16(ip + 4, (uint16_t)(PACKET_IPV6_FRAGMENT_LEN + datagram->total_len));
    ip[6] = IPPROTO_FRAGMENT;
    uint8_t *fragment = ip + PACKET_IPV6_LEN;
    fragment[0] = datagram->protocol;
    fragment[1] = 0;
    store_be16(fragment + 2, 0);
    store_be32(fragment + 4, datagram->key.id);
}

void reassembly_write(struct reassembly *reassembly, uint8_t *frame)
{
    struct reassembly_datagram *datagram = reassembly->completed;
    reassembly->completed = NULL;
    if (frame != NULL) {
        uint8_t *ip = frame + PACKET_ETHERNET_LEN;
        memcpy(frame, datagram->headers, PACKET_ETHERNET_LEN);
        if (datagram->key.family == IP_FAMILY_V4)
            write_ipv4(datagram, ip);
        else
            write_ipv6(datagram, ip);
        memcpy(frame + headers_len_of(datagram), payload_of(reassembly, datagram),
               datagram->total_len);
    }
    (void)datagram_forget(reassembly, datagram);
}

uint32_t reassembly_expire(struct reassembly *reassembly, uint64_t now_tsc)
{
    if (reassembly->in_use == 0 || now_tsc < reassembly->sweep_due_tsc)
        return 0;
    reassembly->sweep_due_tsc = now_tsc + reassembly->timeout_tsc / SWEEPS_A_TIMEOUT;
    uint32_t fragments = 0;
    for (unsigned i = 0; i < REASSEMBLY_DATAGRAMS; i++) {
        struct reassembly_datagram *datagram = &reassembly->datagrams[i];
        if (datagram->deadline_tsc != 0 && datagram->deadline_tsc <= now_tsc)
            fragments += datagram_forget(reassembly, datagram);
    }
    return fragments;
}
