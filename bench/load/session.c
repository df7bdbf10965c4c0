// SPDX-License-Identifier: BSD-3-Clause
// One flow holds one place of the window from its first step to its last.
#include "session.h"

#include "proto/builder.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define CHALLENGES_MAX   3 // for one step: whoever is told 401 forever has the wrong password
#define DUE_WALK_MS      5
#define BEGIN_BURST      32
#define PACER_BACKLOG_MS 100

int sessions_init(struct sessions *sessions, const struct sessions_config *config)
{
    memset(sessions, 0, sizeof(*sessions));
    sessions->config = *config;
    sessions->round.ended = 1;
    return transactions_init(&sessions->transactions, config->window, config->hz, config->seed);
}

void sessions_done(struct sessions *sessions)
{
    transactions_done(&sessions->transactions);
    integrity_key_cleanse(&sessions->key);
}

static uint16_t step_method(enum session_step step)
{
    switch (step) {
    case STEP_ALLOCATE:
        return STUN_METHOD_ALLOCATE;
    case STEP_PERMIT:
        return STUN_METHOD_CREATE_PERMISSION;
    case STEP_BIND:
        return STUN_METHOD_CHANNEL_BIND;
    default:
        return STUN_METHOD_REFRESH;
    }
}

static void add_peer(struct stun_builder *builder, const struct flows *flows, uint32_t flow)
{
    struct transport_address peer = flow_peer(flows, flow);

    stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
}

static void add_allocate(struct stun_builder *builder, const struct sessions_config *config)
{
    enum ip_family family = (enum ip_family)config->flows->peers.prefix.ip.family;

    stun_add_requested_transport(builder, IPPROTO_UDP);
    stun_add_u32(builder, STUN_ATTRIBUTE_LIFETIME, config->lifetime_s);
    // Without it the relayed address is an IPv4 one (RFC 8656 section 7.2).
    if (family == IP_FAMILY_V6)
        stun_add_address_family(builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, family);
}

static void add_step(struct stun_builder *builder, const struct sessions_config *config,
                     enum session_step step, uint32_t flow)
{
    switch (step) {
    case STEP_ALLOCATE:
        add_allocate(builder, config);
        break;
    case STEP_BIND:
        stun_add_channel_number(builder, flow_channel(flow));
        add_peer(builder, config->flows, flow);
        break;
    case STEP_PERMIT:
        add_peer(builder, config->flows, flow);
        break;
    case STEP_REFRESH:
        stun_add_u32(builder, STUN_ATTRIBUTE_LIFETIME, config->lifetime_s);
        break;
    default:
        stun_add_u32(builder, STUN_ATTRIBUTE_LIFETIME, 0);
        break;
    }
}

// With credentials once the flow has a nonce.
static void write_request(struct sessions *sessions, struct transaction *transaction)
{
    const struct flow_nonce *nonce = &sessions->config.flows->nonces[transaction->flow];
    enum session_step step = (enum session_step)transaction->step;
    struct stun_builder builder;

    stun_builder_init(&builder, transaction->request, sizeof(transaction->request),
                      STUN_CLASS_REQUEST, step_method(step), transaction->id);
    add_step(&builder, &sessions->config, step, transaction->flow);
    if (nonce->len > 0) {
        stun_add_string(&builder, STUN_ATTRIBUTE_USERNAME, sessions->config.username);
        stun_add_string(&builder, STUN_ATTRIBUTE_REALM, sessions->realm);
        stun_add_bytes(&builder, STUN_ATTRIBUTE_NONCE, nonce->bytes, nonce->len);
        stun_add_message_integrity(&builder, &sessions->key);
    }
    transaction->request_len = (uint32_t)stun_builder_finish(&builder);
}

static void send_request(struct sessions *sessions, const struct transaction *transaction)
{
    sessions->config.send(sessions->config.context, transaction->flow, transaction->request,
                          transaction->request_len);
}

static void ask(struct sessions *sessions, struct transaction *transaction, uint64_t now)
{
    write_request(sessions, transaction);
    transactions_sent(&sessions->transactions, transaction, now);
    sessions->counts.requests++;
    send_request(sessions, transaction);
}

static void ask_again(struct sessions *sessions, struct transaction *transaction, uint64_t now)
{
    transactions_renew(&sessions->transactions, transaction);
    ask(sessions, transaction, now);
}

static void end_flow(struct sessions *sessions, struct transaction *transaction, uint64_t now)
{
    struct session_round *round = &sessions->round;

    transactions_close(&sessions->transactions, transaction);
    if (round->next == sessions->config.flows->count &&
        transactions_open_count(&sessions->transactions) == 0)
        round->ended = now;
}

static void count_error(struct session_counts *counts, unsigned code)
{
    for (unsigned i = 0; i < SESSION_ERRORS_MAX; i++) {
        // The last place takes all for which there is none.
        if (counts->errors[i].count == 0 || i == SESSION_ERRORS_MAX - 1)
            counts->errors[i].code = code;
        if (counts->errors[i].code == code) {
            counts->errors[i].count++;
            return;
        }
    }
}

static void fail(struct sessions *sessions, struct transaction *transaction, unsigned code,
                 uint64_t now)
{
    count_error(&sessions->counts, code);
    sessions->round.failed++;
    end_flow(sessions, transaction, now);
}

// The first step of the round from this one on; STEP_COUNT: none.
static enum session_step step_from(const struct session_round *round, unsigned step)
{
    while (step < STEP_COUNT && !(round->steps >> step & 1))
        step++;
    return (enum session_step)step;
}

// Whether the round has something to ask for the flow.
static bool is_wanted(const struct sessions *sessions, uint32_t flow)
{
    bool allocates = sessions->round.steps & 1u << STEP_ALLOCATE;

    return allocates || sessions->config.flows->table[flow].state != FLOW_NONE;
}

static void skip_unwanted(struct sessions *sessions)
{
    struct session_round *round = &sessions->round;

    while (round->next < sessions->config.flows->count && !is_wanted(sessions, round->next))
        round->next++;
}

static void begin_flow(struct sessions *sessions, uint64_t now)
{
    struct transaction *transaction = transactions_open(&sessions->transactions);

    transaction->flow = sessions->round.next++;
    transaction->step = step_from(&sessions->round, 0);
    // The last flow is known to be the last when it ends.
    skip_unwanted(sessions);
    ask(sessions, transaction, now);
}

void sessions_begin(struct sessions *sessions, unsigned steps, uint64_t rate, uint64_t now)
{
    sessions->round = (struct session_round){.steps = steps, .started = now};
    pacer_init(&sessions->pacer, sessions->config.hz, rate, PACER_BACKLOG_MS, now);
    skip_unwanted(sessions);
    if (sessions->round.next == sessions->config.flows->count)
        sessions->round.ended = now;
}

void sessions_cut(struct sessions *sessions, uint64_t now)
{
    sessions->round.next = sessions->config.flows->count;
    if (!sessions_is_over(sessions) && transactions_open_count(&sessions->transactions) == 0)
        sessions->round.ended = now;
}

static void walk_due(struct sessions *sessions, uint64_t now)
{
    struct transaction *transaction;
    enum transaction_due due;
    uint32_t cursor = 0;

    while ((due = transactions_due(&sessions->transactions, now, &cursor, &transaction))) {
        if (due == TRANSACTION_EXPIRED) {
            fail(sessions, transaction, 0, now);
            continue;
        }
        sessions->counts.resent++;
        send_request(sessions, transaction);
    }
    sessions->next_due_walk = now + sessions->config.hz * DUE_WALK_MS / 1000;
}

void sessions_poll(struct sessions *sessions, uint64_t now)
{
    uint32_t left = sessions->config.flows->count - sessions->round.next;
    unsigned room = index_pool_free(&sessions->transactions.free);

    if (sessions_is_over(sessions))
        return;
    if (now >= sessions->next_due_walk)
        walk_due(sessions, now);
    room = room < BEGIN_BURST ? room : BEGIN_BURST;
    for (unsigned n = pacer_take(&sessions->pacer, now, room < left ? room : left); n > 0; n--) {
        if (sessions->round.next == sessions->config.flows->count)
            break;
        begin_flow(sessions, now);
    }
}

// Realm and key are the same for all flows.
static bool learn_realm(struct sessions *sessions, struct span realm)
{
    const struct sessions_config *config = &sessions->config;
    struct span username = {(const uint8_t *)config->username, strlen(config->username)};
    struct span password = {(const uint8_t *)config->password, strlen(config->password)};

    if (sessions->has_key)
        return true;
    if (realm.len >= sizeof(sessions->realm))
        return false;
    memcpy(sessions->realm, realm.data, realm.len);
    sessions->realm[realm.len] = '\0';
    sessions->has_key = integrity_key_derive(STUN_PASSWORD_ALGORITHM_MD5, username, realm, password,
                                             &sessions->key) == 0;
    return sessions->has_key;
}

// RFC 8489 section 9.2.5: 401 and 438 carry realm and nonce.
static bool learn_nonce(struct sessions *sessions, uint32_t flow,
                        const struct stun_message *message)
{
    struct flow_nonce *nonce = &sessions->config.flows->nonces[flow];
    struct span realm, text;

    if (stun_message_string(message, STUN_ATTRIBUTE_REALM, &realm) != STUN_VALUE_OK ||
        stun_message_string(message, STUN_ATTRIBUTE_NONCE, &text) != STUN_VALUE_OK ||
        text.len > FLOW_NONCE_MAX_LEN || !learn_realm(sessions, realm))
        return false;
    nonce->len = (uint8_t)text.len;
    memcpy(nonce->bytes, text.data, text.len);
    return true;
}

// What a success means for the flow. False when the response lacks what it must have.
static bool take_success(struct sessions *sessions, const struct transaction *transaction,
                         const struct stun_message *message)
{
    struct flow *flow = &sessions->config.flows->table[transaction->flow];

    if (transaction->step == STEP_ALLOCATE) {
        if (stun_message_xor_address(message, STUN_ATTRIBUTE_XOR_RELAYED_ADDRESS, &flow->relayed) !=
                STUN_VALUE_OK ||
            flow->relayed.ip.family != sessions->config.flows->peers.prefix.ip.family)
            return false;
        flow->state = FLOW_ALLOCATED;
    }
    if (transaction->step == STEP_PERMIT || transaction->step == STEP_BIND)
        flow->state = FLOW_READY;
    if (transaction->step == STEP_DELETE)
        flow->state = FLOW_NONE;
    return true;
}

static void receive_success(struct sessions *sessions, struct transaction *transaction,
                            const struct stun_message *message, uint64_t now)
{
    enum session_step next = step_from(&sessions->round, transaction->step + 1u);

    if (!take_success(sessions, transaction, message)) {
        fail(sessions, transaction, STUN_ERROR_BAD_REQUEST, now);
        return;
    }
    if (next == STEP_COUNT) {
        sessions->round.done++;
        end_flow(sessions, transaction, now);
        return;
    }
    transaction->step = next;
    transaction->challenges = 0;
    ask_again(sessions, transaction, now);
}

static void receive_error(struct sessions *sessions, struct transaction *transaction,
                          const struct stun_message *message, uint64_t now)
{
    bool had_nonce = sessions->config.flows->nonces[transaction->flow].len > 0;
    unsigned code = STUN_ERROR_BAD_REQUEST;
    struct span reason;

    stun_message_error_code(message, &code, &reason);
    // It is gone: the answer to the first of two requests was lost (RFC 8656 section 8.3).
    if (transaction->step == STEP_DELETE && code == STUN_ERROR_ALLOCATION_MISMATCH) {
        receive_success(sessions, transaction, message, now);
        return;
    }
    bool is_challenge =
        code == STUN_ERROR_STALE_NONCE || (code == STUN_ERROR_UNAUTHENTICATED && !had_nonce);
    if (!is_challenge || transaction->challenges == CHALLENGES_MAX ||
        !learn_nonce(sessions, transaction->flow, message)) {
        fail(sessions, transaction, code, now);
        return;
    }
    transaction->challenges++;
    if (code == STUN_ERROR_STALE_NONCE)
        sessions->counts.stale++;
    else
        sessions->counts.challenged++;
    ask_again(sessions, transaction, now);
}

void sessions_receive(struct sessions *sessions, const struct transport_address *client,
                      const struct stun_message *message, uint64_t now)
{
    struct transaction *transaction =
        transactions_match(&sessions->transactions, message->transaction_id);
    bool is_success = message->message_class == STUN_CLASS_SUCCESS;
    struct transport_address asked;

    if (!transaction || message->method != step_method((enum session_step)transaction->step) ||
        // A success is always authenticated (RFC 8489 section 9.2.5).
        (is_success && !integrity_check_sha1(message, &sessions->key))) {
        sessions->counts.discarded++;
        return;
    }
    asked = flow_client(sessions->config.flows, transaction->flow);
    if (!transport_address_equal(&asked, client)) {
        sessions->counts.discarded++;
        return;
    }
    // Of what was sent twice nobody knows which one was answered (Karn's rule).
    if (transaction->sends == 1)
        histogram_record(&sessions->response_ticks, now - transaction->first_sent);
    if (is_success)
        receive_success(sessions, transaction, message, now);
    else
        receive_error(sessions, transaction, message, now);
}
