// SPDX-License-Identifier: BSD-3-Clause
// Fragments of four datagrams in any order and at any time, against a model that keeps every
// fragment as it came and decides anew each time. What must hold: the same is joined, dropped and
// kept, and what is joined has the bytes that came.
#include "dataplane/reassembly.h"

#include "base/bytes.h"
#include "fuzz.h"

#include <netinet/in.h>
#include <rte_eal.h>
#include <string.h>

#define DATAGRAMS   4 // as many as a set has, so that none is ever pushed out
#define HZ          1000u
#define HEADERS_LEN (PACKET_ETHERNET_LEN + PACKET_IPV6_LEN)
#define PAYLOAD_MAX (255 * 8 + 255)

struct piece {
    uint32_t offset;
    uint32_t len;
    bool more;
    uint8_t variant; // of its bytes
};

struct model {
    struct piece pieces[REASSEMBLY_FRAGMENTS_MAX];
    uint32_t count;
    uint64_t deadline;
};

// What a step of the model comes to.
struct outcome {
    uint32_t dropped;
    bool complete;
    uint32_t len;
};

static struct reassembly reassembly;

static void start_once(void)
{
    static bool started;
    const char *const arguments[] = {
        "fuzz", "--no-huge",   "--no-pci",       "-m",          "16",   "-l",
        "0",    "--no-shconf", "--no-telemetry", "--log-level", "error"};
    char *argv[sizeof(arguments) / sizeof(arguments[0])];

    if (started)
        return;
    for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
        argv[i] = (char *)(uintptr_t)arguments[i];
    REQUIRE(rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), argv) >= 0);
    REQUIRE(reassembly_init(&reassembly, HZ, -1) == 0);
    started = true;
}

static uint8_t byte_at(uint32_t at, uint8_t variant)
{
    return (uint8_t)(at * 31 + (at >> 8) + variant);
}

static uint32_t end_of(const struct piece *piece)
{
    return piece->offset + piece->len;
}

// The last one's end, in whole blocks as the others'.
static uint32_t blocks_end(const struct piece *piece)
{
    return (end_of(piece) + 7) & ~7u;
}

static bool meet(const struct piece *one, const struct piece *other)
{
    return one->offset < blocks_end(other) && other->offset < blocks_end(one);
}

static bool is_inside(const struct model *model, uint32_t at)
{
    for (uint32_t i = 0; i < model->count; i++) {
        if (at >= model->pieces[i].offset && at < blocks_end(&model->pieces[i]))
            return true;
    }
    return false;
}

// What came there; a last block's padding is nobody's.
static bool has_byte(const struct model *model, uint32_t at, uint8_t value)
{
    for (uint32_t i = 0; i < model->count; i++) {
        const struct piece *piece = &model->pieces[i];

        if (at >= piece->offset && at < end_of(piece))
            return byte_at(at, piece->variant) == value;
    }
    return false;
}

static uint32_t total_of(const struct model *model)
{
    for (uint32_t i = 0; i < model->count; i++) {
        if (!model->pieces[i].more)
            return end_of(&model->pieces[i]);
    }
    return 0;
}

static bool is_duplicate(const struct model *model, const struct piece *piece)
{
    uint32_t total = total_of(model);

    for (uint32_t at = piece->offset; at < end_of(piece); at++) {
        if (!has_byte(model, at, byte_at(at, piece->variant)))
            return false;
    }
    return piece->more ? total == 0 || end_of(piece) < total : end_of(piece) == total;
}

static bool overlaps(const struct model *model, const struct piece *piece)
{
    for (uint32_t i = 0; i < model->count; i++) {
        if (meet(&model->pieces[i], piece))
            return true;
    }
    return false;
}

static bool fits(const struct model *model, const struct piece *piece)
{
    uint32_t total = total_of(model);

    if (model->count == REASSEMBLY_FRAGMENTS_MAX || (total != 0 && !piece->more))
        return false;
    if (piece->more)
        return total == 0 || end_of(piece) <= total;
    for (uint32_t i = 0; i < model->count; i++) {
        if (end_of(&model->pieces[i]) > end_of(piece))
            return false;
    }
    return true;
}

static bool is_complete(const struct model *model)
{
    uint32_t total = total_of(model);

    if (total == 0)
        return false;
    for (uint32_t at = 0; at < total; at += 8) {
        if (!is_inside(model, at))
            return false;
    }
    return true;
}

static struct outcome step(struct model *model, const struct piece *piece, uint64_t now)
{
    struct outcome outcome = {0, false, 0};

    if (piece->len == 0 || (piece->more && piece->len % 8 != 0) ||
        (piece->offset == 0 && piece->len < 8))
        return (struct outcome){1, false, 0};
    if (model->count > 0 && model->deadline <= now) {
        outcome.dropped = model->count;
        model->count = 0;
    }
    if (model->count == 0)
        model->deadline = now + HZ / 1000 * REASSEMBLY_TIMEOUT_MS;
    if (overlaps(model, piece) && is_duplicate(model, piece)) {
        outcome.dropped++;
    } else if (overlaps(model, piece) || !fits(model, piece)) {
        outcome.dropped += model->count + 1;
        model->count = 0;
    } else {
        model->pieces[model->count++] = *piece;
        outcome.complete = is_complete(model);
        outcome.len = total_of(model);
    }
    return outcome;
}

// A piece as classify() would say it.
static void make_fragment(const struct piece *piece, unsigned number, uint8_t *frame,
                          struct packet *ret_packet)
{
    bool is_v4 = number % 2 == 0;
    uint32_t ip_len = is_v4 ? PACKET_IPV4_LEN : PACKET_IPV6_LEN;
    uint8_t *ip = frame + PACKET_ETHERNET_LEN;

    memset(frame, 2, HEADERS_LEN);
    ip[0] = is_v4 ? 0x45 : 0x60;
    ip[1] = 0;
    for (uint32_t i = 0; i < piece->len; i++)
        ip[ip_len + i] = byte_at(piece->offset + i, piece->variant);
    memset(ret_packet, 0, sizeof(*ret_packet));
    ret_packet->ip = ip;
    ret_packet->l4 = ip + ip_len;
    ret_packet->l4_len = (uint16_t)piece->len;
    ret_packet->source_ip = ip + (is_v4 ? 12 : 8);
    ret_packet->kind = PACKET_FRAGMENT;
    ret_packet->family = is_v4 ? IP_FAMILY_V4 : IP_FAMILY_V6;
    ret_packet->fragment_more = piece->more;
    ret_packet->fragment_offset = (uint16_t)piece->offset;
    ret_packet->fragment_protocol = IPPROTO_UDP;
    ret_packet->fragment_id = number;
}

static void check_joined(const struct model *model, unsigned number, uint32_t frame_len)
{
    bool is_v4 = number % 2 == 0;
    uint32_t headers_len = PACKET_ETHERNET_LEN + (is_v4 ? PACKET_IPV4_LEN : PACKET_IPV6_LEN + 8);
    uint8_t *frame = malloc(frame_len);

    REQUIRE(frame != NULL && frame_len == headers_len + total_of(model));
    reassembly_write(&reassembly, frame);
    for (uint32_t at = 0; at < total_of(model); at++)
        REQUIRE(has_byte(model, at, frame[headers_len + at]));
    REQUIRE(load_be16(frame + PACKET_ETHERNET_LEN + (is_v4 ? 2 : 4)) ==
            frame_len - PACKET_ETHERNET_LEN - (is_v4 ? 0 : PACKET_IPV6_LEN));
    free(frame);
}

static void take(struct model *models, unsigned number, const struct piece *piece, uint64_t now)
{
    static uint8_t frame[HEADERS_LEN + PAYLOAD_MAX];
    struct model *model = &models[number];
    struct reassembly_result result;
    struct packet packet;

    make_fragment(piece, number, frame, &packet);
    reassembly_take(&reassembly, &packet, now, &result);
    struct outcome outcome = step(model, piece, now);
    REQUIRE(result.dropped == outcome.dropped && result.complete == outcome.complete);
    if (result.complete) {
        REQUIRE(result.merged == model->count - 1);
        check_joined(model, number, result.frame_len);
        model->count = 0;
    }
}

static uint32_t forget(struct model *models, uint64_t now)
{
    uint32_t dropped = 0;

    for (unsigned i = 0; i < DATAGRAMS; i++) {
        if (models[i].deadline <= now) {
            dropped += models[i].count;
            models[i].count = 0;
        }
    }
    return dropped;
}

// Whenever time has passed: else a piece might find others that are overdue, or not, as the hash
// has it.
static void sweep(struct model *models, uint64_t now)
{
    reassembly.sweep_due_tsc = 0;
    REQUIRE(reassembly_expire(&reassembly, now) == forget(models, now));
}

static uint32_t in_use(const struct model *models)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < DATAGRAMS; i++)
        count += models[i].count > 0;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model models[DATAGRAMS];
    static uint64_t now = 1;

    start_once();
    memset(models, 0, sizeof(models));
    for (; size >= 4; data += 4, size -= 4) {
        const struct piece piece = {data[1] * 8u, data[2] * (data[0] & 4 ? 8u : 1u), data[0] & 8,
                                    data[0] >> 4 & 1};

        if (data[0] & 0x80) {
            now += (uint64_t)data[3] * 8;
            sweep(models, now);
            continue;
        }
        if (piece.len <= PAYLOAD_MAX)
            take(models, data[0] % DATAGRAMS, &piece, now);
        REQUIRE(reassembly.in_use == in_use(models));
    }
    // All is over some time after, and whatever was kept is told of.
    now += 10 * HZ;
    sweep(models, now);
    REQUIRE(reassembly.in_use == 0);
    return 0;
}
