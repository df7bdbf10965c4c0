// SPDX-License-Identifier: BSD-3-Clause
// Claims about the sets of ports that are written to net.ipv4.ip_local_reserved_ports.
#include "platform/reserved_ports.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_text(const struct port_set *set, const char *expected)
{
    char *text = malloc(PORT_SET_TEXT_LEN);

    assert_non_null(text);
    assert_string_equal(port_set_format(set, text), expected);
    free(text);
}

static void writes_what_it_read(void **state)
{
    static const char *const texts[] = {"\n", "80\n", "0-65535\n", "1-2,4,63-64,65535\n"};
    struct port_set set;

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(port_set_parse(texts[i], &set), 0);
        assert_text(&set, texts[i]);
    }
}

static void takes_back_only_what_was_added(void **state)
{
    struct port_set reserved, added = {}, before;

    (void)state;
    assert_int_equal(port_set_parse("8080,50000-50009\n", &reserved), 0);
    port_set_add(&added, 49152, 65535);
    before = reserved;
    port_set_merge(&reserved, &added);
    port_set_subtract(&added, &before);
    assert_text(&reserved, "8080,49152-65535\n");
    port_set_subtract(&reserved, &added);
    assert_text(&reserved, "8080,50000-50009\n");
}

static void refuses_what_is_no_list_of_ports(void **state)
{
    static const char *const texts[] = {"a", "80-", "-80", "90-80", "65536", "80 81", "1--2"};
    struct port_set set = {.words = {42}};

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(port_set_parse(texts[i], &set), -EINVAL);
    assert_int_equal(set.words[0], 42);
}

static void the_longest_text_fits(void **state)
{
    struct port_set set = {};
    char *text = malloc(PORT_SET_TEXT_LEN);

    (void)state;
    assert_non_null(text);
    for (unsigned port = 1; port < 65536; port += 2)
        port_set_add(&set, (uint16_t)port, (uint16_t)port);
    assert_in_range(strlen(port_set_format(&set, text)), 100000, PORT_SET_TEXT_LEN - 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_it_read),
        cmocka_unit_test(takes_back_only_what_was_added),
        cmocka_unit_test(refuses_what_is_no_list_of_ports),
        cmocka_unit_test(the_longest_text_fits),
    };

    return cmocka_run_group_tests_name("platform/reserved_ports", tests, NULL, NULL);
}
