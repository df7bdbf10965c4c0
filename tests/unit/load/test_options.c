// SPDX-License-Identifier: BSD-3-Clause
// bench/load/options.h.
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 32
#define RELAY     "--relay", "192.0.2.1:3478", "--local", "192.0.2.2"

static struct options options;
static char said[8192];

static enum options_verdict parse(const char *first, ...)
{
    char *argv[WORDS_MAX] = {(char *)"--"};
    FILE *stream = fmemopen(said, sizeof(said), "w");
    enum options_verdict verdict;
    va_list words;
    int argc = 1;
    va_start(words, first);
    for (const char *word = first; word; word = va_arg(words, const char *))
        argv[argc++] = (char *)word;
    va_end(words);
    memset(said, 0, sizeof(said));
    verdict = options_parse(argc, argv, stream, stream, &options);
    fclose(stream);
    return verdict;
}

#define PARSE(...) parse(__VA_ARGS__, NULL)

static void a_relay_and_an_own_address_are_enough(void **state)
{
    (void)state;
    char text[IP_PREFIX_TEXT_LEN];
    assert_int_equal(PARSE(RELAY), OPTIONS_RUN);
    assert_int_equal(options.relay.port, 3478);
    assert_true(ip_address_equal(&options.next_hop, &options.relay.ip));
    assert_int_equal(options.allocations, 1000);
    assert_int_equal(options.rate, 10000);
    assert_true(options.directions[TO_PEER] && options.directions[TO_CLIENT]);
    assert_string_equal(ip_prefix_format(&options.clients.prefix, text), "198.18.0.0/16");
    assert_string_equal(ip_prefix_format(&options.peers.prefix, text), "198.19.0.0/16");
}

static void an_ipv6_relay_has_ipv6_clients(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--relay", "[2001:db8::1]:3478", "--local", "2001:db8::2"), OPTIONS_RUN);
    assert_int_equal(options.clients.prefix.ip.family, IP_FAMILY_V6);
    assert_int_equal(options.sources.prefix.ip.family, IP_FAMILY_V6);
    assert_int_equal(options.peers.prefix.ip.family, IP_FAMILY_V4);
}

static void every_value_is_read(void **state)
{
    (void)state;
    assert_int_equal(PARSE(RELAY, "--allocations", "1.5M", "--rate=2k", "--direction", "to-peer",
                           "--framing", "indication", "--payload", "14,1400", "--flows", "zipf:0.8",
                           "--user", "a:b:c", "--client-ports", "7-8", "--no-udp-checksum",
                           "--next-hop-mac", "02:00:00:00:00:0a", "--duration", "0.5", "--flood",
                           "binding"),
                     OPTIONS_RUN);
    assert_int_equal(options.allocations, 1500000);
    assert_int_equal(options.rate, 2000);
    assert_true(options.directions[TO_PEER] && !options.directions[TO_CLIENT]);
    assert_int_equal(options.framing, MEDIA_INDICATION);
    assert_int_equal(options.lens.count, 2);
    assert_int_equal(options.lens.values[1], 1400);
    assert_true(options.zipf == 0.8);
    assert_string_equal(options.user.name, "a");
    assert_string_equal(options.user.password, "b:c");
    assert_int_equal(options.clients.first_port, 7);
    assert_int_equal(options.clients.last_port, 8);
    assert_true(options.no_checksum);
    assert_int_equal(options.next_hop_mac.bytes[5], 10);
    assert_true(options.duration_s == 0.5);
    assert_int_equal(options.flood, FLOOD_BINDING);
}

static void flat_out_is_no_rate(void **state)
{
    (void)state;
    assert_int_equal(PARSE(RELAY, "--rate", "max"), OPTIONS_RUN);
    assert_int_equal(options.rate, 0);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    const char *const wrong[][2] = {
        {"--allocations", "many"},   {"--allocations", "-1"},
        {"--allocations", "1.5"},    {"--window", "0"},
        {"--window", "100000"},      {"--rate", "0"},
        {"--direction", "up"},       {"--framing", "json"},
        {"--payload", "13"},         {"--payload", "1401"},
        {"--payload", "100,"},       {"--flows", "zipf:0"},
        {"--flows", "zipfian"},      {"--clients", "10.0.0.1/8"},
        {"--client-ports", "9-8"},   {"--client-ports", "0-8"},
        {"--user", "alice"},         {"--next-hop-mac", "02:00"},
        {"--flood", "syn"},          {"--clients", "2001:db8::/64"},
        {"--nap", "20000"},          {"--realtime", "100"},
        {"--local", "192.0.2.0/24"},
    };
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(PARSE(RELAY, wrong[i][0], wrong[i][1]), OPTIONS_WRONG);
        assert_non_null(strstr(said, wrong[i][0]));
    }
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--local", "192.0.2.2"), OPTIONS_WRONG);
    assert_non_null(strstr(said, "--relay"));
    assert_int_equal(PARSE("--relay", "192.0.2.1:3478"), OPTIONS_WRONG);
    assert_non_null(strstr(said, "--local"));
    assert_int_equal(PARSE("--relay", "192.0.2.1:3478", "--local", "2001:db8::2"), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "--rate"), OPTIONS_WRONG);
    assert_non_null(strstr(said, "--rate"));
    assert_int_equal(PARSE(RELAY, "--allocations", "0"), OPTIONS_WRONG);
}

static void frames_for_a_file_are_of_allocations_alone(void **state)
{
    (void)state;
    assert_int_equal(PARSE(RELAY, "--pcap", "a.pcap", "--pcap-frames", "1k"), OPTIONS_RUN);
    assert_string_equal(options.pcap, "a.pcap");
    assert_int_equal(options.pcap_frames, 1000);
    assert_int_equal(PARSE(RELAY, "--pcap", "a.pcap", "--pcap-frames", "0"), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "--pcap", "a.pcap", "--flood", "binding"), OPTIONS_WRONG);
    assert_non_null(strstr(said, "--pcap"));
}

static void prepared_frames_are_of_one_length_and_in_channels(void **state)
{
    (void)state;
    assert_int_equal(PARSE(RELAY, "--prepared", "--payload", "160"), OPTIONS_RUN);
    assert_true(options.prepared);
    assert_int_equal(PARSE(RELAY, "--prepared", "--payload", "160,200"), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "--prepared", "--framing", "indication"), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "--prepared", "--damage", "10"), OPTIONS_WRONG);
}

static void a_floor_is_told_where_frames_go_and_is_asked_for_nothing(void **state)
{
    (void)state;
    const char *mac = "--next-hop-mac=02:00:00:00:00:01";
    assert_int_equal(PARSE(RELAY, "--floor", "macswap", mac), OPTIONS_RUN);
    assert_true(options.floor);
    assert_int_equal(PARSE(RELAY, "--floor", "io", mac), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "--floor", "macswap"), OPTIONS_WRONG);
    assert_non_null(strstr(said, "--next-hop-mac"));
    assert_int_equal(PARSE(RELAY, "--floor", "macswap", mac, "--refresh"), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "--floor", "macswap", mac, "--flood", "binding"), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "--floor", "macswap", mac, "--allocations", "0"), OPTIONS_WRONG);
}

static void what_is_unknown_or_too_much_is_named(void **state)
{
    (void)state;
    assert_int_equal(PARSE(RELAY, "--speed", "9"), OPTIONS_WRONG);
    assert_non_null(strstr(said, "--speed"));
    assert_int_equal(PARSE(RELAY, "fast"), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "-x"), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "--keep=yes"), OPTIONS_WRONG);
    assert_int_equal(PARSE(RELAY, "The link"), OPTIONS_WRONG);
}

static void help_fits_a_terminal_and_names_what_is_needed(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--help"), OPTIONS_DONE);
    assert_non_null(strstr(said, "--relay ADDRESS:PORT"));
    for (const char *line = said; *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 110);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relay_and_an_own_address_are_enough),
        cmocka_unit_test(an_ipv6_relay_has_ipv6_clients),
        cmocka_unit_test(every_value_is_read),
        cmocka_unit_test(flat_out_is_no_rate),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(frames_for_a_file_are_of_allocations_alone),
        cmocka_unit_test(prepared_frames_are_of_one_length_and_in_channels),
        cmocka_unit_test(a_floor_is_told_where_frames_go_and_is_asked_for_nothing),
        cmocka_unit_test(what_is_unknown_or_too_much_is_named),
        cmocka_unit_test(help_fits_a_terminal_and_names_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
