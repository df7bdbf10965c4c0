// SPDX-License-Identifier: BSD-3-Clause
// Claims about certificates and keys in files: what is read, what is refused and why, and which
// names count.
#include "control/certificate.h"

#include "tls_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_S 86400

static int load(const char *chain, const char *key, struct certificate *ret_certificate)
{
    return certificate_load(tls_fixture_path(chain), tls_fixture_path(key), (uint64_t)time(NULL),
                            ret_certificate);
}

static void assert_refused(const char *chain, const char *key, int error, const char *reason)
{
    struct certificate certificate;

    assert_int_equal(load(chain, key, &certificate), error);
    assert_true(tls_fixture_logged("error", "certificate", reason));
}

static void assert_names(const struct tls_fixture_certificate *what, const char *expected)
{
    struct certificate certificate;
    char names[512] = "";

    tls_fixture_write("named", what);
    assert_int_equal(load("named.pem", "named.key", &certificate), 0);
    for (uint32_t i = 0; i < certificate.names.count; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ",
                 certificate.names.names[i]);
    assert_string_equal(names, expected);
    certificate_done(&certificate);
}

static void the_names_are_the_alternative_ones(void **state)
{
    (void)state;
    assert_names(
        &(struct tls_fixture_certificate){
            .names = "DNS:Turn.Example.org, IP:192.0.2.1, DNS:*.example.net, DNS:turn.example.org",
            .common_name = "else.example.org"},
        "*.example.net turn.example.org ");
}

static void the_common_name_counts_where_there_is_no_other(void **state)
{
    (void)state;
    assert_names(&(struct tls_fixture_certificate){.common_name = "Turn.example.org"},
                 "turn.example.org ");
    assert_names(
        &(struct tls_fixture_certificate){.names = "IP:203.113.7.9", .common_name = "turn"},
        "turn ");
    assert_names(&(struct tls_fixture_certificate){}, "");
}

static void a_name_with_a_zero_byte_is_none(void **state)
{
    (void)state;
    assert_names(&(struct tls_fixture_certificate){.common_name = "turn.example.org\0.example.net",
                                                   .common_name_len = 29},
                 "");
}

static void a_wildcard_stands_for_one_label(void **state)
{
    char *list[] = {"*.example.org", "turn.example.net"};
    const struct certificate_names names = {list, 2};

    (void)state;
    assert_true(certificate_names_cover(&names, "turn.Example.org"));
    assert_false(certificate_names_cover(&names, "a.turn.example.org"));
    assert_false(certificate_names_cover(&names, "example.org"));
    assert_false(certificate_names_cover(&names, ".example.org"));
    assert_false(certificate_names_cover(&names, "org"));
    assert_false(certificate_names_cover(&names, "turn.example.net"));
    assert_true(certificate_names_have(&names, "TURN.example.net"));
    assert_false(certificate_names_have(&names, "stun.example.net"));
    assert_false(certificate_names_have(&names, "turn.example.org"));
}

static void the_chain_follows_the_certificate(void **state)
{
    struct certificate certificate;
    long now = (long)time(NULL);

    (void)state;
    tls_fixture_write("signer", &(struct tls_fixture_certificate){.common_name = "signer",
                                                                  .key = TLS_FIXTURE_RSA,
                                                                  .starts_in_s = -DAY_S,
                                                                  .ends_in_s = 20 * DAY_S});
    tls_fixture_write("leaf", &(struct tls_fixture_certificate){.common_name = "leaf"});
    tls_fixture_append("leaf.pem", "signer.pem");
    assert_int_equal(load("leaf.pem", "leaf.key", &certificate), 0);
    assert_int_equal(sk_X509_num(certificate.chain), 1);
    assert_in_range(certificate.expires_s, now + 20 * DAY_S - 60, now + 20 * DAY_S + 60);
    assert_string_equal(certificate.names.names[0], "leaf");
    certificate_done(&certificate);
    assert_true(tls_fixture_logged_nothing());
}

static void key_and_certificate_may_share_a_file(void **state)
{
    struct certificate certificate;

    (void)state;
    tls_fixture_write("both", &(struct tls_fixture_certificate){.common_name = "both"});
    tls_fixture_append("both.pem", "both.key");
    assert_int_equal(load("both.pem", "both.pem", &certificate), 0);
    certificate_done(&certificate);
    tls_fixture_append("both.key", "both.pem");
    assert_int_equal(load("both.key", "both.key", &certificate), 0);
    certificate_done(&certificate);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    tls_fixture_write("half", &(struct tls_fixture_certificate){.common_name = "half"});
    assert_refused("none.pem", "half.key", -ENOENT, "none.pem cannot be read: No such file");
    assert_refused("half.pem", "none.key", -ENOENT, "none.key cannot be read: No such file");
}

static void a_file_of_something_else_is_refused(void **state)
{
    (void)state;
    tls_fixture_write("good", &(struct tls_fixture_certificate){.common_name = "good"});
    tls_fixture_write_text("text", "good = true;\n");
    assert_refused("text", "good.key", -EINVAL, "text has no certificate");
    assert_refused("good.key", "good.key", -EINVAL, "good.key has no certificate");
    assert_refused("good.pem", "text", -EINVAL, "text has no private key");
    assert_refused("good.pem", "good.pem", -EINVAL, "good.pem has no private key");
}

static void a_damaged_certificate_is_refused_wherever_it_is(void **state)
{
    static const char damaged[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    (void)state;
    tls_fixture_write("good", &(struct tls_fixture_certificate){.common_name = "good"});
    tls_fixture_write_text("damaged.pem", damaged);
    assert_refused("damaged.pem", "good.key", -EINVAL, "damaged.pem has a certificate that is dam");
    tls_fixture_append("good.pem", "damaged.pem");
    assert_refused("good.pem", "good.key", -EINVAL, "good.pem has a certificate that is damaged");
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    (void)state;
    tls_fixture_write("good", &(struct tls_fixture_certificate){.common_name = "good"});
    tls_fixture_write_other_key("good", TLS_FIXTURE_EC);
    assert_refused("good.pem", "good.key", -EINVAL,
                   "good.key is not that of the first certificate");
    tls_fixture_write_other_key("good", TLS_FIXTURE_RSA);
    assert_refused("good.pem", "good.key", -EINVAL,
                   "good.key is not that of the first certificate");
}

// A prompt would wait for a terminal.
static void an_encrypted_key_is_refused_without_a_prompt(void **state)
{
    (void)state;
    tls_fixture_write("good", &(struct tls_fixture_certificate){.common_name = "good"});
    tls_fixture_write_encrypted_key("good", TLS_FIXTURE_EC);
    assert_refused("good.pem", "good.key", -EINVAL, "good.key is encrypted");
}

static void assert_warned(long starts_in_s, long ends_in_s, const char *event, const char *text)
{
    struct certificate certificate;

    tls_fixture_write("dated", &(struct tls_fixture_certificate){.common_name = "dated",
                                                                 .starts_in_s = starts_in_s,
                                                                 .ends_in_s = ends_in_s});
    assert_int_equal(load("dated.pem", "dated.key", &certificate), 0);
    assert_true(tls_fixture_logged("warning", event, text));
    certificate_done(&certificate);
}

static void a_certificate_out_of_its_time_is_warned_of(void **state)
{
    (void)state;
    assert_warned(-2 * DAY_S, -DAY_S, "certificate_expired",
                  "dated.pem has a certificate that has");
    assert_warned(DAY_S, 90 * DAY_S, "certificate_not_yet_valid", "dated.pem is not valid yet");
    assert_warned(-DAY_S, 13 * DAY_S + 3600, "certificate_expires", "expires in 13 days");
}

static void a_certificate_with_time_left_is_not_warned_of(void **state)
{
    struct certificate certificate;

    (void)state;
    tls_fixture_write("dated", &(struct tls_fixture_certificate){.common_name = "dated",
                                                                 .starts_in_s = -60,
                                                                 .ends_in_s = 15 * DAY_S});
    assert_int_equal(load("dated.pem", "dated.key", &certificate), 0);
    assert_true(tls_fixture_logged_nothing());
    certificate_done(&certificate);
}

static int setup(void **state)
{
    (void)state;
    tls_fixture_init();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tls_fixture_done();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_names_are_the_alternative_ones),
        cmocka_unit_test(the_common_name_counts_where_there_is_no_other),
        cmocka_unit_test(a_name_with_a_zero_byte_is_none),
        cmocka_unit_test(a_wildcard_stands_for_one_label),
        cmocka_unit_test(the_chain_follows_the_certificate),
        cmocka_unit_test(key_and_certificate_may_share_a_file),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(a_file_of_something_else_is_refused),
        cmocka_unit_test(a_damaged_certificate_is_refused_wherever_it_is),
        cmocka_unit_test(a_key_of_another_certificate_is_refused),
        cmocka_unit_test(an_encrypted_key_is_refused_without_a_prompt),
        cmocka_unit_test(a_certificate_out_of_its_time_is_warned_of),
        cmocka_unit_test(a_certificate_with_time_left_is_not_warned_of),
    };

    return cmocka_run_group_tests_name("control/certificate", tests, setup, teardown);
}
