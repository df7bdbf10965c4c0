// SPDX-License-Identifier: BSD-3-Clause
// turn/credentials.h.
#include "turn_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#define NOW_S FIXTURE_WALL_S

// Takes the C library's place in this executable: random bytes that a test knows.
ssize_t getrandom(void *bytes, size_t len, unsigned flags)
{
    (void)flags;
    memset(bytes, 0, len);
    return (ssize_t)len;
}

// A signed request of this client's, parsed.
static struct stun_message signed_message(struct fixture *fixture, const struct client *client,
                                          struct request *request)
{
    struct stun_message message;
    request_begin(fixture, request, STUN_METHOD_REFRESH);
    assert_int_equal(stun_message_parse(client_sign(fixture, client, request), &message),
                     STUN_VALID);
    return message;
}

static enum credentials_verdict check(struct fixture *fixture, const struct client *client,
                                      char *ret_username)
{
    struct request request;
    struct stun_message message = signed_message(fixture, client, &request);
    bool sha256 = client->style == CLIENT_SHA256 || client->style == CLIENT_SHA256_SHA1;
    struct integrity_key key;
    return credentials_check(fixture->credentials, &message,
                             sha256 ? STUN_PASSWORD_ALGORITHM_SHA256 : STUN_PASSWORD_ALGORITHM_MD5,
                             NOW_S, &key, ret_username);
}

static void a_user_passes_with_every_algorithm_and_mac(void **state)
{
    struct client client = client_make(1);
    char username[USERNAME_MAX_LEN + 1];
    for (unsigned style = CLIENT_MD5_SHA1; style <= CLIENT_SHA256_SHA1; style++) {
        client.style = (enum client_style)style;
        memset(username, 0, sizeof(username));
        assert_int_equal(check(*state, &client, username), CREDENTIALS_OK);
        assert_string_equal(username, "alice");
    }
}

static void a_wrong_password_and_an_unknown_user_are_told_apart_for_logs_only(void **state)
{
    struct client client = client_make(1);
    char username[USERNAME_MAX_LEN + 1] = "untouched";
    client.password = "wondeR";
    assert_int_equal(check(*state, &client, username), CREDENTIALS_WRONG);
    client.username = "mallory";
    assert_int_equal(check(*state, &client, username), CREDENTIALS_UNKNOWN_USER);
    client.username = "alic";
    client.password = "wonder";
    assert_int_equal(check(*state, &client, username), CREDENTIALS_UNKNOWN_USER);
    assert_string_equal(username, "untouched");
}

static void userhash_finds_a_configured_user(void **state)
{
    struct client client = client_make(1);
    char username[USERNAME_MAX_LEN + 1];
    client.use_userhash = true;
    client.style = CLIENT_SHA256;
    assert_int_equal(check(*state, &client, username), CREDENTIALS_OK);
    assert_string_equal(username, "alice");
    client.password = "wrong";
    assert_int_equal(check(*state, &client, username), CREDENTIALS_WRONG);
    client.username = "mallory";
    assert_int_equal(check(*state, &client, username), CREDENTIALS_UNKNOWN_USER);
}

static void a_rest_name_passes_with_any_secret_until_its_time(void **state)
{
    struct client client = client_make(1);
    char username[USERNAME_MAX_LEN + 1];
    char password[29];
    static const struct {
        const char *username;
        const char *secret;
        enum credentials_verdict verdict;
    } cases[] = {
        {"1700000001:carol", "new", CREDENTIALS_OK},
        {"1700000001:carol", "old", CREDENTIALS_OK},
        {"1700000001:carol", "guess", CREDENTIALS_WRONG},
        {"1700000000:carol", "new", CREDENTIALS_OK}, // this very second
        {"1699999999:carol", "new", CREDENTIALS_EXPIRED},
        {"1699999999:carol", "guess", CREDENTIALS_WRONG},
        {"1700000001", "new", CREDENTIALS_OK},
        {"1700000001:", "new", CREDENTIALS_OK},
        {"1700000001:a:b", "new", CREDENTIALS_OK},
        {"18446744073709551615:carol", "new", CREDENTIALS_OK},
        {"18446744073709551616:carol", "new", CREDENTIALS_UNKNOWN_USER}, // overflows
        {"99999999999999999999999:carol", "new",
         CREDENTIALS_UNKNOWN_USER}, // and this long before its end
        {"x1700000001:carol", "new", CREDENTIALS_UNKNOWN_USER},
        {"1700000001x", "new", CREDENTIALS_UNKNOWN_USER},
        {":carol", "new", CREDENTIALS_UNKNOWN_USER},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        client_use_rest(&client, cases[i].username, cases[i].secret, password);
        for (unsigned style = CLIENT_MD5_SHA1; style <= CLIENT_SHA256_SHA1; style++) {
            client.style = (enum client_style)style;
            assert_int_equal(check(*state, &client, username), cases[i].verdict);
        }
        if (cases[i].verdict == CREDENTIALS_OK)
            assert_string_equal(username, cases[i].username);
    }
}

static void only_a_pass_hands_out_the_key(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1);
    struct request request;
    char password[29];
    char username[USERNAME_MAX_LEN + 1] = "untouched";
    static const struct integrity_key untouched = {.len = 1};
    struct integrity_key key = untouched;
    client_use_rest(&client, "1699999999:carol", "new", password);
    struct stun_message message = signed_message(fixture, &client, &request);
    assert_int_equal(credentials_check(fixture->credentials, &message, STUN_PASSWORD_ALGORITHM_MD5,
                                       NOW_S, &key, username),
                     CREDENTIALS_EXPIRED);
    assert_memory_equal(&key, &untouched, sizeof(key));
    assert_string_equal(username, "untouched");
}

static void without_secrets_no_rest_name_passes(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1);
    char username[USERNAME_MAX_LEN + 1];
    char password[29];
    fixture_init(&fixture);
    struct credentials *plain;
    assert_int_equal(credentials_create("example.org", &plain), 0);
    struct credentials *with_secrets = fixture.credentials;
    fixture.credentials = plain;
    client_use_rest(&client, "1700000001:carol", "new", password);
    assert_int_equal(check(&fixture, &client, username), CREDENTIALS_UNKNOWN_USER);
    credentials_destroy(with_secrets);
    fixture_done(&fixture);
}

static void a_configured_user_with_a_rest_name_is_that_user(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1);
    char username[USERNAME_MAX_LEN + 1];
    char password[29];
    assert_int_equal(credentials_add_user(fixture->credentials, "1700000001:carol", "plain"), 0);
    client.username = "1700000001:carol";
    client.password = "plain";
    assert_int_equal(check(fixture, &client, username), CREDENTIALS_OK);
    client_use_rest(&client, "1700000001:carol", "new", password);
    assert_int_equal(check(fixture, &client, username), CREDENTIALS_WRONG);
    struct span name = credentials_quota_name(fixture->credentials, "1700000001:carol");
    assert_int_equal(name.len, strlen("1700000001:carol"));
}

static void quotas_count_by_the_userid_of_a_rest_name(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *username;
        const char *quota_name;
    } cases[] = {
        {"1700000001:carol", "carol"},  {"1700000001:a:b", "a:b"}, {"1700000001", "1700000001"},
        {"1700000001:", "1700000001:"}, {"alice", "alice"},        {"x:carol", "x:carol"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span name = credentials_quota_name(fixture->credentials, cases[i].username);
        assert_int_equal(name.len, strlen(cases[i].quota_name));
        assert_memory_equal(name.data, cases[i].quota_name, name.len);
    }
}

static void precomputed_keys_serve_their_algorithm_only(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1);
    char username[USERNAME_MAX_LEN + 1];
    struct integrity_key md5;
    struct integrity_key sha256;
    client.username = "keyed";
    client.password = "secret";
    integrity_key_derive(STUN_PASSWORD_ALGORITHM_MD5, text_span("keyed"), text_span("example.org"),
                         text_span("secret"), &md5);
    integrity_key_derive(STUN_PASSWORD_ALGORITHM_SHA256, text_span("keyed"),
                         text_span("example.org"), text_span("secret"), &sha256);
    assert_int_equal(credentials_add_user_keys(fixture->credentials, "keyed", md5.bytes, NULL), 0);
    assert_int_equal(check(fixture, &client, username), CREDENTIALS_OK);
    client.style = CLIENT_SHA256;
    assert_int_equal(check(fixture, &client, username), CREDENTIALS_WRONG);

    integrity_key_derive(STUN_PASSWORD_ALGORITHM_SHA256, text_span("modern"),
                         text_span("example.org"), text_span("secret"), &sha256);
    assert_int_equal(credentials_add_user_keys(fixture->credentials, "modern", NULL, sha256.bytes),
                     0);
    client.username = "modern";
    assert_int_equal(check(fixture, &client, username), CREDENTIALS_OK);
    client.style = CLIENT_MD5_SHA256;
    assert_int_equal(check(fixture, &client, username), CREDENTIALS_WRONG);
}

static enum credentials_verdict check_signed_with(struct fixture *fixture, const char *username,
                                                  const struct integrity_key *key,
                                                  enum stun_password_algorithm algorithm)
{
    struct request request;
    struct stun_message message;
    struct integrity_key found;
    char found_username[USERNAME_MAX_LEN + 1];
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    stun_add_string(&request.builder, STUN_ATTRIBUTE_USERNAME, username);
    stun_add_message_integrity_sha256(&request.builder, key);
    struct span bytes = {.data = request.buffer, .len = stun_builder_finish(&request.builder)};
    assert_int_equal(stun_message_parse(bytes, &message), STUN_VALID);
    return credentials_check(fixture->credentials, &message, algorithm, NOW_S, &found,
                             found_username);
}

// Neither a key of no bytes nor the one that unknown users are checked with: even who knew it would
// not pass.
static void a_key_that_is_nobodys_passes_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct integrity_key md5 = {.len = 16};
    struct integrity_key sha256 = {.len = 32};
    static const struct integrity_key keys[] = {{.len = 0}, {.len = 32}}; // see getrandom
    credentials_destroy(fixture->credentials);
    assert_int_equal(credentials_create("example.org", &fixture->credentials), 0);
    memset(md5.bytes, 1, md5.len);
    memset(sha256.bytes, 1, sha256.len);
    assert_int_equal(credentials_add_user_keys(fixture->credentials, "old", md5.bytes, NULL), 0);
    assert_int_equal(credentials_add_user_keys(fixture->credentials, "modern", NULL, sha256.bytes),
                     0);
    assert_int_equal(check_signed_with(fixture, "old", &md5, STUN_PASSWORD_ALGORITHM_MD5),
                     CREDENTIALS_OK);
    assert_int_equal(check_signed_with(fixture, "modern", &sha256, STUN_PASSWORD_ALGORITHM_SHA256),
                     CREDENTIALS_OK);
    for (unsigned i = 0; i < 2; i++) {
        const struct integrity_key *key = &keys[i];
        assert_int_equal(check_signed_with(fixture, "old", key, STUN_PASSWORD_ALGORITHM_SHA256),
                         CREDENTIALS_WRONG);
        assert_int_equal(check_signed_with(fixture, "modern", key, STUN_PASSWORD_ALGORITHM_MD5),
                         CREDENTIALS_WRONG);
        assert_int_equal(check_signed_with(fixture, "nobody", key, STUN_PASSWORD_ALGORITHM_SHA256),
                         CREDENTIALS_UNKNOWN_USER);
    }
}

static void names_are_compared_as_opaque_strings(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1);
    char username[USERNAME_MAX_LEN + 1];
    // "zoë" decomposed in the configuration, composed on the wire (RFC 8265 section 4.2: NFC).
    assert_int_equal(credentials_add_user(fixture->credentials, "zoe\xCC\x88", "pw"), 0);
    assert_int_equal(credentials_add_user(fixture->credentials, "zo\xC3\xAB", "pw"), -EEXIST);
    client.username = "zo\xC3\xAB";
    client.password = "pw";
    assert_int_equal(check(fixture, &client, username), CREDENTIALS_OK);
    assert_string_equal(username, "zo\xC3\xAB");
}

static void refuses_what_no_user_can_be(void **state)
{
    struct fixture *fixture = *state;
    char longest[USERNAME_MAX_LEN + 2];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(credentials_add_user(fixture->credentials, longest, "pw"), -EINVAL);
    longest[USERNAME_MAX_LEN] = '\0';
    assert_int_equal(credentials_add_user(fixture->credentials, longest, "pw"), 0);
    assert_int_equal(credentials_add_user(fixture->credentials, "", "pw"), -EINVAL);
    assert_int_equal(credentials_add_user(fixture->credentials, "carol", ""), -EINVAL);
    assert_int_equal(credentials_add_user(fixture->credentials, "ca\trol", "pw"), -EINVAL);
    assert_int_equal(credentials_add_user(fixture->credentials, "alice", "pw"), -EEXIST);
    assert_int_equal(credentials_add_rest_secret(fixture->credentials, text_span("")), -EINVAL);
}

static void a_username_of_the_longest_kind_passes(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1);
    char username[USERNAME_MAX_LEN + 1];
    char longest[USERNAME_MAX_LEN + 1];
    memset(longest, 'a', USERNAME_MAX_LEN);
    longest[USERNAME_MAX_LEN] = '\0';
    assert_int_equal(credentials_add_user(fixture->credentials, longest, "pw"), 0);
    client.username = longest;
    client.password = "pw";
    assert_int_equal(check(fixture, &client, username), CREDENTIALS_OK);
    assert_string_equal(username, longest);
}

static void a_thousand_users_are_all_found(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1);
    char name[32];
    char username[USERNAME_MAX_LEN + 1];
    client.username = name;
    client.password = name;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "user%u", i);
        assert_int_equal(credentials_add_user(fixture->credentials, name, name), 0);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "user%u", i);
        client.use_userhash = i & 1;
        assert_int_equal(check(fixture, &client, username), CREDENTIALS_OK);
        assert_string_equal(username, name);
    }
}

static void knows_whether_a_request_names_a_user(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1);
    struct request request;
    for (unsigned use_userhash = 0; use_userhash < 2; use_userhash++) {
        client.use_userhash = use_userhash;
        struct stun_message message = signed_message(fixture, &client, &request);
        assert_true(credentials_names(fixture->credentials, &message, "alice"));
        assert_false(credentials_names(fixture->credentials, &message, "bob"));
        assert_false(credentials_names(fixture->credentials, &message, "alic"));
        assert_false(credentials_names(fixture->credentials, &message, "alice2"));
    }
}

static void every_byte_of_a_userhash_counts(void **state)
{
    struct fixture *fixture = *state;
    struct stun_message message;
    struct request request;
    uint8_t userhash[USERHASH_LEN];
    integrity_userhash(text_span("alice"), text_span("example.org"), userhash);
    for (unsigned i = 0; i < USERHASH_LEN; i++) {
        userhash[i] ^= 1;
        request_begin(fixture, &request, STUN_METHOD_REFRESH);
        stun_add_bytes(&request.builder, STUN_ATTRIBUTE_USERHASH, userhash, sizeof(userhash));
        struct span bytes = {.data = request.buffer, .len = stun_builder_finish(&request.builder)};
        assert_int_equal(stun_message_parse(bytes, &message), STUN_VALID);
        assert_false(credentials_names(fixture->credentials, &message, "alice"));
        userhash[i] ^= 1;
    }
}

static void a_username_decides_when_there_is_a_userhash_too(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1);
    struct request request;
    struct stun_message message;
    struct integrity_key key;
    char username[USERNAME_MAX_LEN + 1];
    uint8_t userhash[USERHASH_LEN];
    integrity_userhash(text_span("bob"), text_span("example.org"), userhash);
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_USERHASH, userhash, sizeof(userhash));
    assert_int_equal(stun_message_parse(client_sign(fixture, &client, &request), &message),
                     STUN_VALID);
    assert_true(credentials_names(fixture->credentials, &message, "alice"));
    assert_false(credentials_names(fixture->credentials, &message, "bob"));
    assert_int_equal(credentials_check(fixture->credentials, &message, STUN_PASSWORD_ALGORITHM_MD5,
                                       NOW_S, &key, username),
                     CREDENTIALS_OK);
    assert_string_equal(username, "alice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_user_passes_with_every_algorithm_and_mac, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_wrong_password_and_an_unknown_user_are_told_apart_for_logs_only, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(userhash_finds_a_configured_user, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_rest_name_passes_with_any_secret_until_its_time,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(only_a_pass_hands_out_the_key, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test(without_secrets_no_rest_name_passes),
        cmocka_unit_test_setup_teardown(a_configured_user_with_a_rest_name_is_that_user,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(quotas_count_by_the_userid_of_a_rest_name, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(precomputed_keys_serve_their_algorithm_only, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_key_that_is_nobodys_passes_nobody, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(names_are_compared_as_opaque_strings, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(refuses_what_no_user_can_be, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_username_of_the_longest_kind_passes, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_thousand_users_are_all_found, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(knows_whether_a_request_names_a_user, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(every_byte_of_a_userhash_counts, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_username_decides_when_there_is_a_userhash_too,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
