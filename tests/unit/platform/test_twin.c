// SPDX-License-Identifier: BSD-3-Clause
// Claims about the kernel's twin of a device, in a network namespace of their own; where that is
// not permitted, these tests are skipped.
#include "platform/twin.h"

#include "../exchange/eal_fixture.h"
#include "platform/interface.h"
#include "platform/port_facts.h"
#include "platform/vhost_net.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME      "twin0"
#define RING_LEN  8 // one less fits
#define FRAME_LEN 60
#define ETHERTYPE 0x88B5 // for experiments: nobody else sends it

// Nothing is there.
#define NO_VHOST_NET "/nonexistent/vhost-net"

static struct rte_mempool *pool;
static bool permitted;
static const char *vhost_net; // what the twins of a group are told of

struct fixture {
    struct plane *plane;
    struct twin *twin;
    unsigned buffers; // free when nothing is under way
    int socket;       // sees what passes the interface
    struct port_facts facts;
};

static const uint8_t mac[6] = {2, 0, 0, 0, 0x12, 0x34};

// Left to itself the kernel would say much on a new interface, and so wake whom a test lets sleep.
static void silence_the_kernel(void)
{
    FILE *file = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w");

    if (!file)
        return; // it speaks no IPv6
    fputs("1", file);
    fclose(file);
}

static int program_set_up(void)
{
    permitted = unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK | W_OK) == 0;
    if (permitted)
        silence_the_kernel();
    if (eal_start() != 0)
        return -1;
    pool = rte_pktmbuf_pool_create("twin", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool ? 0 : -1;
}

static int without_vhost_net(void **state)
{
    (void)state;
    vhost_net = NO_VHOST_NET;
    return 0;
}

static int with_vhost_net(void **state)
{
    (void)state;
    vhost_net = VHOST_NET_PATH;
    permitted = permitted && access(vhost_net, R_OK | W_OK) == 0;
    return 0;
}

static int make_twin(struct plane *plane, const char *name, struct port_facts *facts,
                     struct twin **ret_twin)
{
    struct twin_config config = {
        .plane = plane,
        .pool = pool,
        .name = name,
        .mtu = 1400,
        .vhost_net = vhost_net,
        .facts = facts,
    };

    memcpy(config.mac, mac, sizeof(mac));
    return twin_create(&config, ret_twin);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    const struct plane_config config = {
        .worker_count = 2,
        .allocations = 1,
        .allocations_per_worker = 1,
        .adjacencies = 1,
        .command_ring_len = 8,
        .punt_ring_len = 8,
        .handoff_ring_len = 8,
        .kernel_ring_len = RING_LEN,
    };
    const struct timeval patience = {.tv_sec = 10};
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE)};

    *state = NULL;
    if (!permitted)
        return 0;
    fixture.buffers = rte_mempool_avail_count(pool);
    fixture.facts.count = 0;
    if (plane_create(&config, &fixture.plane) != 0 ||
        make_twin(fixture.plane, NAME, &fixture.facts, &fixture.twin) != 0)
        return -1;
    address.sll_ifindex = (int)if_nametoindex(NAME);
    fixture.socket = socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE));
    if (fixture.socket < 0 ||
        setsockopt(fixture.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        bind(fixture.socket, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    *state = &fixture;
    return 0;
}

static void drain(struct fixture *fixture)
{
    struct rte_mbuf *frame;

    while (plane_from_kernel_receive(fixture->plane, 0, &frame, 1) == 1)
        rte_pktmbuf_free(frame);
    for (uint16_t worker = 0; worker < 2; worker++) {
        while (plane_to_kernel_receive(fixture->plane, 0, worker, &frame, 1) == 1)
            rte_pktmbuf_free(frame);
    }
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    if (!fixture)
        return 0;
    if (fixture->twin)
        twin_destroy(fixture->twin);
    drain(fixture);
    close(fixture->socket);
    plane_destroy(fixture->plane);
    assert_int_equal(rte_mempool_avail_count(pool), fixture->buffers);
    return 0;
}

#define SKIP_UNLESS(fixture)                                                                       \
    if (!(fixture))                                                                                \
    skip()

static void write_frame(uint8_t frame[FRAME_LEN], uint8_t mark)
{
    memset(frame, mark, FRAME_LEN);
    memcpy(frame, mac, 6);
    frame[6] = 2;
    frame[12] = ETHERTYPE >> 8;
    frame[13] = ETHERTYPE & 0xFF;
}

static void pass_to_kernel(struct fixture *fixture, uint16_t worker, uint8_t mark)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);

    assert_non_null(frame);
    frame->data_len = FRAME_LEN;
    frame->pkt_len = FRAME_LEN;
    write_frame(rte_pktmbuf_mtod(frame, uint8_t *), mark);
    assert_int_equal(plane_to_kernel_send(fixture->plane, 0, worker, &frame, 1), 1);
}

static void the_interface_is_up_with_the_devices_mac_and_mtu(void **state)
{
    struct interface interface;

    SKIP_UNLESS(*state);
    assert_int_equal(interface_query(NAME, &interface), 0);
    assert_true(interface.up);
    assert_int_equal(interface.mtu, 1400);
    assert_memory_equal(interface.mac, mac, sizeof(mac));
}

static void says_which_way_frames_go_and_why(void **state)
{
    struct fixture *fixture = *state;
    const struct port_fact *fact;

    SKIP_UNLESS(fixture);
    assert_int_equal(fixture->facts.count, 1);
    fact = &fixture->facts.at[0];
    assert_string_equal(fact->item, "twin");
    assert_string_equal(fact->found, NAME);
    if (strcmp(vhost_net, NO_VHOST_NET) == 0) {
        assert_string_equal(fact->used, "tap");
        assert_string_equal(fact->why,
                            "a system call a frame: " NO_VHOST_NET ": No such file or directory");
    } else {
        assert_string_equal(fact->used, "vhost-net");
    }
}

static void the_kernel_receives_what_any_worker_passes(void **state)
{
    struct fixture *fixture = *state;
    uint8_t expected[FRAME_LEN], received[128];

    SKIP_UNLESS(fixture);
    for (uint16_t worker = 0; worker < 2; worker++) {
        // It may be asleep by now.
        usleep(5000);
        pass_to_kernel(fixture, worker, (uint8_t)(0xA0 + worker));
        write_frame(expected, (uint8_t)(0xA0 + worker));
        assert_int_equal(recv(fixture->socket, received, sizeof(received), 0), FRAME_LEN);
        assert_memory_equal(received, expected, FRAME_LEN);
    }
}

static bool take_from_kernel(struct fixture *fixture, struct rte_mbuf **ret_frame)
{
    // Nobody rings here: workers look by themselves.
    for (unsigned i = 0; i < 5000; i++) {
        if (plane_from_kernel_receive(fixture->plane, 0, ret_frame, 1) == 1)
            return true;
        usleep(1000);
    }
    return false;
}

// The next one of ours.
static uint8_t take_mark(struct fixture *fixture)
{
    struct rte_mbuf *frame;

    while (take_from_kernel(fixture, &frame)) {
        const uint8_t *bytes = rte_pktmbuf_mtod(frame, const uint8_t *);
        bool is_ours = bytes[12] == ETHERTYPE >> 8 && bytes[13] == (ETHERTYPE & 0xFF);
        uint8_t mark = bytes[FRAME_LEN - 1];

        if (is_ours)
            assert_int_equal(frame->pkt_len, FRAME_LEN);
        rte_pktmbuf_free(frame);
        if (is_ours)
            return mark;
    }
    fail_msg("nothing came from the kernel");
    return 0;
}

static void what_the_kernel_sends_is_there_to_be_transmitted(void **state)
{
    struct fixture *fixture = *state;
    uint8_t frame[FRAME_LEN];

    SKIP_UNLESS(fixture);
    write_frame(frame, 0xB0);
    assert_int_equal(send(fixture->socket, frame, FRAME_LEN, 0), FRAME_LEN);
    assert_int_equal(take_mark(fixture), 0xB0);
}

static void what_finds_no_room_waits_in_the_kernel(void **state)
{
    struct fixture *fixture = *state;
    uint8_t frame[FRAME_LEN];

    SKIP_UNLESS(fixture);
    for (uint8_t i = 0; i < 3 * RING_LEN; i++) {
        write_frame(frame, i);
        assert_int_equal(send(fixture->socket, frame, FRAME_LEN, 0), FRAME_LEN);
    }
    for (uint8_t i = 0; i < 3 * RING_LEN; i++)
        assert_int_equal(take_mark(fixture), i);
}

static bool has_carrier(void)
{
    struct ifreq request = {.ifr_name = NAME};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    close(fd);
    return request.ifr_flags & IFF_RUNNING;
}

static bool comes_to_have_a_carrier(bool expected)
{
    // Linux looks at links once a second.
    for (unsigned i = 0; i < 5000 && has_carrier() != expected; i++)
        usleep(1000);
    return has_carrier() == expected;
}

static void the_kernel_sees_the_carrier_that_it_is_given(void **state)
{
    struct fixture *fixture = *state;

    SKIP_UNLESS(fixture);
    assert_true(comes_to_have_a_carrier(true));
    twin_set_carrier(fixture->twin, false);
    assert_true(comes_to_have_a_carrier(false));
    twin_set_carrier(fixture->twin, true);
    assert_true(comes_to_have_a_carrier(true));
}

static void the_interface_goes_with_its_twin(void **state)
{
    struct fixture *fixture = *state;

    SKIP_UNLESS(fixture);
    twin_destroy(fixture->twin);
    fixture->twin = NULL;
    assert_int_equal(if_nametoindex(NAME), 0);
}

// Also at the moment at which its thread is about to wait: it is told at a different one each time.
static void ends_whenever_it_is_told_to(void **state)
{
    struct fixture *fixture = *state;

    // With vhost-net the kernel makes a thread each time.
    unsigned times = strcmp(vhost_net, NO_VHOST_NET) == 0 ? 200 : 20;

    SKIP_UNLESS(fixture);
    for (unsigned i = 0; i < times; i++) {
        twin_destroy(fixture->twin);
        fixture->twin = NULL;
        assert_int_equal(make_twin(fixture->plane, NAME, NULL, &fixture->twin), 0);
        usleep(i / 2);
    }
}

static void a_name_that_is_taken_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct twin *twin = NULL;

    SKIP_UNLESS(fixture);
    assert_int_equal(make_twin(fixture->plane, "lo", NULL, &twin), -EINVAL);
    assert_int_equal(make_twin(fixture->plane, NAME, NULL, &twin), -EBUSY);
    assert_null(twin);
}

// Whoever deletes the interface has no twin any more, but a relay that can be stopped.
static void survives_the_loss_of_its_interface(void **state)
{
    struct fixture *fixture = *state;

    SKIP_UNLESS(fixture);
    assert_int_equal(system("ip link delete " NAME), 0);
    pass_to_kernel(fixture, 0, 0xC0);
    for (unsigned i = 0; i < 5000 && rte_ring_count(fixture->plane->to_kernel[0][0]) > 0; i++)
        usleep(1000);
    assert_int_equal(rte_ring_count(fixture->plane->to_kernel[0][0]), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_interface_is_up_with_the_devices_mac_and_mtu),
        TEST(says_which_way_frames_go_and_why),
        TEST(the_kernel_receives_what_any_worker_passes),
        TEST(what_the_kernel_sends_is_there_to_be_transmitted),
        TEST(what_finds_no_room_waits_in_the_kernel),
        TEST(the_kernel_sees_the_carrier_that_it_is_given),
        TEST(the_interface_goes_with_its_twin),
        TEST(ends_whenever_it_is_told_to),
        TEST(a_name_that_is_taken_is_refused),
        TEST(survives_the_loss_of_its_interface),
    };

    int failed;

    if (program_set_up() != 0)
        return EXIT_FAILURE;
    failed = cmocka_run_group_tests_name("platform/twin", tests, without_vhost_net, NULL);
    return failed +
           cmocka_run_group_tests_name("platform/twin, vhost-net", tests, with_vhost_net, NULL);
}
