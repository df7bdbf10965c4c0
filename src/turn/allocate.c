// SPDX-License-Identifier: BSD-3-Clause
// See turn/allocate.h. The checks bear the numbers of RFC 8656 section 7.2; what differs for TCP
// allocations is in RFC 6062 section 5.1. Whatever makes a request bad comes before whatever the
// server is out of, so that a bad request is not tried again later.
#include "turn/allocate.h"

#include "base/port_slice.h"
#include "turn/output.h"
#include "turn/redirect.h"
#include "turn/refresh.h"
#include "turn/response.h"
#include "turn/tcp_listener.h"
#include "turn/teardown.h"

#include <assert.h>
#include <string.h>

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

#define WORKER_NONE UINT16_MAX

#define SLOT_BIT(slot) (1u << (slot))
#define SLOT_V4        SLOT_BIT(RELAYED_V4)
#define SLOT_V6        SLOT_BIT(RELAYED_V6)

// What an Allocate request asks for.
struct wish {
    bool is_tcp;
    unsigned slots; // bits; of two, one is enough
    enum relay_port_kind ports;
    uint32_t reservation; // of RESERVATION-TOKEN, or INDEX_NONE
    uint32_t lifetime_s;
};

// What it gets before it is an allocation.
struct grant {
    unsigned slots;  // bits, of those wished for
    uint16_t worker; // whose ports these are
    struct relayed relayed[RELAYED_COUNT];
    uint32_t identity;
    uint32_t user;
    uint32_t reserving_user; // for the pair's other port, or INDEX_NONE
};

static bool family_is_served(const struct turn_server *server, enum ip_family family)
{
    for (uint16_t relay = 0; relay < server->config.relay_count; relay++) {
        if (server->config.relays[relay].local.family == family)
            return true;
    }
    return false;
}

// RFC 8656 section 21.4: from Teredo and 6to4 no Allocate is accepted; there a packet can be made
// to go round between server and tunnel. Without an allocation nothing else is either.
static bool is_tunneled(const struct ip_address *client)
{
    static const struct ip_prefix teredo = {{{0x20, 0x01}, IP_FAMILY_V6}, 32};
    static const struct ip_prefix six_to_four = {{{0x20, 0x02}, IP_FAMILY_V6}, 16};
    return ip_prefix_contains(&teredo, client) || ip_prefix_contains(&six_to_four, client);
}

// RFC 6062 section 5.1: over TCP or TLS only, and without what only UDP has.
static unsigned check_tcp(const struct turn_request *request)
{
    const struct stun_message *message = &request->message;
    return five_tuple_is_stream(&request->packet->five_tuple) &&
                   !stun_message_has(message, STUN_ATTRIBUTE_DONT_FRAGMENT) &&
                   !stun_message_has(message, STUN_ATTRIBUTE_EVEN_PORT) &&
                   !stun_message_has(message, STUN_ATTRIBUTE_RESERVATION_TOKEN)
               ? 0
               : STUN_ERROR_BAD_REQUEST;
}

// Check 3.
static unsigned read_transport(const struct turn_request *request, struct wish *wish)
{
    uint8_t protocol;
    if (stun_message_requested_transport(&request->message, &protocol) != STUN_VALUE_OK)
        return STUN_ERROR_BAD_REQUEST;
    wish->is_tcp = protocol == PROTOCOL_TCP && request->server->config.allow_tcp_relay;
    if (wish->is_tcp)
        return check_tcp(request);
    return protocol == PROTOCOL_UDP ? 0 : STUN_ERROR_UNSUPPORTED_TRANSPORT;
}

// Check 5.
static unsigned read_reservation(const struct turn_request *request, struct wish *wish)
{
    const struct stun_message *message = &request->message;
    uint8_t token[RESERVATION_TOKEN_LEN];
    enum stun_value value = stun_message_reservation_token(message, token);

    wish->reservation = INDEX_NONE;
    if (value == STUN_VALUE_ABSENT)
        return 0;
    if (value == STUN_VALUE_MALFORMED || stun_message_has(message, STUN_ATTRIBUTE_EVEN_PORT) ||
        stun_message_has(message, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY) ||
        stun_message_has(message, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY))
        return STUN_ERROR_BAD_REQUEST;
    wish->reservation = reservation_find(&request->server->reservations, token);
    return wish->reservation != INDEX_NONE ? 0 : STUN_ERROR_INSUFFICIENT_CAPACITY;
}

// Checks 6 and 7. A reservation brings its own family.
static unsigned read_family(const struct turn_request *request, struct wish *wish)
{
    const struct stun_message *message = &request->message;
    enum ip_family family = IP_FAMILY_V4;
    enum stun_value value =
        stun_message_address_family(message, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, &family);

    if (value == STUN_VALUE_MALFORMED ||
        (value != STUN_VALUE_ABSENT &&
         stun_message_has(message, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY)))
        return STUN_ERROR_BAD_REQUEST;
    if (wish->reservation != INDEX_NONE) {
        uint16_t relay = request->server->reservations.at[wish->reservation].address.relay;
        family = (enum ip_family)request->server->config.relays[relay].local.family;
    }
    if (!family_is_served(request->server, family))
        return STUN_ERROR_ADDRESS_FAMILY_NOT_SUPPORTED;
    wish->slots |= SLOT_BIT(relayed_slot_of(family));
    return 0;
}

// The first half of check 8; whether there is such a port shows when an owner is chosen.
static unsigned read_even_port(const struct turn_request *request, struct wish *wish)
{
    bool reserve_next = false;
    enum stun_value value = stun_message_even_port(&request->message, &reserve_next);
    if (value == STUN_VALUE_MALFORMED ||
        (reserve_next &&
         stun_message_has(&request->message, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY)))
        return STUN_ERROR_BAD_REQUEST;
    wish->ports = value == STUN_VALUE_ABSENT ? RELAY_PORT_ANY
                  : reserve_next             ? RELAY_PORT_PAIR
                                             : RELAY_PORT_EVEN;
    return 0;
}

// The first half of check 9.
static unsigned read_additional_family(const struct turn_request *request, struct wish *wish)
{
    enum ip_family family;
    enum stun_value value = stun_message_address_family(
        &request->message, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY, &family);
    if (value == STUN_VALUE_ABSENT)
        return 0;
    if (value == STUN_VALUE_MALFORMED || family != IP_FAMILY_V6)
        return STUN_ERROR_BAD_REQUEST;
    wish->slots |= SLOT_V6;
    return 0;
}

static unsigned read_wish(const struct turn_request *request, struct wish *wish)
{
    unsigned error = read_transport(request, wish);
    if (error == 0)
        error = read_reservation(request, wish);
    if (error == 0)
        error = read_family(request, wish);
    if (error == 0)
        error = read_even_port(request, wish);
    if (error == 0)
        error = read_additional_family(request, wish);
    if (error == 0 && !turn_read_lifetime(request, false, &wish->lifetime_s))
        error = STUN_ERROR_BAD_REQUEST;
    return error;
}

static bool worker_has_port(const struct turn_server *server, uint16_t worker,
                            enum ip_family family, enum relay_port_kind kind)
{
    for (uint16_t relay = 0; relay < server->config.relay_count; relay++) {
        if (server->config.relays[relay].local.family == family &&
            relay_ports_free(&server->relay_ports, relay, worker, kind) > 0)
            return true;
    }
    return false;
}

// An allocation is one worker's, with all its ports.
static bool worker_has_room(const struct turn_server *server, uint16_t worker,
                            const struct wish *wish, unsigned slots)
{
    if (!allocation_table_has_room(&server->allocations, worker))
        return false;
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        if ((slots & SLOT_BIT(slot)) != 0 &&
            !worker_has_port(server, worker, relayed_family((enum relayed_slot)slot), wish->ports))
            return false;
    }
    return true;
}

// The worker that received the request, if it has room: any other one costs a hand-off for every
// packet of the client. Else, of those that have room, the one with the fewest allocations: what is
// too much for one worker then evens out the load of the others, however the clients are spread.
// WORKER_NONE when none has.
static uint16_t choose_owner(const struct turn_request *request, const struct wish *wish,
                             unsigned slots)
{
    const struct turn_server *server = request->server;
    const uint32_t *counts = server->allocations.count_by_worker;
    uint16_t owner = WORKER_NONE;

    if (worker_has_room(server, request->packet->worker, wish, slots))
        return request->packet->worker;
    for (uint16_t worker = 0; worker < server->config.worker_count; worker++) {
        if ((owner == WORKER_NONE || counts[worker] < counts[owner]) &&
            worker_has_room(server, worker, wish, slots))
            owner = worker;
    }
    return owner;
}

// A reserved port has its owner.
static bool choose_reserved(const struct turn_request *request, const struct wish *wish,
                            struct grant *grant)
{
    const struct turn_server *server = request->server;
    uint16_t port = server->reservations.at[wish->reservation].address.port;
    grant->slots = wish->slots;
    grant->worker = port_slice_worker(port, server->config.worker_count);
    return allocation_table_has_room(&server->allocations, grant->worker);
}

// No worker has ports for TCP. Whose place it takes does not matter, but the sum of all does.
static bool choose_tcp(const struct turn_request *request, const struct wish *wish,
                       struct grant *grant)
{
    grant->slots = wish->slots;
    grant->worker = choose_owner(request, wish, 0);
    return grant->worker != WORKER_NONE;
}

// The second halves of checks 8 and 9. Two families of another worker before one of the receiving
// worker; and if it can be only one, IPv4 of any worker before IPv6, since check 7 demands IPv4.
static bool choose_ports(const struct turn_request *request, const struct wish *wish,
                         struct grant *grant)
{
    static const unsigned choices[] = {SLOT_V4 | SLOT_V6, SLOT_V4, SLOT_V6};
    if (wish->reservation != INDEX_NONE)
        return choose_reserved(request, wish, grant);
    if (wish->is_tcp)
        return choose_tcp(request, wish, grant);
    for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        if ((choices[i] & ~wish->slots) != 0)
            continue;
        grant->slots = choices[i];
        grant->worker = choose_owner(request, wish, choices[i]);
        if (grant->worker != WORKER_NONE)
            return true;
    }
    return false;
}

static bool take_port_at(struct turn_server *server, const struct wish *wish, uint16_t worker,
                         uint16_t relay, uint16_t *ret_port)
{
    if (wish->is_tcp)
        return tcp_listener_open(server, allocation_next_id(&server->allocations), relay, ret_port);
    return relay_ports_take(&server->relay_ports, relay, worker, wish->ports,
                            &server->config.random, ret_port);
}

static uint32_t free_ports(const struct turn_server *server, const struct wish *wish,
                           uint16_t worker, enum ip_family family, uint16_t relay)
{
    if (server->config.relays[relay].local.family != family)
        return 0;
    return wish->is_tcp ? relay_ports_free(&server->tcp_ports, relay, 0, RELAY_PORT_ANY)
                        : relay_ports_free(&server->relay_ports, relay, worker, wish->ports);
}

// Where to begin to look. Every free port of all the family's addresses is as likely as any other:
// so addresses with equal ranges fill evenly, and none before the others.
static uint16_t choose_relay(const struct turn_server *server, const struct wish *wish,
                             uint16_t worker, enum ip_family family)
{
    uint32_t total = 0, choice;
    uint16_t relay = 0;

    for (uint16_t i = 0; i < server->config.relay_count; i++)
        total += free_ports(server, wish, worker, family, i);
    choice = random_below(&server->config.random, total);
    while (total > 0) {
        uint32_t count = free_ports(server, wish, worker, family, relay);

        if (choice < count)
            break;
        choice -= count;
        relay++;
    }
    return relay;
}

// A random port of the worker's at one relay of the family. Only TCP ever looks further than where
// it begins: when the kernel has no port for us there.
static bool take_port(struct turn_request *request, const struct wish *wish, uint16_t worker,
                      enum ip_family family, struct turn_relayed_address *ret_address)
{
    struct turn_server *server = request->server;
    uint16_t count = server->config.relay_count;
    uint16_t start = choose_relay(server, wish, worker, family);

    for (uint16_t i = 0; i < count; i++) {
        uint16_t relay = (uint16_t)((start + i) % count), port;

        if (server->config.relays[relay].local.family != family ||
            !take_port_at(server, wish, worker, relay, &port))
            continue;
        *ret_address = (struct turn_relayed_address){.relay = relay, .port = port};
        return true;
    }
    return false;
}

// False for TCP only, where the kernel decides: a worker was chosen because it has the port.
static bool take_slot(struct turn_request *request, const struct wish *wish,
                      const struct grant *grant, enum relayed_slot slot, struct relayed *relayed)
{
    bool taken = true;
    if (wish->reservation != INDEX_NONE)
        relayed->address = request->server->reservations.at[wish->reservation].address;
    else
        taken = take_port(request, wish, grant->worker, relayed_family(slot), &relayed->address);
    assert(taken || wish->is_tcp);
    relayed->state = taken ? RELAYED_LIVE : RELAYED_NONE;
    return taken;
}

static unsigned refusal(const struct turn_server *server, unsigned slot)
{
    return family_is_served(server, relayed_family((enum relayed_slot)slot))
               ? STUN_ERROR_INSUFFICIENT_CAPACITY
               : STUN_ERROR_ADDRESS_FAMILY_NOT_SUPPORTED;
}

// False: of all that was granted nothing could be taken.
static bool take_ports(struct turn_request *request, const struct wish *wish, struct grant *grant)
{
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        struct relayed *relayed = &grant->relayed[slot];
        if ((wish->slots & SLOT_BIT(slot)) == 0)
            continue;
        if ((grant->slots & SLOT_BIT(slot)) == 0 ||
            !take_slot(request, wish, grant, (enum relayed_slot)slot, relayed))
            relayed->refused = refusal(request->server, slot) & 0xFFF;
    }
    return grant->relayed[RELAYED_V4].state == RELAYED_LIVE ||
           grant->relayed[RELAYED_V6].state == RELAYED_LIVE;
}

static void give_names(struct turn_server *server, const struct grant *grant)
{
    if (grant->identity != INDEX_NONE)
        identity_give(&server->identities, grant->identity);
    if (grant->user != INDEX_NONE)
        quota_give(&server->quota, QUOTA_ALLOCATIONS, grant->user);
    if (grant->reserving_user != INDEX_NONE)
        quota_give(&server->quota, QUOTA_RESERVATIONS, grant->reserving_user);
}

// False: out of memory.
static bool take_names(struct turn_request *request, const struct wish *wish, struct span user,
                       struct grant *grant)
{
    struct turn_server *server = request->server;
    struct span username = {.data = (const uint8_t *)request->username,
                            .len = strlen(request->username)};
    bool reserves = wish->ports == RELAY_PORT_PAIR;
    grant->identity =
        identity_take(&server->identities, username, request->algorithm, &request->key);
    grant->user = quota_take(&server->quota, QUOTA_ALLOCATIONS, user);
    grant->reserving_user =
        reserves ? quota_take(&server->quota, QUOTA_RESERVATIONS, user) : INDEX_NONE;
    if (grant->identity != INDEX_NONE && grant->user != INDEX_NONE &&
        reserves == (grant->reserving_user != INDEX_NONE))
        return true;
    give_names(server, grant);
    return false;
}

// Check 10. A place that comes free is free for the next one who asks.
static unsigned refuse(struct turn_request *request, enum quota_refusal why, struct span user)
{
    struct turn_server *server = request->server;
    server->counters.quota_refusals[why]++;
    request->output->refusal = why;
    request->output->refused_user = name_table_find(&server->quota.users, user);
    return STUN_ERROR_ALLOCATION_QUOTA_REACHED;
}

// Checks 8, 9 and 10 as far as they are about what is left.
static unsigned make_grant(struct turn_request *request, const struct wish *wish,
                           struct grant *grant)
{
    struct turn_server *server = request->server;
    struct span user = credentials_quota_name(server->config.credentials, request->username);

    enum quota_refusal quota_refusal = quota_check(&server->quota, user);
    if (quota_refusal != QUOTA_NOT_REFUSED)
        return refuse(request, quota_refusal, user);
    if (wish->ports == RELAY_PORT_PAIR && (!reservation_table_has_room(&server->reservations) ||
                                           !quota_allows(&server->quota, QUOTA_RESERVATIONS, user)))
        return STUN_ERROR_INSUFFICIENT_CAPACITY;
    if (!choose_ports(request, wish, grant) || !take_names(request, wish, user, grant))
        return STUN_ERROR_INSUFFICIENT_CAPACITY;
    if (take_ports(request, wish, grant))
        return 0;
    give_names(server, grant);
    return STUN_ERROR_INSUFFICIENT_CAPACITY;
}

static void start_relayed(struct turn_request *request, const struct wish *wish,
                          struct allocation *allocation)
{
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        if (allocation->relayed[slot].state == RELAYED_LIVE)
            expiry_set(&request->server->expiry, expiry_relayed((enum relayed_slot)slot),
                       allocation->id, request->now, wish->lifetime_s);
    }
}

// The port above the even one waits for whoever brings the token.
static void reserve_next_port(struct turn_request *request, const struct wish *wish,
                              const struct grant *grant, struct allocation *allocation)
{
    struct turn_server *server = request->server;
    struct turn_relayed_address next =
        allocation->relayed[wish->slots & SLOT_V4 ? RELAYED_V4 : RELAYED_V6].address;
    next.port++;
    uint32_t reservation = reservation_create(&server->reservations, next, grant->reserving_user,
                                              &server->config.random);
    expiry_set(&server->expiry, EXPIRY_RESERVATION, reservation, request->now,
               TURN_RESERVATION_LIFETIME_S);
    allocation_set_reservation_token(&server->allocations, allocation,
                                     server->reservations.at[reservation].token);
}

static struct allocation *create(struct turn_request *request, const struct wish *wish,
                                 const struct grant *grant)
{
    struct turn_server *server = request->server;
    struct allocation *allocation =
        allocation_create(&server->allocations, &request->packet->five_tuple, grant->worker);

    memcpy(allocation->relayed, grant->relayed, sizeof(allocation->relayed));
    if (wish->is_tcp)
        allocation_set_tcp(&server->allocations, allocation);
    allocation->received_by = request->packet->worker;
    allocation->identity = grant->identity;
    allocation->user = grant->user;
    allocation->started_ds = (uint32_t)(request->now->monotonic_ms / 100);
    memcpy(allocation->transaction_id, request->message.transaction_id, STUN_TRANSACTION_ID_LEN);
    start_relayed(request, wish, allocation);
    turn_counters_began(&server->counters, allocation->tuple.transport,
                        allocation_live_slots(allocation));
    if (wish->reservation != INDEX_NONE)
        teardown_redeem(server, wish->reservation);
    if (wish->ports == RELAY_PORT_PAIR)
        reserve_next_port(request, wish, grant, allocation);
    turn_output_install_allocation(request->output, &server->allocations, &server->quota,
                                   allocation);
    request->output->has_started = true;
    request->output->started_id = allocation->id;
    return allocation;
}

static void add_relayed_addresses(const struct turn_request *request,
                                  const struct allocation *allocation, struct stun_builder *builder)
{
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        const struct relayed *relayed = &allocation->relayed[slot];
        if (relayed->state != RELAYED_LIVE)
            continue;
        struct transport_address address = {
            .ip = request->server->config.relays[relayed->address.relay].advertised,
            .port = relayed->address.port,
        };
        stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_RELAYED_ADDRESS, &address);
    }
}

static void add_address_errors(const struct allocation *allocation, struct stun_builder *builder)
{
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        if (allocation->relayed[slot].refused != 0)
            stun_add_address_error_code(builder, relayed_family((enum relayed_slot)slot),
                                        allocation->relayed[slot].refused);
    }
}

static uint32_t lifetime_left_s(const struct turn_request *request,
                                const struct allocation *allocation)
{
    uint32_t longest_s = 0;
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        if (allocation->relayed[slot].state != RELAYED_LIVE)
            continue;
        uint32_t left_s =
            expiry_left_s(&request->server->expiry, expiry_relayed((enum relayed_slot)slot),
                          allocation->id, request->now);
        if (left_s > longest_s)
            longest_s = left_s;
    }
    return longest_s;
}

// From the allocation alone, so that a retransmission is answered alike.
static void answer(struct turn_request *request, const struct allocation *allocation)
{
    const uint8_t *token = allocation_reservation_token(&request->server->allocations, allocation);
    struct stun_builder builder;
    response_begin_success(request, &builder);
    add_relayed_addresses(request, allocation, &builder);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, lifetime_left_s(request, allocation));
    if (token != NULL)
        stun_add_bytes(&builder, STUN_ATTRIBUTE_RESERVATION_TOKEN, token, RESERVATION_TOKEN_LEN);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS,
                         &request->packet->five_tuple.client);
    add_address_errors(allocation, &builder);
    response_end(request, &builder);
}

static bool is_retransmission(const struct turn_request *request)
{
    return request->is_owner &&
           memcmp(request->allocation->transaction_id, request->message.transaction_id,
                  STUN_TRANSACTION_ID_LEN) == 0;
}

unsigned turn_allocate(struct turn_request *request)
{
    struct wish wish = {0};
    struct grant grant = {0};

    if (request->allocation != NULL) {
        if (!is_retransmission(request))
            return STUN_ERROR_ALLOCATION_MISMATCH;
        answer(request, request->allocation);
        return 0;
    }
    if (is_tunneled(&request->packet->five_tuple.client.ip))
        return STUN_ERROR_FORBIDDEN;
    unsigned error = read_wish(request, &wish);
    if (error == 0)
        error = redirect_error(request, wish.reservation != INDEX_NONE);
    if (error == 0)
        error = make_grant(request, &wish, &grant);
    if (error != 0)
        return error;
    answer(request, create(request, &wish, &grant));
    return 0;
}
