// SPDX-License-Identifier: BSD-3-Clause
// Claims about what workers are told, and in which order. Rings, next hops and frames are fakes:
// what is sent is written down.
#include "control/forwarder.h"

#include "exchange/client_home.h"
#include "exchange/reply.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SENT_MAX 600

static struct {
    struct command command;
    uint16_t worker;
} sent[SENT_MAX];
static unsigned sent_count;

static struct {
    uint32_t room[3];
    uint32_t next_adjacency;
    bool moved;
    uint8_t place;    // of the interface that next hops are behind
    unsigned changed; // adjacencies to be told
    struct ip_address last_source;
    unsigned replies, discards;
    int reply_error;
    struct client_key answered; // the last one that was answered late
    bool no_buffers;
} fake;

static int frame_bytes;
#define FRAME      ((struct rte_mbuf *)&frame_bytes)
#define LATE_FRAME ((struct rte_mbuf *)&fake)

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static struct transport_address transport(const char *text)
{
    struct transport_address address;

    assert_int_equal(transport_address_parse(text, &address), 0);
    return address;
}

uint32_t plane_command_room(const struct plane *plane, uint16_t worker)
{
    (void)plane;
    return fake.room[worker];
}

int plane_command_send(struct plane *plane, uint16_t worker, const struct command *command)
{
    (void)plane;
    assert_true(sent_count < SENT_MAX);
    if (fake.room[worker] == 0)
        return -ENOBUFS;
    fake.room[worker]--;
    sent[sent_count].worker = worker;
    sent[sent_count++].command = *command;
    return 0;
}

uint32_t next_hops_resolve(struct next_hops *hops, const struct ip_address *destination,
                           const struct ip_address *source, bool *ret_changed)
{
    (void)hops;
    (void)destination;
    fake.last_source = *source;
    *ret_changed = fake.moved;
    fake.changed++;
    return ++fake.next_adjacency;
}

bool next_hops_have_changed(const struct next_hops *hops)
{
    (void)hops;
    return fake.changed > 0;
}

bool next_hops_take_changed(struct next_hops *hops, uint32_t *ret_index,
                            struct adjacency *ret_adjacency)
{
    (void)hops;
    if (fake.changed == 0)
        return false;
    fake.changed--;
    *ret_index = fake.next_adjacency - fake.changed;
    *ret_adjacency = (struct adjacency){.mtu = 1500, .port = fake.place};
    return true;
}

int reply_frame(struct rte_mbuf *frame, uint16_t message_offset, const uint8_t *response,
                size_t response_len)
{
    assert_ptr_equal(frame, FRAME);
    assert_int_equal(message_offset, 42);
    assert_int_equal(response_len, 4);
    assert_memory_equal(response, "RESP", 4);
    fake.replies++;
    return fake.reply_error;
}

void punt_discard(const struct punt *punt)
{
    assert_ptr_equal(punt->message.frame, FRAME);
    fake.discards++;
}

struct rte_mbuf *stream_make_answer(struct plane *plane, const struct client_key *client,
                                    struct span message)
{
    (void)plane;
    assert_int_equal(message.len, 4);
    assert_memory_equal(message.data, "RESP", 4);
    fake.answered = *client;
    return fake.no_buffers ? NULL : LATE_FRAME;
}

static struct plane plane;
static const uint16_t ports[] = {10, 11, 12};
static const uint16_t relay_ports[] = {20, 21, 22};

static int set_up(void **state)
{
    const struct forwarder_config config = {
        .plane = &plane, .hops = NULL, .ports = {ports, relay_ports}};

    memset(&fake, 0, sizeof(fake));
    memset(&plane, 0, sizeof(plane));
    sent_count = 0;
    for (unsigned i = 0; i < 3; i++)
        fake.room[i] = 4095;
    plane.config.worker_count = 3;
    plane.config.allocations = 10;
    plane.config.listener_count = 2;
    plane.config.listeners[0] = transport("192.0.2.1:3478");
    plane.config.listeners[1] = transport("[2001:db8::1]:3478");
    plane.config.relay_count = 3;
    plane.config.relays[0].local = plane.config.relays[0].advertised = ip("192.0.2.1");
    plane.config.relays[1].local = ip("10.0.0.2");
    plane.config.relays[1].advertised = ip("203.0.113.9");
    plane.config.relays[2].local = plane.config.relays[2].advertised = ip("2001:db8::1");
    return forwarder_create(&config, (struct forwarder **)state);
}

static int tear_down(void **state)
{
    forwarder_destroy(*state);
    return 0;
}

static struct turn_output output;

static struct turn_command *add(uint16_t kind, uint16_t worker, uint32_t allocation)
{
    struct turn_command *command = &output.commands[output.command_count++];

    *command = (struct turn_command){.kind = kind, .worker = worker, .allocation = allocation};
    return command;
}

static void begin(void)
{
    memset(&output, 0, sizeof(output));
    sent_count = 0;
}

// A client whose home is that worker.
static struct transport_address client_of_home(uint16_t home)
{
    struct transport_address client = transport("198.51.100.2:1000");

    while (client_home(client.ip.bytes, client.port, plane.config.worker_count) != home)
        client.port++;
    return client;
}

static void add_allocation_of(struct transport_address client, uint16_t kind, uint16_t worker,
                              uint16_t received_by)
{
    struct turn_command *command = add(kind, worker, 5);

    command->allocation_info.five_tuple = (struct five_tuple){
        .client = client, .server = transport("192.0.2.1:3478"), .transport = FIVE_TUPLE_UDP};
    command->allocation_info.received_by = received_by;
    command->allocation_info.relayed_v4 = (struct turn_relayed_address){.relay = 1, .port = 50000};
}

// Of a client at home with the owner.
static void add_allocation(uint16_t kind, uint16_t worker, uint16_t received_by)
{
    add_allocation_of(client_of_home(worker), kind, worker, received_by);
}

static void carry_out(struct forwarder *forwarder)
{
    assert_true(forwarder_is_ready(forwarder));
    forwarder_carry_out(forwarder, &output, NULL);
}

static void assert_sent(unsigned at, enum command_kind kind, uint16_t worker)
{
    assert_in_range(at, 0, sent_count - 1);
    assert_int_equal(sent[at].command.kind, kind);
    assert_int_equal(sent[at].worker, worker);
}

static void an_allocation_is_installed_with_indices_for_addresses(void **state)
{
    const struct command *command = &sent[3].command;

    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 1);
    carry_out(*state);
    // Every worker knows the adjacency before one uses it, each with its own port.
    for (uint16_t worker = 0; worker < 3; worker++) {
        assert_sent(worker, COMMAND_SET_ADJACENCY, worker);
        assert_int_equal(sent[worker].command.set_adjacency.adjacency.port, ports[worker]);
    }
    assert_sent(3, COMMAND_INSTALL_ALLOCATION, 1);
    assert_int_equal(sent_count, 4);
    assert_int_equal(command->allocation, 5);
    assert_int_equal(command->install_allocation.adjacency, 1);
    assert_int_equal(command->install_allocation.client.listener, 0);
    assert_int_equal(command->install_allocation.client.address.port, client_of_home(1).port);
    assert_int_equal(command->install_allocation.relay_v4, 1);
    assert_int_equal(command->install_allocation.relay_v4_port, 50000);
    assert_int_equal(command->install_allocation.relay_v6, RELAY_NONE);
}

static void a_next_hop_behind_the_second_interface_is_behind_the_second_ports(void **state)
{
    begin();
    fake.place = 1;
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 1);
    carry_out(*state);
    for (uint16_t worker = 0; worker < 3; worker++) {
        assert_sent(worker, COMMAND_SET_ADJACENCY, worker);
        assert_int_equal(sent[worker].command.set_adjacency.adjacency.port, relay_ports[worker]);
    }
}

static void steering_comes_before_what_it_steers_to(void **state)
{
    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 2);
    carry_out(*state);
    assert_sent(3, COMMAND_INSTALL_STEERING, 2);
    assert_int_equal(sent[3].command.steering.owner, 1);
    assert_int_equal(sent[3].command.steering.client.address.port, client_of_home(1).port);
    assert_sent(4, COMMAND_INSTALL_ALLOCATION, 1);
}

static void steering_follows_the_client_and_goes_with_the_allocation(void **state)
{
    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 2);
    carry_out(*state);
    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 0);
    carry_out(*state);
    assert_sent(3, COMMAND_REMOVE_STEERING, 2);
    assert_sent(4, COMMAND_INSTALL_STEERING, 0);
    assert_sent(5, COMMAND_INSTALL_ALLOCATION, 1);
    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 1); // back on its owner's queue
    carry_out(*state);
    assert_sent(3, COMMAND_REMOVE_STEERING, 0);
    assert_sent(4, COMMAND_INSTALL_ALLOCATION, 1);
    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 0);
    carry_out(*state);
    begin();
    add_allocation(TURN_COMMAND_REMOVE_ALLOCATION, 1, 0);
    carry_out(*state);
    assert_sent(0, COMMAND_REMOVE_ALLOCATION, 1);
    assert_sent(1, COMMAND_REMOVE_STEERING, 0);
    assert_int_equal(sent_count, 2);
}

static void the_home_of_a_client_is_told_whose_it_is(void **state)
{
    begin();
    add_allocation_of(client_of_home(0), TURN_COMMAND_INSTALL_ALLOCATION, 1, 1);
    carry_out(*state);
    assert_sent(3, COMMAND_INSTALL_STEERING, 0);
    assert_int_equal(sent[3].command.steering.owner, 1);
    assert_int_equal(sent[3].command.steering.client.address.port, client_of_home(0).port);
    assert_sent(4, COMMAND_INSTALL_ALLOCATION, 1);
    assert_int_equal(sent_count, 5);
    begin();
    add_allocation_of(client_of_home(0), TURN_COMMAND_REMOVE_ALLOCATION, 1, 1);
    carry_out(*state);
    assert_sent(0, COMMAND_REMOVE_ALLOCATION, 1);
    assert_sent(1, COMMAND_REMOVE_STEERING, 0);
    assert_int_equal(sent_count, 2);
}

static void a_home_keeps_its_steering_wherever_its_client_goes(void **state)
{
    begin();
    add_allocation_of(client_of_home(0), TURN_COMMAND_INSTALL_ALLOCATION, 1, 2);
    carry_out(*state);
    assert_sent(3, COMMAND_INSTALL_STEERING, 0);
    assert_sent(4, COMMAND_INSTALL_STEERING, 2);
    assert_sent(5, COMMAND_INSTALL_ALLOCATION, 1);
    begin();
    add_allocation_of(client_of_home(0), TURN_COMMAND_INSTALL_ALLOCATION, 1, 0);
    carry_out(*state);
    assert_sent(3, COMMAND_REMOVE_STEERING, 2);
    assert_sent(4, COMMAND_INSTALL_ALLOCATION, 1);
    begin();
    add_allocation_of(client_of_home(0), TURN_COMMAND_INSTALL_ALLOCATION, 1, 1);
    carry_out(*state);
    assert_sent(3, COMMAND_INSTALL_ALLOCATION, 1);
    begin();
    add_allocation_of(client_of_home(0), TURN_COMMAND_INSTALL_ALLOCATION, 1, 2);
    carry_out(*state);
    assert_sent(3, COMMAND_INSTALL_STEERING, 2);
    begin();
    add_allocation_of(client_of_home(0), TURN_COMMAND_REMOVE_ALLOCATION, 1, 2);
    carry_out(*state);
    assert_sent(1, COMMAND_REMOVE_STEERING, 0);
    assert_sent(2, COMMAND_REMOVE_STEERING, 2);
    assert_int_equal(sent_count, 3);
}

static void peers_are_reached_from_the_allocations_own_address(void **state)
{
    struct ip_address local = ip("10.0.0.2");

    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 1);
    add(TURN_COMMAND_INSTALL_PERMISSION, 1, 5)->permission = ip("198.51.100.7");
    carry_out(*state);
    assert_true(ip_address_equal(&fake.last_source, &local));
    assert_sent(7, COMMAND_INSTALL_PERMISSION, 1);
    assert_int_equal(sent[7].command.permission.path.adjacency, 2);
    assert_int_equal(sent[7].command.permission.path.relay, RELAY_NONE);
}

static void a_peer_with_an_advertised_address_of_ours_is_reached_inside(void **state)
{
    struct turn_command *command;

    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 1);
    add(TURN_COMMAND_INSTALL_PERMISSION, 1, 5)->permission = ip("203.0.113.9");
    command = add(TURN_COMMAND_INSTALL_CHANNEL, 1, 5);
    command->channel.number = 0x4001;
    command->channel.peer = transport("203.0.113.9:50001");
    carry_out(*state);
    assert_sent(4, COMMAND_INSTALL_PERMISSION, 1);
    assert_int_equal(sent[4].command.permission.path.adjacency, ADJACENCY_NONE);
    assert_int_equal(sent[4].command.permission.path.relay, 1);
    assert_sent(5, COMMAND_INSTALL_CHANNEL, 1);
    assert_int_equal(sent[5].command.channel.path.relay, 1);
    assert_int_equal(sent[5].command.channel.number, 0x4001);
    assert_int_equal(sent[5].command.channel.peer.port, 50001);
}

static void removals_say_what_is_removed(void **state)
{
    struct turn_command *command;
    struct ip_address peer = ip("198.51.100.7");

    begin();
    add(TURN_COMMAND_REMOVE_PERMISSION, 2, 5)->permission = peer;
    command = add(TURN_COMMAND_REMOVE_CHANNEL, 2, 5);
    command->channel.number = 0x4002;
    command->channel.peer = transport("198.51.100.7:9");
    add(TURN_COMMAND_REMOVE_RELAY, 2, 5)->removed_relay = (struct turn_relayed_address){2, 50002};
    carry_out(*state);
    assert_sent(0, COMMAND_REMOVE_PERMISSION, 2);
    assert_true(ip_address_equal(&sent[0].command.permission.peer, &peer));
    assert_sent(1, COMMAND_REMOVE_CHANNEL, 2);
    assert_int_equal(sent[1].command.channel.number, 0x4002);
    assert_sent(2, COMMAND_REMOVE_RELAY, 2);
    assert_int_equal(sent[2].command.remove_relay.relay, 2);
    assert_int_equal(sent[2].command.remove_relay.port, 50002);
}

static const struct punt message = {
    .kind = PUNT_MESSAGE, .worker = 2, .message = {.frame = FRAME, .message_offset = 42}};

static void respond(struct forwarder *forwarder)
{
    memcpy(output.response, "RESP", 4);
    output.response_len = 4;
    assert_true(forwarder_is_ready(forwarder));
    forwarder_carry_out(forwarder, &output, &message);
}

static void the_response_leaves_behind_the_commands_on_their_ring(void **state)
{
    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 2);
    respond(*state);
    assert_sent(sent_count - 2, COMMAND_INSTALL_ALLOCATION, 1);
    assert_sent(sent_count - 1, COMMAND_TRANSMIT, 1);
    assert_ptr_equal(sent[sent_count - 1].command.transmit.frame, FRAME);
}

static void a_response_without_commands_leaves_where_the_request_came_in(void **state)
{
    begin();
    respond(*state);
    assert_sent(0, COMMAND_TRANSMIT, 2);
    assert_int_equal(sent_count, 1);
}

static void a_frame_that_is_not_sent_is_given_back(void **state)
{
    begin();
    forwarder_carry_out(*state, &output, &message);
    assert_int_equal(fake.discards, 1);
    assert_int_equal(sent_count, 0);
    fake.reply_error = -ENOSPC;
    respond(*state);
    assert_int_equal(fake.discards, 2);
    assert_int_equal(sent_count, 0);
}

static void an_event_waits_until_every_ring_has_room(void **state)
{
    assert_true(forwarder_is_ready(*state));
    fake.room[2] = 100;
    assert_false(forwarder_is_ready(*state));
}

static void the_largest_event_fits_when_it_is_ready(void **state)
{
    uint32_t least = 4095;

    // The least room that counts as ready.
    while (least > 0) {
        fake.room[0] = fake.room[1] = fake.room[2] = least - 1;
        if (!forwarder_is_ready(*state))
            break;
        least--;
    }
    fake.room[0] = fake.room[1] = fake.room[2] = least;
    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 2);
    while (output.command_count < TURN_OUTPUT_COMMANDS_MAX)
        add(TURN_COMMAND_INSTALL_PERMISSION, 1, 5)->permission = ip("198.51.100.7");
    respond(*state); // the fakes refuse what does not fit, and the forwarder asserts
    assert_sent(sent_count - 1, COMMAND_TRANSMIT, 1);
}

static void changes_wait_for_room_and_events_for_changes(void **state)
{
    fake.changed = 5;
    fake.next_adjacency = 5;
    fake.room[1] = 3;
    sent_count = 0;
    forwarder_flush(*state);
    assert_int_equal(sent_count, 3 * 3);
    assert_int_equal(fake.changed, 2);
    assert_false(forwarder_is_ready(*state));
    fake.room[1] = 4095;
    assert_true(forwarder_is_ready(*state));
    assert_int_equal(sent_count, 5 * 3);
}

static void only_what_has_moved_is_installed_again(void **state)
{
    begin();
    add_allocation(TURN_COMMAND_INSTALL_ALLOCATION, 1, 2);
    forwarder_reinstall(*state, &output);
    for (unsigned i = 0; i < sent_count; i++)
        assert_int_equal(sent[i].command.kind, COMMAND_SET_ADJACENCY);
    fake.moved = true;
    sent_count = 0;
    forwarder_reinstall(*state, &output);
    assert_sent(sent_count - 1, COMMAND_INSTALL_ALLOCATION, 1);
}

static void a_punt_names_its_listener_by_index(void **state)
{
    struct punt punt = message;
    struct five_tuple tuple;

    punt.message.client =
        (struct client_key){.address = transport("[2001:db8::2]:7"), .listener = 1};
    forwarder_five_tuple(*state, &punt, &tuple);
    assert_true(transport_address_equal(&tuple.server, &plane.config.listeners[1]));
    assert_int_equal(tuple.client.port, 7);
    assert_int_equal(tuple.transport, FIVE_TUPLE_UDP);
}

static void add_streams(void)
{
    static const struct plane_stream_listener streams[] = {
        {STREAM_TCP, 0}, {STREAM_DTLS, 0}, {STREAM_TCP, 1}, {STREAM_TLS, 1}};

    for (unsigned i = 0; i < 4; i++) {
        plane.config.listeners[2 + i] = transport(i == 3 ? "192.0.2.1:5349" : "192.0.2.1:3478");
        plane.config.stream_listeners[i] = streams[i];
    }
    plane.config.stream_listener_count = 4;
    plane.config.stream_thread_count = 2;
}

static void transports_and_threads_of_one_address_are_told_apart(void **state)
{
    static const struct {
        uint16_t transport, thread;
    } expected[] = {{FIVE_TUPLE_UDP, 0},  {FIVE_TUPLE_UDP, 0}, {FIVE_TUPLE_TCP, 0},
                    {FIVE_TUPLE_DTLS, 0}, {FIVE_TUPLE_TCP, 1}, {FIVE_TUPLE_TLS, 1}};

    add_streams();
    for (uint16_t listener = 0; listener < 6; listener++) {
        const struct client_key client = {
            .address = transport(listener == 1 ? "[2001:db8::2]:7" : "192.0.2.7:7"),
            .listener = listener};
        struct turn_command *command;
        struct five_tuple tuple;

        forwarder_client_tuple(*state, &client, &tuple);
        assert_int_equal(tuple.transport, expected[listener].transport);
        assert_int_equal(tuple.thread, expected[listener].thread);
        assert_int_equal(tuple.client.port, 7);
        begin();
        sent_count = 0;
        command = add(TURN_COMMAND_INSTALL_ALLOCATION, 1, 1);
        command->allocation_info.five_tuple = tuple;
        forwarder_carry_out(*state, &output, NULL);
        assert_int_equal(sent[sent_count - 1].command.kind, COMMAND_INSTALL_ALLOCATION);
        assert_int_equal(sent[sent_count - 1].command.install_allocation.client.listener, listener);
    }
}

// The adjacency of an allocation of that listener's client.
static uint32_t adjacency_of_client(struct forwarder *forwarder, uint16_t listener)
{
    const struct client_key client = {.address = transport("192.0.2.7:7"), .listener = listener};
    struct turn_command *command;

    begin();
    sent_count = 0;
    command = add(TURN_COMMAND_INSTALL_ALLOCATION, 1, 1);
    forwarder_client_tuple(forwarder, &client, &command->allocation_info.five_tuple);
    forwarder_carry_out(forwarder, &output, NULL);
    return sent[sent_count - 1].command.install_allocation.adjacency;
}

static void the_kernel_alone_knows_the_way_to_a_client_over_tcp(void **state)
{
    add_streams();
    assert_int_equal(adjacency_of_client(*state, 2), ADJACENCY_NONE);
    assert_int_equal(adjacency_of_client(*state, 5), ADJACENCY_NONE); // TLS
    assert_int_equal(fake.next_adjacency, 0);
    assert_int_equal(adjacency_of_client(*state, 3), 1); // DTLS
}

// A Connect's, which is there when the peer is.
static void a_late_response_goes_to_its_client_and_not_to_the_sender(void **state)
{
    const struct client_key client = {.address = transport("192.0.2.7:7"), .listener = 4};
    const struct punt punt = {.message = {.frame = FRAME, .message_offset = 42}};

    add_streams();
    begin();
    output.response_len = 4;
    memcpy(output.response, "RESP", 4);
    forwarder_client_tuple(*state, &client, &output.response_to);
    forwarder_carry_out(*state, &output, &punt);
    assert_int_equal(sent_count, 1);
    assert_int_equal(sent[0].worker, client_home(client.address.ip.bytes, 7, 3));
    assert_int_equal(sent[0].command.kind, COMMAND_TRANSMIT);
    assert_ptr_equal(sent[0].command.transmit.frame, LATE_FRAME);
    assert_int_equal(fake.answered.listener, 4);
    assert_int_equal(fake.answered.address.port, 7);
    assert_int_equal(fake.replies, 0);
    assert_int_equal(fake.discards, 1);
    fake.no_buffers = true;
    forwarder_carry_out(*state, &output, NULL);
    assert_int_equal(sent_count, 1);
}

int main(void)
{
#define WITH_FORWARDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FORWARDER(a_late_response_goes_to_its_client_and_not_to_the_sender),
        WITH_FORWARDER(an_allocation_is_installed_with_indices_for_addresses),
        WITH_FORWARDER(a_next_hop_behind_the_second_interface_is_behind_the_second_ports),
        WITH_FORWARDER(steering_comes_before_what_it_steers_to),
        WITH_FORWARDER(steering_follows_the_client_and_goes_with_the_allocation),
        WITH_FORWARDER(the_home_of_a_client_is_told_whose_it_is),
        WITH_FORWARDER(a_home_keeps_its_steering_wherever_its_client_goes),
        WITH_FORWARDER(peers_are_reached_from_the_allocations_own_address),
        WITH_FORWARDER(a_peer_with_an_advertised_address_of_ours_is_reached_inside),
        WITH_FORWARDER(removals_say_what_is_removed),
        WITH_FORWARDER(the_response_leaves_behind_the_commands_on_their_ring),
        WITH_FORWARDER(a_response_without_commands_leaves_where_the_request_came_in),
        WITH_FORWARDER(a_frame_that_is_not_sent_is_given_back),
        WITH_FORWARDER(an_event_waits_until_every_ring_has_room),
        WITH_FORWARDER(the_largest_event_fits_when_it_is_ready),
        WITH_FORWARDER(changes_wait_for_room_and_events_for_changes),
        WITH_FORWARDER(only_what_has_moved_is_installed_again),
        WITH_FORWARDER(a_punt_names_its_listener_by_index),
        WITH_FORWARDER(transports_and_threads_of_one_address_are_told_apart),
        WITH_FORWARDER(the_kernel_alone_knows_the_way_to_a_client_over_tcp),
    };

    return cmocka_run_group_tests_name("control/forwarder", tests, NULL, NULL);
}
