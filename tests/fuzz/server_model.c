// SPDX-License-Identifier: BSD-3-Clause
// See server_model.h.
#include "server_model.h"

#include "base/port_slice.h"
#include "fuzz.h"
#include "proto/message.h"
#include "proto/stun.h"

#include <errno.h>
#include <string.h>

void model_init(struct model *model, const struct turn_config *config)
{
    memset(model, 0, sizeof(*model));
    model->config = config;
    model->room = config->limits;
}

// What starts now and lasts n seconds ends with the second that is n whole ones away.
static uint64_t deadline_s(const struct model *model, uint32_t lifetime_s)
{
    uint64_t seconds = model->now_ms / 1000;
    if (model->now_ms % 1000 != 0)
        seconds++;
    return seconds + lifetime_s;
}

static bool is_due(const struct model *model, uint64_t when_s)
{
    return when_s <= model->now_ms / 1000;
}

struct model_allocation *model_find(struct model *model, const struct five_tuple *five_tuple)
{
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        if (model->allocations[i].live &&
            five_tuple_equal(&model->allocations[i].five_tuple, five_tuple))
            return &model->allocations[i];
    }
    return NULL;
}

static struct model_reservation *find_token(struct model *model, const uint8_t *token)
{
    for (unsigned i = 0; i < MODEL_RESERVATIONS; i++) {
        if (model->reservations[i].used && memcmp(model->reservations[i].token, token, 8) == 0)
            return &model->reservations[i];
    }
    return NULL;
}

static bool in_use(const struct model_allocation *allocation)
{
    return allocation->live || allocation->awaited > 0;
}

static bool holds(const struct model_relayed *relayed, uint16_t relay, uint32_t port)
{
    return relayed->live && relayed->relay == relay && relayed->port == port;
}

static bool port_is_free(const struct model *model, uint16_t relay, uint32_t port)
{
    const struct turn_relay *range = &model->config->relays[relay];
    if (port < range->min_port || port > range->max_port)
        return false;
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        const struct model_allocation *allocation = &model->allocations[i];
        for (unsigned slot = 0; slot < 2 && !allocation->is_tcp; slot++) {
            if (holds(&allocation->relayed[slot], relay, port) ||
                holds(&allocation->gone[slot], relay, port))
                return false;
        }
    }
    for (unsigned i = 0; i < MODEL_RESERVATIONS; i++) {
        const struct model_reservation *reservation = &model->reservations[i];
        if (reservation->used && reservation->relay == relay && reservation->port == port)
            return false;
    }
    return true;
}

// A port of the worker's that this request could be given?
static bool port_fits(const struct model *model, const struct model_request *request,
                      uint16_t worker, uint16_t relay, uint32_t port)
{
    if (port_slice_worker((uint16_t)port, model->config->worker_count) != worker ||
        !port_is_free(model, relay, port))
        return false;
    if (request->even_port.form == MODEL_ABSENT)
        return true;
    return port % 2 == 0 && (request->even_port.value == 0 || port_is_free(model, relay, port + 1));
}

static bool relay_has_port(const struct model *model, const struct model_request *request,
                           uint16_t worker, uint16_t relay)
{
    const struct turn_relay *range = &model->config->relays[relay];
    for (uint32_t port = range->min_port; port <= range->max_port; port++) {
        if (port_fits(model, request, worker, relay, port))
            return true;
    }
    return false;
}

static uint16_t family_of(unsigned slot)
{
    return slot == 0 ? IP_FAMILY_V4 : IP_FAMILY_V6;
}

static bool family_is_served(const struct model *model, unsigned slot)
{
    for (uint16_t relay = 0; relay < model->config->relay_count; relay++) {
        if (model->config->relays[relay].local.family == family_of(slot))
            return true;
    }
    return false;
}

static bool family_has_port(const struct model *model, const struct model_request *request,
                            uint16_t worker, unsigned slot)
{
    for (uint16_t relay = 0; relay < model->config->relay_count; relay++) {
        if (model->config->relays[relay].local.family == family_of(slot) &&
            relay_has_port(model, request, worker, relay))
            return true;
    }
    return false;
}

static unsigned count_allocations(const struct model *model, int worker)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++)
        count += in_use(&model->allocations[i]) &&
                 (worker < 0 || model->allocations[i].worker == worker);
    return count;
}

static unsigned count_live(const struct model *model)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++)
        count += model->allocations[i].live;
    return count;
}

// The TCP allocation that listens there, or NULL.
static struct model_allocation *find_listening(struct model *model, uint16_t relay, uint32_t port)
{
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        struct model_allocation *allocation = &model->allocations[i];
        if (allocation->live && allocation->is_tcp &&
            (holds(&allocation->relayed[0], relay, port) ||
             holds(&allocation->relayed[1], relay, port)))
            return allocation;
    }
    return NULL;
}

int model_listen(struct model *model, uint32_t allocation, struct turn_relayed_address address)
{
    struct model_kernel *kernel = &model->kernel;
    const struct turn_relay *range = &model->config->relays[address.relay];
    REQUIRE(address.relay < model->config->relay_count);
    REQUIRE(address.port >= range->min_port && address.port <= range->max_port);
    REQUIRE(find_listening(model, address.relay, address.port) == NULL);
    REQUIRE(kernel->count == 0 || kernel->allocation == allocation);
    REQUIRE(kernel->count < 2 * TURN_RELAYS_MAX);
    for (unsigned i = 0; i < kernel->count; i++)
        REQUIRE(kernel->addresses[i].relay != address.relay ||
                kernel->addresses[i].port != address.port);
    unsigned call = kernel->count++;
    kernel->allocation = allocation;
    kernel->addresses[call] = address;
    kernel->granted[call] = call >= kernel->refusals;
    if (kernel->granted[call])
        return 0;
    return kernel->is_exhausted ? -EMFILE : -EADDRINUSE;
}

// Which relayed addresses an allocation has.
struct families {
    bool v4;
    bool v6;
};

// Could the worker own an allocation of these families, as this request wants it?
static bool worker_can_own(const struct model *model, const struct model_request *request,
                           uint16_t worker, struct families families)
{
    return count_allocations(model, worker) < model->config->limits.allocations_per_worker &&
           (!families.v4 || family_has_port(model, request, worker, 0)) &&
           (!families.v6 || family_has_port(model, request, worker, 1));
}

static bool somebody_can_own(const struct model *model, const struct model_request *request,
                             struct families families)
{
    bool somebody = false;
    for (uint16_t worker = 0; worker < model->config->worker_count; worker++)
        somebody |= worker_can_own(model, request, worker, families);
    return somebody;
}

// What is wanted, or of two families what one worker has, rather IPv4. Neither: nothing is to be
// had.
static struct families families_to_be_had(const struct model *model,
                                          const struct model_request *request)
{
    bool dual = request->additional_family.form == MODEL_GOOD;
    bool v6 = request->requested_family.form == MODEL_GOOD &&
              request->requested_family.value == MODEL_FAMILY_V6;
    struct families wanted = {.v4 = !v6, .v6 = v6 || dual};
    if (somebody_can_own(model, request, wanted))
        return wanted;
    wanted.v4 = dual && somebody_can_own(model, request, (struct families){.v4 = true});
    wanted.v6 =
        dual && !wanted.v4 && somebody_can_own(model, request, (struct families){.v6 = true});
    return wanted;
}

static unsigned count_held(const struct model *model, const char *quota_name, bool reservations)
{
    unsigned count = 0;
    for (unsigned i = 0; !reservations && i < MODEL_ALLOCATIONS; i++)
        count +=
            model->allocations[i].live && strcmp(model->allocations[i].quota_name, quota_name) == 0;
    for (unsigned i = 0; reservations && i < MODEL_RESERVATIONS; i++)
        count += model->reservations[i].used &&
                 strcmp(model->reservations[i].quota_name, quota_name) == 0;
    return count;
}

static unsigned count_reservations(const struct model *model)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_RESERVATIONS; i++)
        count += model->reservations[i].used;
    return count;
}

static unsigned count_permissions(const struct model_allocation *allocation)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_PERMISSIONS; i++)
        count += allocation->permissions[i].used;
    return count;
}

static unsigned count_channels(const struct model_allocation *allocation)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_CHANNELS; i++)
        count += allocation->channels[i].used;
    return count;
}

static unsigned count_worker(const struct model *model, uint16_t worker,
                             unsigned (*count_one)(const struct model_allocation *))
{
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        if (model->allocations[i].live && model->allocations[i].worker == worker)
            count += count_one(&model->allocations[i]);
    }
    return count;
}

// How many calls to listen() it takes at the relays of one family until there is a port, or none is
// left; each relay is left after eight, or at an error that no other port mends.
static bool family_listens(struct model *model, unsigned slot, unsigned *calls)
{
    const struct model_kernel *kernel = &model->kernel;
    for (uint16_t relay = 0; relay < model->config->relay_count; relay++) {
        const struct turn_relay *range = &model->config->relays[relay];
        unsigned left = kernel->is_exhausted ? 1 : 8;
        if (range->local.family != family_of(slot))
            continue;
        for (uint32_t port = range->min_port; port <= range->max_port && left > 0; port++) {
            if (find_listening(model, relay, port) != NULL)
                continue;
            left--;
            if ((*calls)++ >= kernel->refusals)
                return true;
        }
    }
    return false;
}

static struct families families_that_listen(struct model *model,
                                            const struct model_request *request)
{
    bool dual = request->additional_family.form == MODEL_GOOD;
    bool v6 = request->requested_family.form == MODEL_GOOD &&
              request->requested_family.value == MODEL_FAMILY_V6;
    unsigned calls = 0;
    struct families families = {0};
    if (!v6)
        families.v4 = family_listens(model, 0, &calls);
    if (v6 || dual)
        families.v6 = family_listens(model, 1, &calls);
    return families;
}

static unsigned count_connections(const struct model *model, int64_t allocation)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++)
        count += model->connections[i].state != MODEL_NO_CONNECTION &&
                 (allocation < 0 || model->connections[i].allocation == allocation);
    return count;
}

static bool connections_fit(const struct model *model, const struct model_allocation *allocation)
{
    return count_connections(model, -1) < model->config->limits.tcp_connections &&
           count_connections(model, allocation->id) <
               model->config->limits.tcp_connections_per_allocation;
}

static bool is_stream(const struct five_tuple *five_tuple)
{
    return five_tuple->transport == FIVE_TUPLE_TCP || five_tuple->transport == FIVE_TUPLE_TLS;
}

// Section 7.2, from check 2 on; RFC 6062 section 5.1.
static unsigned judge_allocate(struct model *model, const struct model_request *request)
{
    const struct turn_limits *limits = &model->config->limits;
    const struct model_allocation *existing = model_find(model, &request->five_tuple);
    const struct model_reservation *reservation = NULL;
    struct families families;
    unsigned wanted_slot = request->requested_family.value == MODEL_FAMILY_V6 ? 1 : 0;
    bool pair = request->even_port.form == MODEL_GOOD && request->even_port.value == 1;

    if (existing != NULL) {
        bool same = memcmp(existing->transaction_id, request->transaction_id, 12) == 0 &&
                    strcmp(existing->username, request->username) == 0;
        return same ? 0 : 437;
    }
    if (request->transport.form != MODEL_GOOD)
        return 400;
    bool tcp = request->transport.value == 6 && model->config->allow_tcp_relay;
    if (request->transport.value != 17 && !tcp)
        return 442;
    if (tcp && (!is_stream(&request->five_tuple) || request->dont_fragment ||
                request->even_port.form != MODEL_ABSENT || request->token.form != MODEL_ABSENT))
        return 400;
    if (request->token.form != MODEL_ABSENT) {
        if (request->token.form == MODEL_MALFORMED || request->even_port.form != MODEL_ABSENT ||
            request->requested_family.form != MODEL_ABSENT ||
            request->additional_family.form != MODEL_ABSENT)
            return 400;
        reservation = find_token(model, request->token_bytes);
        if (reservation == NULL)
            return 508;
    }
    if (request->requested_family.form != MODEL_ABSENT &&
        request->additional_family.form != MODEL_ABSENT)
        return 400;
    if (request->requested_family.form == MODEL_MALFORMED)
        return 400;
    if (request->requested_family.form == MODEL_GOOD &&
        request->requested_family.value == MODEL_FAMILY_OTHER)
        return 440;
    if (request->requested_family.form == MODEL_ABSENT)
        wanted_slot = 0;
    if (reservation == NULL && !family_is_served(model, wanted_slot))
        return 440;
    if (request->even_port.form == MODEL_MALFORMED ||
        (pair && request->additional_family.form != MODEL_ABSENT))
        return 400;
    if (request->additional_family.form == MODEL_MALFORMED ||
        (request->additional_family.form == MODEL_GOOD &&
         request->additional_family.value != MODEL_FAMILY_V6))
        return 400;
    if (request->lifetime.form == MODEL_MALFORMED)
        return 400;

    if (limits->allocations_per_user != 0 &&
        count_held(model, request->quota_name, false) >= limits->allocations_per_user)
        return 486;
    if (count_live(model) >= limits->allocations)
        return 486;
    // Those that wait for an acknowledgement have their places still.
    if (count_allocations(model, -1) >= model->room.allocations)
        return 508;
    if (pair && (count_reservations(model) >= model->room.allocations ||
                 (limits->allocations_per_user != 0 &&
                  count_held(model, request->quota_name, true) >= limits->allocations_per_user)))
        return 508;
    if (reservation != NULL) {
        uint16_t owner = port_slice_worker(reservation->port, model->config->worker_count);
        return worker_can_own(model, request, owner, (struct families){0}) ? 0 : 508;
    }
    if (tcp && !somebody_can_own(model, request, (struct families){0}))
        return 508;
    families = tcp ? families_that_listen(model, request) : families_to_be_had(model, request);
    return families.v4 || families.v6 ? 0 : 508;
}

static bool has_family(const struct model_allocation *allocation, uint16_t family)
{
    return (family == IP_FAMILY_V4 && allocation->relayed[0].live) ||
           (family == IP_FAMILY_V6 && allocation->relayed[1].live);
}

// Section 8.2.
static unsigned judge_refresh(const struct model_allocation *allocation,
                              const struct model_request *request)
{
    if (request->requested_family.form == MODEL_MALFORMED)
        return 400;
    if (request->requested_family.form == MODEL_GOOD) {
        uint32_t value = request->requested_family.value;
        if (!(value == MODEL_FAMILY_V4 && allocation->relayed[0].live) &&
            !(value == MODEL_FAMILY_V6 && allocation->relayed[1].live))
            return 443;
    }
    return request->lifetime.form == MODEL_MALFORMED ? 400 : 0;
}

static bool has_permission(const struct model_allocation *allocation, const struct ip_address *peer)
{
    for (unsigned i = 0; i < MODEL_PERMISSIONS; i++) {
        if (allocation->permissions[i].used &&
            ip_address_equal(&allocation->permissions[i].peer, peer))
            return true;
    }
    return false;
}

// Does the allocation, and its worker, hold so many permissions more? What it has it keeps,
// whatever the limit is now.
static bool permissions_fit(const struct model *model, const struct model_allocation *allocation,
                            unsigned more)
{
    const struct turn_limits *limits = &model->config->limits;
    return more == 0 ||
           (count_permissions(allocation) + more <= limits->permissions_per_allocation &&
            count_worker(model, allocation->worker, count_permissions) + more <=
                limits->permissions_per_worker);
}

// Section 10.2.
static unsigned judge_create_permission(const struct model *model,
                                        const struct model_allocation *allocation,
                                        const struct model_request *request)
{
    unsigned more = 0;
    if (request->peer_count == 0)
        return 400;
    for (unsigned i = 0; i < request->peer_count; i++) {
        if (request->peers[i].malformed)
            return 400;
    }
    for (unsigned i = 0; i < request->peer_count; i++) {
        if (!has_family(allocation, request->peers[i].address.ip.family))
            return 443;
    }
    for (unsigned i = 0; i < request->peer_count; i++) {
        if (!request->peers[i].ip_allowed)
            return 403;
    }
    if (request->peer_count > TURN_PEERS_PER_REQUEST_MAX)
        return 508;
    for (unsigned i = 0; i < request->peer_count; i++) {
        bool repeated = false;
        for (unsigned j = 0; j < i; j++)
            repeated |=
                ip_address_equal(&request->peers[i].address.ip, &request->peers[j].address.ip);
        more += !repeated && !has_permission(allocation, &request->peers[i].address.ip);
    }
    return permissions_fit(model, allocation, more) ? 0 : 508;
}

// Section 12.2.
static unsigned judge_channel_bind(const struct model *model,
                                   const struct model_allocation *allocation,
                                   const struct model_request *request)
{
    const struct turn_limits *limits = &model->config->limits;
    const struct model_peer *peer = &request->peers[0];
    bool bound = false;
    if (allocation->is_tcp)
        return 400;
    if (request->channel.form != MODEL_GOOD || request->peer_count == 0 || peer->malformed)
        return 400;
    if (request->channel.value < 0x4000 || request->channel.value > 0x4FFF)
        return 400;
    for (unsigned i = 0; i < MODEL_CHANNELS; i++) {
        const struct model_channel *channel = &allocation->channels[i];
        if (!channel->used)
            continue;
        bool same_number = channel->number == request->channel.value;
        bool same_peer = transport_address_equal(&channel->peer, &peer->address);
        if (same_number != same_peer)
            return 400;
        bound |= same_number;
    }
    if (!has_family(allocation, peer->address.ip.family))
        return 443;
    if (!peer->address_allowed)
        return 403;
    if (!bound &&
        (count_channels(allocation) >= limits->channels_per_allocation ||
         count_worker(model, allocation->worker, count_channels) >= limits->channels_per_worker))
        return 508;
    return permissions_fit(model, allocation, !has_permission(allocation, &peer->address.ip)) ? 0
                                                                                              : 508;
}

static struct model_connection *find_peer(struct model *model,
                                          const struct model_allocation *allocation,
                                          const struct transport_address *peer)
{
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        struct model_connection *connection = &model->connections[i];
        if (connection->state != MODEL_NO_CONNECTION && connection->allocation == allocation->id &&
            transport_address_equal(&connection->peer, peer))
            return connection;
    }
    return NULL;
}

// RFC 6062 section 5.2.
static unsigned judge_connect(struct model *model, const struct model_allocation *allocation,
                              const struct model_request *request)
{
    const struct model_peer *peer = &request->peers[0];
    if (!allocation->is_tcp || request->peer_count == 0 || peer->malformed)
        return 400;
    if (!has_family(allocation, peer->address.ip.family))
        return 443;
    if (!peer->address_allowed)
        return 403;
    if (find_peer(model, allocation, &peer->address) != NULL)
        return 446;
    // Nothing of this host but what listens for us.
    for (uint16_t relay = 0; relay < model->config->relay_count; relay++) {
        if (ip_address_equal(&model->config->relays[relay].advertised, &peer->address.ip) &&
            find_listening(model, relay, peer->address.port) == NULL)
            return 403;
    }
    return connections_fit(model, allocation) ? 0 : 508;
}

// RFC 6062 section 5.4.
static unsigned judge_connection_bind(struct model *model, const struct model_request *request)
{
    const struct model_connection *connection = NULL;
    if (request->connection.form == MODEL_GOOD)
        connection = model_find_connection(model, request->connection.value);
    if (connection != NULL &&
        strcmp(model_allocation_of(model, connection)->username, request->username) != 0)
        return 441;
    return connection != NULL && connection->state == MODEL_UNBOUND &&
                   is_stream(&request->five_tuple) &&
                   model_find(model, &request->five_tuple) == NULL
               ? 0
               : 400;
}

unsigned model_judge(struct model *model, const struct model_request *request)
{
    const struct model_allocation *allocation = model_find(model, &request->five_tuple);
    if (request->unknown_attribute)
        return 420;
    if (request->method == STUN_METHOD_CONNECTION_BIND)
        return judge_connection_bind(model, request);
    if (request->method == STUN_METHOD_ALLOCATE)
        return judge_allocate(model, request);
    if (allocation == NULL)
        return 437;
    if (strcmp(allocation->username, request->username) != 0)
        return 441;
    switch (request->method) {
    case STUN_METHOD_REFRESH:
        return judge_refresh(allocation, request);
    case STUN_METHOD_CREATE_PERMISSION:
        return judge_create_permission(model, allocation, request);
    case STUN_METHOD_CONNECT:
        return judge_connect(model, allocation, request);
    default:
        return judge_channel_bind(model, allocation, request);
    }
}

static uint32_t granted_lifetime_s(const struct model *model, const struct model_request *request)
{
    const struct turn_limits *limits = &model->config->limits;
    uint32_t lifetime_s = limits->default_lifetime_s;
    if (request->lifetime.form == MODEL_GOOD) {
        uint32_t proposed_s = request->lifetime.value;
        if (proposed_s > limits->max_lifetime_s)
            proposed_s = limits->max_lifetime_s;
        if (proposed_s > lifetime_s)
            lifetime_s = proposed_s;
    }
    return lifetime_s;
}

// The n-th XOR-RELAYED-ADDRESS; false when there are not so many.
static bool read_relayed(const struct stun_message *response, unsigned n,
                         struct transport_address *ret_address)
{
    uint32_t cursor = 0;
    struct stun_attribute_view attribute;
    while (stun_message_next(response, &cursor, &attribute)) {
        if (attribute.type != STUN_ATTRIBUTE_XOR_RELAYED_ADDRESS || n-- > 0)
            continue;
        REQUIRE(stun_decode_xor_address(attribute.value, response->transaction_id, ret_address));
        return true;
    }
    return false;
}

static uint16_t relay_of(const struct model *model, const struct ip_address *advertised)
{
    for (uint16_t relay = 0; relay < model->config->relay_count; relay++) {
        if (ip_address_equal(&model->config->relays[relay].advertised, advertised))
            return relay;
    }
    REQUIRE(!"an address of no relay");
    return 0;
}

static void require_lifetime(const struct stun_message *response, uint64_t lifetime_s)
{
    uint32_t told_s;
    REQUIRE(stun_message_u32(response, STUN_ATTRIBUTE_LIFETIME, &told_s) == STUN_VALUE_OK);
    REQUIRE(told_s == lifetime_s);
}

// The response to an Allocate, held against the allocation.
static void require_allocate_response(const struct model *model,
                                      const struct model_allocation *allocation,
                                      const struct stun_message *response)
{
    unsigned n = 0;
    uint64_t left_s = 0;
    uint64_t started_s = deadline_s(model, 0);
    struct transport_address address;
    struct span value;
    uint8_t token[8];

    for (unsigned slot = 0; slot < 2; slot++) {
        const struct model_relayed *relayed = &allocation->relayed[slot];
        if (!relayed->live)
            continue;
        REQUIRE(read_relayed(response, n++, &address));
        REQUIRE(address.port == relayed->port);
        REQUIRE(ip_address_equal(&address.ip, &model->config->relays[relayed->relay].advertised));
        if (relayed->deadline_s > started_s && relayed->deadline_s - started_s > left_s)
            left_s = relayed->deadline_s - started_s;
    }
    REQUIRE(!read_relayed(response, n, &address));
    require_lifetime(response, left_s);
    REQUIRE(stun_message_xor_address(response, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &address) ==
            STUN_VALUE_OK);
    REQUIRE(transport_address_equal(&address, &allocation->five_tuple.client));
    bool has_token = stun_message_reservation_token(response, token) == STUN_VALUE_OK;
    REQUIRE(has_token == allocation->has_token);
    REQUIRE(!has_token || memcmp(token, allocation->token, 8) == 0);
    bool has_error = stun_message_find(response, STUN_ATTRIBUTE_ADDRESS_ERROR_CODE, &value);
    unsigned refused_slot = allocation->relayed[1].refused != 0 ? 1 : 0;
    unsigned refused = allocation->relayed[refused_slot].refused;
    REQUIRE(has_error == (refused != 0));
    REQUIRE(!has_error ||
            (value.data[0] == refused_slot + 1 && value.data[2] * 100u + value.data[3] == refused));
}

static struct model_allocation *free_place(struct model *model)
{
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        if (!in_use(&model->allocations[i]))
            return &model->allocations[i];
    }
    REQUIRE(!"more allocations than the limit");
    return NULL;
}

// An address that the server has chosen, at whichever relay of the family: it was free and the
// owner's, and it is what was asked for.
static void take_relayed(struct model *model, const struct model_request *request, uint16_t owner,
                         unsigned slot, const struct transport_address *address,
                         struct model_relayed *relayed)
{
    uint16_t relay = relay_of(model, &address->ip);
    REQUIRE(address->ip.family == family_of(slot));
    REQUIRE(port_fits(model, request, owner, relay, address->port));
    *relayed = (struct model_relayed){
        .live = true,
        .relay = relay,
        .port = address->port,
        .deadline_s = deadline_s(model, granted_lifetime_s(model, request)),
    };
}

static void follow_token(struct model *model, const struct model_request *request,
                         struct model_allocation *allocation, const struct stun_message *response)
{
    struct model_reservation *reservation = find_token(model, request->token_bytes);
    struct transport_address address;
    unsigned slot = model->config->relays[reservation->relay].local.family == IP_FAMILY_V6 ? 1 : 0;
    REQUIRE(read_relayed(response, 0, &address));
    REQUIRE(relay_of(model, &address.ip) == reservation->relay);
    REQUIRE(address.port == reservation->port);
    allocation->worker = port_slice_worker(reservation->port, model->config->worker_count);
    allocation->relayed[slot] = (struct model_relayed){
        .live = true,
        .relay = reservation->relay,
        .port = reservation->port,
        .deadline_s = deadline_s(model, granted_lifetime_s(model, request)),
    };
    reservation->used = false;
}

// Any worker with room may have become the owner, unless the receiving one has room.
static void follow_owner(const struct model *model, const struct model_request *request,
                         struct families families, struct model_allocation *allocation,
                         const struct turn_output *output)
{
    uint16_t owner = output->commands[0].worker;
    REQUIRE(worker_can_own(model, request, owner, families));
    REQUIRE(owner == request->worker || !worker_can_own(model, request, request->worker, families));
    allocation->worker = owner;
}

static void follow_families(struct model *model, const struct model_request *request,
                            struct model_allocation *allocation, const struct turn_output *output,
                            const struct stun_message *response)
{
    struct families given = families_to_be_had(model, request);
    bool is_given[2] = {given.v4, given.v6};
    struct model_relayed taken[2] = {0};
    unsigned n = 0;
    follow_owner(model, request, given, allocation, output);
    for (unsigned slot = 0; slot < 2; slot++) {
        struct transport_address address;
        if (is_given[slot]) {
            REQUIRE(read_relayed(response, n++, &address));
            take_relayed(model, request, allocation->worker, slot, &address, &taken[slot]);
        } else if (request->additional_family.form == MODEL_GOOD) {
            taken[slot].refused = family_is_served(model, slot) ? 508 : 440;
        }
    }
    memcpy(allocation->relayed, taken, sizeof(taken));
}

static void follow_reservation(struct model *model, const struct model_request *request,
                               struct model_allocation *allocation,
                               const struct stun_message *response)
{
    const struct model_relayed *even = &allocation->relayed[allocation->relayed[0].live ? 0 : 1];
    allocation->has_token = true;
    REQUIRE(stun_message_reservation_token(response, allocation->token) == STUN_VALUE_OK);
    REQUIRE(find_token(model, allocation->token) == NULL);
    for (unsigned i = 0; i < MODEL_RESERVATIONS; i++) {
        struct model_reservation *reservation = &model->reservations[i];
        if (reservation->used)
            continue;
        *reservation = (struct model_reservation){
            .used = true,
            .relay = even->relay,
            .port = even->port + 1,
            .deadline_s = deadline_s(model, 30),
            .quota_name = request->quota_name,
        };
        memcpy(reservation->token, allocation->token, 8);
        return;
    }
    REQUIRE(!"more reservations than the limit");
}

// The receiving worker's place, or else one of the worker with the fewest allocations.
static uint16_t place_of_tcp(const struct model *model, const struct model_request *request)
{
    uint16_t owner = request->worker;
    if (worker_can_own(model, request, owner, (struct families){0}))
        return owner;
    for (uint16_t worker = 0; worker < model->config->worker_count; worker++) {
        if (count_allocations(model, worker) < count_allocations(model, owner))
            owner = worker;
    }
    return owner;
}

// What the kernel has granted is what the client is told.
static void follow_listening(struct model *model, const struct model_request *request,
                             struct model_allocation *allocation)
{
    const struct model_kernel *kernel = &model->kernel;
    for (unsigned i = 0; i < kernel->count; i++) {
        if (!kernel->granted[i])
            continue;
        uint16_t relay = kernel->addresses[i].relay;
        unsigned slot = model->config->relays[relay].local.family == IP_FAMILY_V6 ? 1 : 0;
        REQUIRE(!allocation->relayed[slot].live);
        allocation->relayed[slot] = (struct model_relayed){
            .live = true,
            .relay = relay,
            .port = kernel->addresses[i].port,
            .deadline_s = deadline_s(model, granted_lifetime_s(model, request)),
        };
    }
}

static void follow_tcp(struct model *model, const struct model_request *request,
                       struct model_allocation *allocation)
{
    struct families expected = families_that_listen(model, request);
    bool dual = request->additional_family.form == MODEL_GOOD;
    allocation->worker = place_of_tcp(model, request);
    follow_listening(model, request, allocation);
    REQUIRE(allocation->relayed[0].live == expected.v4);
    REQUIRE(allocation->relayed[1].live == expected.v6);
    for (unsigned slot = 0; slot < 2 && dual; slot++) {
        if (!allocation->relayed[slot].live)
            allocation->relayed[slot].refused = family_is_served(model, slot) ? 508 : 440;
    }
}

static void follow_allocate(struct model *model, const struct model_request *request,
                            const struct turn_output *output, const struct stun_message *response)
{
    struct model_allocation *allocation = model_find(model, &request->five_tuple);
    if (allocation == NULL) {
        bool tcp = request->transport.value == 6;
        REQUIRE(output->command_count == (tcp ? 0 : 1));
        uint32_t id = tcp ? model->kernel.allocation : output->commands[0].allocation;
        REQUIRE(id < model->room.allocations);
        for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++)
            REQUIRE(!in_use(&model->allocations[i]) || model->allocations[i].id != id);
        allocation = free_place(model);
        struct model_allocation made = {
            .live = true,
            .is_tcp = tcp,
            .id = id,
            .five_tuple = request->five_tuple,
            .username = request->username,
            .quota_name = request->quota_name,
            .algorithm = request->algorithm,
            .received_by = request->worker,
        };
        memcpy(made.transaction_id, request->transaction_id, 12);
        if (tcp)
            follow_tcp(model, request, &made);
        else if (request->token.form == MODEL_GOOD)
            follow_token(model, request, &made, response);
        else
            follow_families(model, request, &made, output, response);
        *allocation = made;
        if (request->even_port.form == MODEL_GOOD && request->even_port.value == 1)
            follow_reservation(model, request, allocation, response);
    }
    require_allocate_response(model, allocation, response);
}

// Permissions, channels and connections of one family go with its relayed address.
static void forget_family(struct model *model, struct model_allocation *allocation, uint16_t family)
{
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        struct model_connection *connection = &model->connections[i];
        if (connection->allocation == allocation->id && connection->peer.ip.family == family &&
            allocation->is_tcp)
            connection->state = MODEL_NO_CONNECTION;
    }
    for (unsigned i = 0; i < MODEL_PERMISSIONS; i++) {
        if (allocation->permissions[i].peer.family == family)
            allocation->permissions[i].used = false;
    }
    for (unsigned i = 0; i < MODEL_CHANNELS; i++) {
        if (allocation->channels[i].peer.ip.family == family)
            allocation->channels[i].used = false;
    }
}

static void remove_whole(struct model *model, struct model_allocation *allocation)
{
    forget_family(model, allocation, IP_FAMILY_V4);
    forget_family(model, allocation, IP_FAMILY_V6);
    allocation->live = false;
    if (allocation->is_tcp) { // nobody is to acknowledge it
        *allocation = (struct model_allocation){0};
        return;
    }
    allocation->whole_removed = true;
    allocation->awaited++;
}

static void remove_slots(struct model *model, struct model_allocation *allocation, bool v4, bool v6)
{
    bool gone[2] = {v4 && allocation->relayed[0].live, v6 && allocation->relayed[1].live};
    if (!gone[0] && !gone[1])
        return;
    if ((gone[0] || !allocation->relayed[0].live) && (gone[1] || !allocation->relayed[1].live)) {
        remove_whole(model, allocation);
        return;
    }
    unsigned slot = gone[0] ? 0 : 1;
    forget_family(model, allocation, family_of(slot));
    if (!allocation->is_tcp)
        allocation->gone[slot] = allocation->relayed[slot];
    allocation->relayed[slot] = (struct model_relayed){0};
    if (allocation->is_tcp)
        return;
    allocation->awaited++;
}

static void follow_refresh(struct model *model, const struct model_request *request,
                           const struct stun_message *response)
{
    struct model_allocation *allocation = model_find(model, &request->five_tuple);
    bool any = request->requested_family.form == MODEL_ABSENT;
    bool v4 = any || request->requested_family.value == MODEL_FAMILY_V4;
    bool v6 = any || request->requested_family.value == MODEL_FAMILY_V6;
    if (request->lifetime.form == MODEL_GOOD && request->lifetime.value == 0) {
        require_lifetime(response, 0);
        remove_slots(model, allocation, v4, v6);
        return;
    }
    uint32_t lifetime_s = granted_lifetime_s(model, request);
    require_lifetime(response, lifetime_s);
    if (v4 && allocation->relayed[0].live)
        allocation->relayed[0].deadline_s = deadline_s(model, lifetime_s);
    if (v6 && allocation->relayed[1].live)
        allocation->relayed[1].deadline_s = deadline_s(model, lifetime_s);
}

static void permit(struct model *model, struct model_allocation *allocation,
                   const struct ip_address *peer)
{
    struct model_permission *place = NULL;
    for (unsigned i = 0; i < MODEL_PERMISSIONS; i++) {
        struct model_permission *permission = &allocation->permissions[i];
        if (permission->used && ip_address_equal(&permission->peer, peer)) {
            permission->deadline_s = deadline_s(model, 300);
            return;
        }
        if (!permission->used)
            place = permission;
    }
    REQUIRE(place != NULL);
    *place = (struct model_permission){
        .used = true, .peer = *peer, .deadline_s = deadline_s(model, 300)};
}

static void follow_channel_bind(struct model *model, const struct model_request *request)
{
    struct model_allocation *allocation = model_find(model, &request->five_tuple);
    struct model_channel *place = NULL;
    permit(model, allocation, &request->peers[0].address.ip);
    for (unsigned i = 0; i < MODEL_CHANNELS; i++) {
        struct model_channel *channel = &allocation->channels[i];
        if (channel->used && channel->number == request->channel.value) {
            channel->deadline_s = deadline_s(model, 600);
            return;
        }
        if (!channel->used)
            place = channel;
    }
    REQUIRE(place != NULL);
    *place = (struct model_channel){
        .used = true,
        .number = (uint16_t)request->channel.value,
        .peer = request->peers[0].address,
        .deadline_s = deadline_s(model, 600),
    };
}

struct model_connection *model_find_connection(struct model *model, uint32_t id)
{
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        if (model->connections[i].state != MODEL_NO_CONNECTION && model->connections[i].id == id)
            return &model->connections[i];
    }
    return NULL;
}

struct model_connection *model_find_data(struct model *model, const struct five_tuple *client)
{
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        if (model->connections[i].state == MODEL_BOUND &&
            five_tuple_equal(&model->connections[i].client, client))
            return &model->connections[i];
    }
    return NULL;
}

static struct model_allocation *find_id(struct model *model, uint32_t id)
{
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        if (model->allocations[i].live && model->allocations[i].id == id)
            return &model->allocations[i];
    }
    return NULL;
}

struct model_allocation *model_allocation_of(struct model *model,
                                             const struct model_connection *connection)
{
    return find_id(model, connection->allocation);
}

static void add_connection(struct model *model, enum model_connection_state state,
                           uint32_t allocation, uint32_t id, const struct transport_address *peer)
{
    REQUIRE(model_find_connection(model, id) == NULL);
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        if (model->connections[i].state != MODEL_NO_CONNECTION)
            continue;
        model->connections[i] = (struct model_connection){
            .state = state,
            .id = id,
            .allocation = allocation,
            .peer = *peer,
            .deadline_s = deadline_s(model, 30),
        };
        return;
    }
    REQUIRE(!"more connections than the limit");
}

void model_connected(struct model *model, struct model_connection *connection)
{
    connection->state = MODEL_UNBOUND;
    connection->deadline_s = deadline_s(model, 30);
}

// RFC 6062 section 5.3.
bool model_judge_accept(struct model *model, uint32_t id, struct turn_relayed_address relayed,
                        const struct transport_address *seen, struct transport_address *ret_peer)
{
    const struct model_allocation *allocation = find_id(model, id);
    struct transport_address peer = *seen;
    if (allocation == NULL || find_listening(model, relayed.relay, relayed.port) != allocation)
        return false;
    for (uint16_t relay = 0; relay < model->config->relay_count; relay++) {
        if (ip_address_equal(&model->config->relays[relay].local, &seen->ip) &&
            find_listening(model, relay, seen->port) != NULL)
            peer.ip = model->config->relays[relay].advertised;
    }
    *ret_peer = peer;
    return has_permission(allocation, &peer.ip) && find_peer(model, allocation, &peer) == NULL &&
           connections_fit(model, allocation);
}

void model_accept(struct model *model, uint32_t allocation, uint32_t connection,
                  const struct transport_address *peer)
{
    add_connection(model, MODEL_UNBOUND, allocation, connection, peer);
}

// There is no response yet.
static void follow_connect(struct model *model, const struct model_request *request,
                           const struct turn_output *output)
{
    const struct model_allocation *allocation = model_find(model, &request->five_tuple);
    const struct transport_address *peer = &request->peers[0].address;
    const struct model_relayed *from =
        &allocation->relayed[peer->ip.family == IP_FAMILY_V6 ? 1 : 0];
    struct transport_address local = *peer;
    REQUIRE(output->command_count == 1 && output->commands[0].kind == TURN_COMMAND_TCP_CONNECT);
    REQUIRE(output->commands[0].allocation == allocation->id);
    REQUIRE(holds(from, output->commands[0].tcp_connect.from.relay,
                  output->commands[0].tcp_connect.from.port));
    for (uint16_t relay = 0; relay < model->config->relay_count; relay++) {
        if (ip_address_equal(&model->config->relays[relay].advertised, &peer->ip))
            local.ip = model->config->relays[relay].local;
    }
    REQUIRE(transport_address_equal(&output->commands[0].tcp_connect.peer, &local));
    add_connection(model, MODEL_CONNECTING, allocation->id,
                   output->commands[0].tcp_connect.connection, peer);
}

static void follow_connection_bind(struct model *model, const struct model_request *request,
                                   const struct turn_output *output)
{
    struct model_connection *connection = model_find_connection(model, request->connection.value);
    REQUIRE(output->command_count == 1 && output->commands[0].kind == TURN_COMMAND_TCP_BIND);
    REQUIRE(output->commands[0].tcp_bind.connection == connection->id);
    REQUIRE(five_tuple_equal(&output->commands[0].tcp_bind.client, &request->five_tuple));
    connection->state = MODEL_BOUND;
    connection->client = request->five_tuple;
}

void model_follow(struct model *model, const struct model_request *request,
                  const struct turn_output *output, const struct stun_message *response)
{
    switch (request->method) {
    case STUN_METHOD_ALLOCATE:
        follow_allocate(model, request, output, response);
        break;
    case STUN_METHOD_REFRESH:
        follow_refresh(model, request, response);
        break;
    case STUN_METHOD_CREATE_PERMISSION:
        for (unsigned i = 0; i < request->peer_count; i++)
            permit(model, model_find(model, &request->five_tuple), &request->peers[i].address.ip);
        break;
    case STUN_METHOD_CONNECT:
        follow_connect(model, request, output);
        break;
    case STUN_METHOD_CONNECTION_BIND:
        follow_connection_bind(model, request, output);
        break;
    default:
        follow_channel_bind(model, request);
        break;
    }
}

void model_move(struct model *model, const struct five_tuple *five_tuple, uint16_t worker)
{
    struct model_allocation *allocation = model_find(model, five_tuple);
    if (allocation != NULL)
        allocation->received_by = worker;
}

void model_expire(struct model *model)
{
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        struct model_allocation *allocation = &model->allocations[i];
        if (!allocation->live)
            continue;
        remove_slots(model, allocation, is_due(model, allocation->relayed[0].deadline_s),
                     is_due(model, allocation->relayed[1].deadline_s));
        for (unsigned j = 0; j < MODEL_PERMISSIONS; j++)
            allocation->permissions[j].used &=
                !is_due(model, allocation->permissions[j].deadline_s);
        for (unsigned j = 0; j < MODEL_CHANNELS; j++)
            allocation->channels[j].used &= !is_due(model, allocation->channels[j].deadline_s);
    }
    for (unsigned i = 0; i < MODEL_RESERVATIONS; i++)
        model->reservations[i].used &= !is_due(model, model->reservations[i].deadline_s);
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        struct model_connection *connection = &model->connections[i];
        if (connection->state != MODEL_BOUND && is_due(model, connection->deadline_s))
            connection->state = MODEL_NO_CONNECTION;
    }
}

void model_disconnect(struct model *model, const struct five_tuple *five_tuple)
{
    struct model_allocation *allocation = model_find(model, five_tuple);
    struct model_connection *connection = model_find_data(model, five_tuple);
    if (allocation != NULL)
        remove_whole(model, allocation);
    if (connection != NULL)
        connection->state = MODEL_NO_CONNECTION;
}

void model_revoke(struct model *model, bool (*is_denied)(const struct ip_address *peer))
{
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        struct model_allocation *allocation = &model->allocations[i];
        for (unsigned j = 0; j < MODEL_PERMISSIONS; j++)
            allocation->permissions[j].used &= !is_denied(&allocation->permissions[j].peer);
        for (unsigned j = 0; j < MODEL_CHANNELS; j++)
            allocation->channels[j].used &= !is_denied(&allocation->channels[j].peer.ip);
    }
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        if (is_denied(&model->connections[i].peer.ip))
            model->connections[i].state = MODEL_NO_CONNECTION;
    }
}

void model_acknowledge(struct model *model, uint32_t id, unsigned slot)
{
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        struct model_allocation *allocation = &model->allocations[i];
        if (allocation->id != id || !in_use(allocation))
            continue;
        if (slot < 2) {
            REQUIRE(allocation->gone[slot].live);
            allocation->gone[slot].live = false;
        } else {
            REQUIRE(allocation->whole_removed);
            allocation->whole_removed = false;
            memset(allocation->relayed, 0, sizeof(allocation->relayed));
        }
        allocation->awaited--;
        return;
    }
    REQUIRE(!"an acknowledgement of nothing");
}

static void earliest(uint64_t *next_s, bool runs, uint64_t when_s)
{
    if (runs && when_s < *next_s)
        *next_s = when_s;
}

uint64_t model_next_expiry_ms(const struct model *model)
{
    uint64_t next_s = UINT64_MAX;
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        const struct model_allocation *allocation = &model->allocations[i];
        for (unsigned slot = 0; allocation->live && slot < 2; slot++)
            earliest(&next_s, allocation->relayed[slot].live, allocation->relayed[slot].deadline_s);
        for (unsigned j = 0; allocation->live && j < MODEL_PERMISSIONS; j++)
            earliest(&next_s, allocation->permissions[j].used,
                     allocation->permissions[j].deadline_s);
        for (unsigned j = 0; allocation->live && j < MODEL_CHANNELS; j++)
            earliest(&next_s, allocation->channels[j].used, allocation->channels[j].deadline_s);
    }
    for (unsigned i = 0; i < MODEL_RESERVATIONS; i++)
        earliest(&next_s, model->reservations[i].used, model->reservations[i].deadline_s);
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        enum model_connection_state state = model->connections[i].state;
        earliest(&next_s, state == MODEL_CONNECTING || state == MODEL_UNBOUND,
                 model->connections[i].deadline_s);
    }
    return next_s == UINT64_MAX ? UINT64_MAX : next_s * 1000;
}

static unsigned count_users(const struct model *model)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        bool seen = !model->allocations[i].live;
        for (unsigned j = 0; j < i && !seen; j++)
            seen = model->allocations[j].live &&
                   strcmp(model->allocations[i].quota_name, model->allocations[j].quota_name) == 0;
        count += !seen;
    }
    return count;
}

struct turn_usage model_usage(const struct model *model)
{
    struct turn_usage usage = {.reservations = count_reservations(model),
                               .users = count_users(model),
                               .tcp_connections = count_connections(model, -1)};
    usage.relay_ports = usage.reservations;
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        const struct model_allocation *allocation = &model->allocations[i];
        usage.allocations += allocation->live;
        usage.tcp_allocations += allocation->live && allocation->is_tcp;
        usage.pending_removals += allocation->awaited;
        for (unsigned slot = 0; slot < 2 && allocation->is_tcp; slot++)
            usage.tcp_ports += allocation->relayed[slot].live;
        for (unsigned slot = 0; slot < 2 && !allocation->is_tcp; slot++)
            usage.relay_ports += allocation->relayed[slot].live + allocation->gone[slot].live;
        if (!allocation->live)
            continue;
        usage.permissions += count_permissions(allocation);
        usage.channels += count_channels(allocation);
    }
    return usage;
}
