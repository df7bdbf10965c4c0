// SPDX-License-Identifier: BSD-3-Clause
// Setting up waits for one answer after the other; media never wait.
#include "client.h"

#include "../fail.h"
#include "proto/builder.h"
#include "proto/channel_data.h"
#include "proto/stream_framing.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MS      5000
#define POLL_MS        100
#define REQUEST_BYTES  1024
#define CHALLENGES_MAX 2

static void wait_for(const struct client *client, short events)
{
    struct pollfd one = {.fd = client->wire.fd, .events = events};

    poll(&one, 1, POLL_MS);
}

static void connect_client(struct client *client, const struct wires *wires)
{
    wire_open(&client->wire, wires);
    for (unsigned waited = 0; waited < ANSWER_MS; waited += POLL_MS) {
        wire_advance(&client->wire);
        if (client->wire.state == WIRE_READY)
            return;
        if (client->wire.state == WIRE_BROKEN)
            break;
        // A connection in progress says so by being writable, a handshake by being readable.
        wait_for(client, client->wire.ssl ? POLLIN : POLLOUT);
        wire_repeat(&client->wire);
    }
    fail("client %u: no connection", client->number);
}

// The message at the start of what was read; 0: not yet whole.
static size_t first_message(const struct client *client, struct stream_frame *ret_frame)
{
    struct span received = {client->in, client->in_len};

    switch (stream_frame_next(received, STREAM_FRAME_MAX_LEN, true, ret_frame)) {
    case STREAM_FRAME_WHOLE:
        return ret_frame->framed_len;
    case STREAM_FRAME_NEED_MORE:
        return 0;
    default:
        fail("client %u: the relay's stream has no frame where one should begin", client->number);
    }
}

static void receive_answer(struct client *client, const uint8_t *id,
                           struct stun_message *ret_answer)
{
    struct stream_frame frame;

    client->in_len = 0;
    for (unsigned waited = 0; waited < ANSWER_MS;) {
        size_t got =
            wire_read(&client->wire, client->in + client->in_len, CLIENT_IN_BYTES - client->in_len);
        client->in_len += (uint32_t)got;
        if (client->wire.state == WIRE_BROKEN)
            break;
        if (got == 0) {
            wait_for(client, POLLIN);
            waited += POLL_MS;
        } else if (first_message(client, &frame) > 0) {
            if (stun_message_parse(frame.message, ret_answer) != STUN_VALID ||
                memcmp(ret_answer->transaction_id, id, STUN_TRANSACTION_ID_LEN) != 0)
                fail("client %u: another message than the answer", client->number);
            return;
        }
    }
    fail("client %u: no answer", client->number);
}

// Realm and nonce of a 401 or 438 (RFC 8489 section 9.2.5).
static void learn(struct client *client, const struct client_config *config,
                  const struct stun_message *answer)
{
    struct span user = {(const uint8_t *)config->user, strlen(config->user)};
    struct span password = {(const uint8_t *)config->password, strlen(config->password)};
    struct span realm, nonce;

    if (stun_message_string(answer, STUN_ATTRIBUTE_REALM, &realm) != STUN_VALUE_OK ||
        stun_message_string(answer, STUN_ATTRIBUTE_NONCE, &nonce) != STUN_VALUE_OK ||
        realm.len >= sizeof(client->realm) || nonce.len > sizeof(client->nonce))
        fail("client %u: a challenge without realm and nonce", client->number);
    memcpy(client->realm, realm.data, realm.len);
    client->realm[realm.len] = '\0';
    memcpy(client->nonce, nonce.data, nonce.len);
    client->nonce_len = (uint32_t)nonce.len;
    integrity_key_derive(STUN_PASSWORD_ALGORITHM_MD5, user, realm, password, &client->key);
}

static void add_request(struct stun_builder *builder, uint16_t method,
                        const struct client_config *config)
{
    if (method == STUN_METHOD_ALLOCATE) {
        stun_add_requested_transport(builder, IPPROTO_UDP);
        if (config->peer.ip.family == IP_FAMILY_V6)
            stun_add_address_family(builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, IP_FAMILY_V6);
        return;
    }
    stun_add_channel_number(builder, CLIENT_CHANNEL);
    stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &config->peer);
}

static void ask_once(struct client *client, uint16_t method, const struct client_config *config,
                     struct stun_message *ret_answer)
{
    uint8_t request[REQUEST_BYTES], id[STUN_TRANSACTION_ID_LEN];
    struct stun_builder builder;

    for (unsigned i = 0; i < sizeof(id); i++)
        id[i] = (uint8_t)rand();
    stun_builder_init(&builder, request, sizeof(request), STUN_CLASS_REQUEST, method, id);
    add_request(&builder, method, config);
    if (client->nonce_len > 0) {
        stun_add_string(&builder, STUN_ATTRIBUTE_USERNAME, config->user);
        stun_add_string(&builder, STUN_ATTRIBUTE_REALM, client->realm);
        stun_add_bytes(&builder, STUN_ATTRIBUTE_NONCE, client->nonce, client->nonce_len);
        stun_add_message_integrity(&builder, &client->key);
    }
    wire_write(&client->wire, request, stun_builder_finish(&builder));
    wire_flush(&client->wire);
    receive_answer(client, id, ret_answer);
}

static void ask(struct client *client, uint16_t method, const struct client_config *config,
                struct stun_message *ret_answer)
{
    unsigned error = 0;
    struct span reason;

    for (unsigned asked = 0; asked <= CHALLENGES_MAX; asked++) {
        ask_once(client, method, config, ret_answer);
        if (ret_answer->message_class == STUN_CLASS_SUCCESS)
            return;
        stun_message_error_code(ret_answer, &error, &reason);
        if (error != STUN_ERROR_UNAUTHENTICATED && error != STUN_ERROR_STALE_NONCE)
            break;
        learn(client, config, ret_answer);
    }
    fail("client %u: method %u is refused: %u", client->number, method, error);
}

static void prepare_bulk(struct client *client)
{
    uint32_t framed = CHANNEL_DATA_HEADER_LEN + client->payload_len;

    if (!wire_is_datagrams(&client->wire))
        framed += channel_data_stream_padding(client->payload_len);
    client->message_len = framed;
    client->bulk_count = CLIENT_BULK_BYTES / framed;
    client->bulk = calloc(client->bulk_count, framed);
    if (!client->bulk)
        fail("no memory");
    for (uint32_t i = 0; i < client->bulk_count; i++) {
        uint8_t *message = client->bulk + i * framed;
        channel_data_write_header(message, CLIENT_CHANNEL, (uint16_t)client->payload_len);
        stamp_fill(message + CHANNEL_DATA_HEADER_LEN, client->payload_len, client->number, TO_PEER);
    }
    client->bulk_done = client->bulk_count * framed;
}

void client_connect(struct client *client, uint32_t number, const struct client_config *config)
{
    struct stun_message answer;

    client->number = number;
    connect_client(client, config->wires);
    ask(client, STUN_METHOD_ALLOCATE, config, &answer);
    if (stun_message_xor_address(&answer, STUN_ATTRIBUTE_XOR_RELAYED_ADDRESS, &client->relayed) !=
        STUN_VALUE_OK)
        fail("client %u: no relayed address", number);
    client->relayed_sockaddr_len = wire_sockaddr(&client->relayed, &client->relayed_sockaddr);
    ask(client, STUN_METHOD_CHANNEL_BIND, config, &answer);
    client->in_len = 0;
}

void client_set_up(struct client *client, uint32_t number, const struct client_config *config)
{
    client_connect(client, number, config);
    client->payload_len = config->payload_len;
    stamp_fill(client->expected, client->payload_len, number, TO_CLIENT);
    prepare_bulk(client);
}

void client_ask_binding(struct client *client)
{
    uint8_t request[STUN_HEADER_LEN];
    struct stun_message answer;
    uint32_t len = client_write_binding(request, client->number);

    wire_write(&client->wire, request, len);
    wire_flush(&client->wire);
    receive_answer(client, request + STUN_HEADER_LEN - STUN_TRANSACTION_ID_LEN, &answer);
    client->in_len = 0;
    if (answer.message_class != STUN_CLASS_SUCCESS)
        fail("client %u: no Binding", client->number);
}

void client_close(struct client *client)
{
    wire_close(&client->wire);
    free(client->bulk);
}

static void number_bulk(struct client *client)
{
    struct stamps *stamps = &client->ways[TO_PEER];

    for (uint32_t i = 0; i < client->bulk_count; i++)
        stamp_number(client->bulk + i * client->message_len + CHANNEL_DATA_HEADER_LEN,
                     ++stamps->sent);
    client->bulk_done = 0;
}

// False: the wire takes no more for now.
static bool write_bulk(struct client *client)
{
    uint32_t len = client->bulk_count * client->message_len;

    while (client->bulk_done < len) {
        uint32_t left = len - client->bulk_done;
        uint32_t part = wire_is_datagrams(&client->wire) ? client->message_len : left;
        size_t taken = wire_write(&client->wire, client->bulk + client->bulk_done, part);
        if (taken == 0)
            return false;
        client->bulk_done += (uint32_t)taken;
    }
    wire_flush(&client->wire);
    return true;
}

uint32_t client_send(struct client *client, uint32_t window)
{
    struct stamps *stamps = &client->ways[TO_PEER];
    uint64_t before = stamps->sent;

    while (write_bulk(client)) {
        uint64_t on_their_way = stamps_on_their_way(stamps);
        if (on_their_way > 0 && on_their_way + client->bulk_count > window)
            break;
        number_bulk(client);
    }
    return (uint32_t)(stamps->sent - before);
}

static void take_message(struct client *client, const struct stream_frame *frame)
{
    struct span payload = {frame->message.data + CHANNEL_DATA_HEADER_LEN,
                           frame->message.len - CHANNEL_DATA_HEADER_LEN};

    if (frame->kind != STREAM_FRAME_CHANNEL_DATA ||
        load_be16(frame->message.data) != CLIENT_CHANNEL)
        client->ways[TO_CLIENT].wrong++;
    else
        stamp_check(&client->ways[TO_CLIENT], payload, client->expected, client->payload_len);
}

// A datagram is one message, padded or not.
static void take_datagram(struct client *client)
{
    struct channel_data data;

    if (channel_data_parse((struct span){client->in, client->in_len}, true, &data) &&
        data.channel == CLIENT_CHANNEL)
        stamp_check(&client->ways[TO_CLIENT], data.payload, client->expected, client->payload_len);
    else
        client->ways[TO_CLIENT].wrong++;
    client->in_len = 0;
}

static void take_stream(struct client *client)
{
    uint8_t *at = client->in, *end = client->in + client->in_len;
    struct stream_frame frame;

    while (at < end) {
        struct span rest = {at, (size_t)(end - at)};
        enum stream_frame_verdict verdict =
            stream_frame_next(rest, STREAM_FRAME_MAX_LEN, true, &frame);
        if (verdict == STREAM_FRAME_BAD)
            fail("client %u: the relay's stream has no frame where one should begin",
                 client->number);
        if (verdict == STREAM_FRAME_NEED_MORE)
            break;
        take_message(client, &frame);
        at += frame.framed_len;
    }
    client->in_len = (uint32_t)(end - at);
    memmove(client->in, at, client->in_len);
}

bool client_receive(struct client *client)
{
    size_t got =
        wire_read(&client->wire, client->in + client->in_len, CLIENT_IN_BYTES - client->in_len);

    if (client->wire.state == WIRE_BROKEN)
        fail("client %u: the relay has closed the connection", client->number);
    if (got == 0) {
        client->is_readable = false;
        return false;
    }
    client->in_len += (uint32_t)got;
    if (wire_is_datagrams(&client->wire))
        take_datagram(client);
    else
        take_stream(client);
    return true;
}

uint32_t client_write_binding(uint8_t request[STUN_HEADER_LEN], uint64_t id)
{
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN] = {0};
    struct stun_builder builder;

    store_be64(transaction_id, id);
    stun_builder_init(&builder, request, STUN_HEADER_LEN, STUN_CLASS_REQUEST, STUN_METHOD_BINDING,
                      transaction_id);
    return (uint32_t)stun_builder_finish(&builder);
}
