// SPDX-License-Identifier: BSD-3-Clause
// Claims about interfaces whose addresses change. The kernel is a fake that has some, and says
// when they are others by what its socket would be.
#include "control/address_watch.h"

#include "base/log.h"
#include "control/netlink.h"

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST  7
#define SECOND 9

static const struct timeval long_enough = {.tv_sec = 5};

static struct {
    int news; // readable when there are some
    unsigned sockets;
    int subscribe_error;
    int list_error;
    struct interface interfaces[2];
    unsigned warnings;
} kernel;

int netlink_open(struct netlink *netlink)
{
    (void)netlink;
    kernel.sockets++;
    return 0;
}

int netlink_subscribe_addresses(struct netlink *netlink)
{
    (void)netlink;
    kernel.sockets += !kernel.subscribe_error;
    return kernel.subscribe_error;
}

void netlink_close(struct netlink *netlink)
{
    (void)netlink;
    kernel.sockets--;
}

int mnl_socket_get_fd(const struct mnl_socket *socket)
{
    (void)socket;
    return kernel.news;
}

void netlink_drain(struct netlink *netlink)
{
    eventfd_t count;

    (void)netlink;
    assert_int_equal(eventfd_read(kernel.news, &count), 0);
}

int netlink_list_addresses(struct netlink *netlink, struct interface *interface)
{
    (void)netlink;
    if (kernel.list_error)
        return kernel.list_error;
    assert_true(interface->index == FIRST || interface->index == SECOND);
    *interface = kernel.interfaces[interface->index == SECOND];
    return 0;
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    (void)level;
    (void)event;
    (void)format;
    kernel.warnings++;
}

struct fixture {
    struct event_base *base;
    struct address_watch *watch;
    struct interface interfaces[2];
    unsigned changes;
};

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static void add(struct interface *interface, const char *text)
{
    interface->addresses[interface->address_count++] = ip(text);
}

static bool has(const struct interface *interface, const char *text)
{
    const struct ip_address address = ip(text);

    return interface_has_address(interface, &address);
}

static void on_changed(void *context)
{
    struct fixture *fixture = context;

    fixture->changes++;
}

static int start(struct fixture *fixture)
{
    const struct address_watch_config config = {
        .base = fixture->base,
        .interfaces = fixture->interfaces,
        .interface_count = 2,
        .changed = on_changed,
        .context = fixture,
    };

    return address_watch_create(&config, &fixture->watch);
}

static void say_news(struct fixture *fixture)
{
    assert_int_equal(eventfd_write(kernel.news, 1), 0);
    event_base_loop(fixture->base, EVLOOP_NONBLOCK);
}

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&kernel, 0, sizeof(kernel));
    kernel.news = eventfd(0, EFD_NONBLOCK);
    kernel.interfaces[0].index = FIRST;
    kernel.interfaces[1].index = SECOND;
    add(&kernel.interfaces[0], "192.0.2.1");
    add(&kernel.interfaces[1], "2001:db8::1");
    fixture = (struct fixture){.base = event_base_new()};
    memcpy(fixture.interfaces, kernel.interfaces, sizeof(fixture.interfaces));
    *state = &fixture;
    return fixture.base ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->watch)
        address_watch_destroy(fixture->watch);
    event_base_free(fixture->base);
    close(kernel.news);
    return kernel.sockets == 0 ? 0 : -1;
}

static void what_has_changed_before_the_first_look_is_told(void **state)
{
    struct fixture *fixture = *state;

    add(&kernel.interfaces[1], "192.0.2.9");
    assert_int_equal(start(fixture), 0);
    assert_int_equal(fixture->changes, 1);
    assert_true(has(&fixture->interfaces[1], "192.0.2.9"));
}

static void news_of_others_addresses_are_no_change(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(start(fixture), 0);
    say_news(fixture);
    assert_int_equal(fixture->changes, 0);
}

static void each_change_is_told_once_when_it_is_there(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(start(fixture), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct interface before = kernel.interfaces[i];

        add(&kernel.interfaces[i], "192.0.2.9");
        say_news(fixture);
        assert_int_equal(fixture->changes, 3 * i + 1);
        assert_true(has(&fixture->interfaces[i], "192.0.2.9"));
        assert_false(has(&fixture->interfaces[1 - i], "192.0.2.9"));
        kernel.interfaces[i].addresses[1] = ip("192.0.2.10"); // as many, and others
        say_news(fixture);
        assert_int_equal(fixture->changes, 3 * i + 2);
        kernel.interfaces[i] = before;
        say_news(fixture);
        assert_int_equal(fixture->changes, 3 * i + 3);
        assert_int_equal(fixture->interfaces[i].address_count, 1);
        say_news(fixture);
        assert_int_equal(fixture->changes, 3 * i + 3);
    }
}

static void a_question_without_an_answer_changes_nothing_and_is_asked_again(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(start(fixture), 0);
    add(&kernel.interfaces[0], "192.0.2.9");
    kernel.list_error = -EAGAIN;
    say_news(fixture);
    assert_int_equal(kernel.warnings, 1);
    assert_int_equal(fixture->changes, 0);
    assert_int_equal(fixture->interfaces[0].address_count, 1);
    kernel.list_error = 0;
    assert_int_equal(event_base_loopexit(fixture->base, &long_enough), 0);
    event_base_loop(fixture->base, EVLOOP_ONCE);
    assert_int_equal(fixture->changes, 1);
    assert_true(has(&fixture->interfaces[0], "192.0.2.9"));
    assert_int_equal(kernel.warnings, 1);
}

static void without_news_there_is_none(void **state)
{
    struct fixture *fixture = *state;

    kernel.subscribe_error = -ENOMEM;
    assert_int_equal(start(fixture), -ENOMEM);
    assert_int_equal(kernel.warnings, 1);
    assert_null(fixture->watch);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_has_changed_before_the_first_look_is_told),
        TEST(news_of_others_addresses_are_no_change),
        TEST(each_change_is_told_once_when_it_is_there),
        TEST(a_question_without_an_answer_changes_nothing_and_is_asked_again),
        TEST(without_news_there_is_none),
    };

    return cmocka_run_group_tests_name("control/address_watch", tests, NULL, NULL);
}
