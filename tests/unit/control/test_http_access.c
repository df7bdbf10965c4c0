// SPDX-License-Identifier: BSD-3-Clause
// Claims about who may ask: which files are good, and which Authorization headers.
#include "control/http_access.h"

#include "control/settings.h"
#include "tls_fixture.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TOKEN "0123456789abcdef"

static int set_up_files(void **state)
{
    const struct tls_fixture_certificate certificate = {.names = "DNS:metrics.example.org"};
    const struct tls_fixture_certificate weak = {.names = "DNS:weak.example.org",
                                                 .key = TLS_FIXTURE_SMALL_RSA};

    (void)state;
    tls_fixture_init();
    tls_fixture_write("good", &certificate);
    tls_fixture_write("weak", &weak);
    return 0;
}

static int tear_down_files(void **state)
{
    (void)state;
    tls_fixture_done();
    return 0;
}

static int create(const char *certificate, const char *key, const char *tokens, const char *address,
                  struct http_access **ret_access)
{
    static char paths[3][256];
    struct ip_address ip;
    const struct settings settings = {
        .metrics_certificate = paths[0],
        .metrics_key = paths[1],
        .metrics_token_file = paths[2],
        .metrics_listen = {&ip, 1},
    };

    snprintf(paths[0], sizeof(paths[0]), "%s", *certificate ? tls_fixture_path(certificate) : "");
    snprintf(paths[1], sizeof(paths[1]), "%s", *key ? tls_fixture_path(key) : "");
    snprintf(paths[2], sizeof(paths[2]), "%s", tokens ? tls_fixture_path("tokens") : "");
    if (tokens)
        tls_fixture_write_text("tokens", tokens);
    assert_int_equal(ip_address_parse(address, &ip), 0);
    return http_access_create(&settings, ret_access);
}

static struct http_access *create_good(const char *tokens)
{
    struct http_access *access = NULL;

    assert_int_equal(create("", "", tokens, "127.0.0.1", &access), 0);
    assert_true(tls_fixture_logged_nothing());
    return access;
}

static void without_files_everybody_may_ask_in_the_clear(void **state)
{
    struct http_access *access = create_good(NULL);

    (void)state;
    assert_false(http_access_has_tls(access));
    assert_false(http_access_has_tokens(access));
    assert_int_equal(http_access_expires_s(access), 0);
    assert_true(http_access_allows(access, NULL));
    assert_true(http_access_allows(access, "Basic eDp5"));
    http_access_destroy(access);
}

static void a_token_lets_in_and_nothing_else(void **state)
{
    static const struct {
        const char *header;
        bool is_allowed;
    } cases[] = {
        {"Bearer " TOKEN, true},
        {"bearer " TOKEN, true},
        {"BEARER   " TOKEN, true},
        {NULL, false},
        {"", false},
        {"Bearer", false},
        {"Bearer ", false},
        {"Bearer" TOKEN, false},
        {TOKEN, false},
        {"Basic " TOKEN, false},
        {"Bearer 0123456789abcde", false},
        {"Bearer " TOKEN "0", false},
        {"Bearer " TOKEN " ", false},
        {"Bearer 0123456789abcdeF", false},
        {"Bearer x123456789abcdef", false},
        {"Bearer \n", false},
    };
    struct http_access *access = create_good(TOKEN "\n");

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (http_access_allows(access, cases[i].header) != cases[i].is_allowed)
            fail_msg("%s", cases[i].header ? cases[i].header : "none");
    }
    http_access_destroy(access);
}

static void each_of_several_tokens_lets_in(void **state)
{
    struct http_access *access =
        create_good("\n  " TOKEN "1 \r\n\n" TOKEN "2\n\t" TOKEN "3==\n" TOKEN "-._~+/");

    (void)state;
    assert_true(http_access_has_tokens(access));
    assert_true(http_access_allows(access, "Bearer " TOKEN "1"));
    assert_true(http_access_allows(access, "Bearer " TOKEN "2"));
    assert_true(http_access_allows(access, "Bearer " TOKEN "3=="));
    assert_true(http_access_allows(access, "Bearer " TOKEN "-._~+/"));
    assert_false(http_access_allows(access, "Bearer " TOKEN));
    http_access_destroy(access);
}

// And what is logged of it has no token.
static void a_bad_file_of_tokens_is_refused(void **state)
{
    static char large[HTTP_ACCESS_FILE_MAX_LEN + 2];
    static const struct {
        const char *text;
        const char *logged;
    } cases[] = {
        {"", "has no token"},
        {" \n\n", "has no token"},
        {"0123456789abcde\n", "could be guessed"},
        {TOKEN "!\n", "other characters"},
        {TOKEN "\x01\n", "other characters"},
        {TOKEN "1 " TOKEN "2 " TOKEN "3 " TOKEN "4 " TOKEN "5 " TOKEN "6 " TOKEN "7 " TOKEN
               "8 " TOKEN "9",
         "has too many tokens"},
        {large, "File too large"},
    };
    struct http_access *access = NULL;

    (void)state;
    memset(large, 'a', sizeof(large) - 1);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(create("", "", cases[i].text, "127.0.0.1", &access) < 0);
        if (!tls_fixture_logged("error", "metrics_token", cases[i].logged))
            fail_msg("not logged: %s", cases[i].logged);
        assert_true(create("", "", cases[i].text, "127.0.0.1", &access) < 0);
        assert_false(tls_fixture_logged("", "", TOKEN));
    }
    assert_null(access);
}

static void the_largest_file_is_read(void **state)
{
    char text[HTTP_ACCESS_FILE_MAX_LEN + 1], header[sizeof(text) + 8];
    struct http_access *access;

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    access = create_good(text);
    snprintf(header, sizeof(header), "Bearer %s", text);
    assert_true(http_access_allows(access, header));
    http_access_destroy(access);
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
    struct ip_address ip = {.family = IP_FAMILY_V4, .bytes = {127, 0, 0, 1}};
    struct settings settings = {
        .metrics_certificate = "",
        .metrics_key = "",
        .metrics_token_file = "/nowhere/tokens",
        .metrics_listen = {&ip, 1},
    };
    struct http_access *access = NULL;

    (void)state;
    assert_int_equal(http_access_create(&settings, &access), -ENOENT);
    assert_true(tls_fixture_logged("error", "metrics_token", "/nowhere/tokens cannot be read"));
    settings.metrics_token_file = "/";
    assert_int_equal(http_access_create(&settings, &access), -EISDIR);
    settings.metrics_token_file = "";
    settings.metrics_certificate = "/nowhere/certificate";
    assert_int_equal(http_access_create(&settings, &access), -ENOENT);
    assert_null(access);
}

static void a_certificate_serves_tls(void **state)
{
    struct http_access *access;
    SSL *ssl;

    (void)state;
    assert_int_equal(create("good.pem", "good.key", NULL, "192.0.2.1", &access), 0);
    assert_true(http_access_has_tls(access));
    assert_in_range(http_access_expires_s(access) - (uint64_t)time(NULL), 89 * 86400, 90 * 86400);
    ssl = http_access_new_ssl(access);
    assert_non_null(ssl);
    assert_int_equal(SSL_get_min_proto_version(ssl), TLS1_2_VERSION);
    SSL_free(ssl);
    http_access_destroy(access);
}

static void a_weak_or_wrong_certificate_is_refused(void **state)
{
    struct http_access *access = NULL;

    (void)state;
    assert_true(create("weak.pem", "weak.key", NULL, "127.0.0.1", &access) < 0);
    assert_true(tls_fixture_logged("error", "metrics_certificate", "key too small"));
    assert_true(create("good.pem", "weak.key", NULL, "127.0.0.1", &access) < 0);
    assert_true(create("good.pem", "", NULL, "127.0.0.1", &access) < 0);
    assert_null(access);
}

static void a_token_that_goes_in_the_clear_is_warned_of(void **state)
{
    struct http_access *access;

    (void)state;
    assert_int_equal(create("", "", TOKEN, "192.0.2.1", &access), 0);
    assert_true(
        tls_fixture_logged("warning", "metrics_token", "metrics_certificate prevents that"));
    http_access_destroy(access);
    assert_int_equal(create("good.pem", "good.key", TOKEN, "192.0.2.1", &access), 0);
    assert_true(tls_fixture_logged_nothing());
    http_access_destroy(access);
    assert_int_equal(create("", "", TOKEN, "::1", &access), 0);
    assert_true(tls_fixture_logged_nothing());
    http_access_destroy(access);
}

static void a_reread_takes_effect_at_once(void **state)
{
    struct http_access *access = create_good(TOKEN "1"), *fresh;

    (void)state;
    assert_int_equal(create("good.pem", "good.key", TOKEN "2", "127.0.0.1", &fresh), 0);
    http_access_take(access, fresh);
    assert_true(http_access_has_tls(access));
    assert_false(http_access_allows(access, "Bearer " TOKEN "1"));
    assert_true(http_access_allows(access, "Bearer " TOKEN "2"));
    http_access_take(access, create_good(NULL));
    assert_false(http_access_has_tls(access));
    assert_true(http_access_allows(access, NULL));
    http_access_destroy(access);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_files_everybody_may_ask_in_the_clear),
        cmocka_unit_test(a_token_lets_in_and_nothing_else),
        cmocka_unit_test(each_of_several_tokens_lets_in),
        cmocka_unit_test(a_bad_file_of_tokens_is_refused),
        cmocka_unit_test(the_largest_file_is_read),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error),
        cmocka_unit_test(a_certificate_serves_tls),
        cmocka_unit_test(a_weak_or_wrong_certificate_is_refused),
        cmocka_unit_test(a_token_that_goes_in_the_clear_is_warned_of),
        cmocka_unit_test(a_reread_takes_effect_at_once),
    };

    return cmocka_run_group_tests_name("control/http_access", tests, set_up_files, tear_down_files);
}
