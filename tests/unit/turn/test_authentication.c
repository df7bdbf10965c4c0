// SPDX-License-Identifier: BSD-3-Clause
// turn/authentication.h, through turn_server_receive: RFC 8489 section 9.2.4. The fixture checks
// the integrity of every response.
#include "turn_fixture.h"

#include <stdio.h>

static void every_style_of_client_gets_an_allocation_and_keeps_it(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned style = CLIENT_MD5_SHA1; style <= CLIENT_SHA256_SHA1; style++) {
        for (unsigned variant = 0; variant < 4; variant++) {
            struct client client = client_make((uint16_t)(1000 + style * 10 + variant));
            client.style = (enum client_style)style;
            client.use_userhash = variant & 1;
            client.use_fingerprint = variant & 2;
            assert_int_equal(client_allocate(fixture, &client), 0);
            assert_int_equal(client_refresh(fixture, &client, 600), 0);
            assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
            assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
        }
    }
}

static void errors_after_authentication_are_signed_as_well(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned style = CLIENT_MD5_SHA1; style <= CLIENT_SHA256_SHA1; style++) {
        struct client client = client_make((uint16_t)(1000 + style));
        client.style = (enum client_style)style;
        assert_int_equal(client_refresh(fixture, &client, 600), 437);
        bool sha1 = style == CLIENT_MD5_SHA1 || style == CLIENT_MD5_SHA256;
        assert_int_equal(fixture->response.integrity_offset != 0, sha1);
        assert_int_equal(fixture->response.integrity_sha256_offset != 0, !sha1);
    }
}

static void refuses_wrong_passwords_unknown_users_and_foreign_realms(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    client.password = "wrong";
    assert_int_equal(client_allocate(fixture, &client), 401);
    client = client_make(1000);
    client.username = "mallory";
    assert_int_equal(client_allocate(fixture, &client), 401);
    client = client_make(1000);
    client.realm = "example.net";
    assert_int_equal(client_allocate(fixture, &client), 401);
    assert_true(stun_message_has(&fixture->response, STUN_ATTRIBUTE_REALM));
    assert_true(stun_message_has(&fixture->response, STUN_ATTRIBUTE_NONCE));
    assert_true(stun_message_has(&fixture->response, STUN_ATTRIBUTE_PASSWORD_ALGORITHMS));
    assert_int_equal(fixture_usage(fixture).allocations, 0);
}

static void asks_for_credentials_and_takes_no_stale_nonce(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    struct span bytes = {.data = request.buffer, .len = stun_builder_finish(&request.builder)};
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 401);

    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    bytes = client_sign(fixture, &client, &request);
    fixture_advance_ms(fixture, 3700 * 1000);
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 438);

    // Somebody else's nonce.
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    bytes = client_sign(fixture, &client, &request);
    struct client other = client_make(1001);
    assert_int_equal(client_send_bytes(fixture, &other, bytes), 438);
}

static void a_changed_bit_anywhere_is_no_request_of_the_users(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    struct span bytes = client_sign(fixture, &client, &request);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        struct turn_packet packet = {.five_tuple = client.five_tuple, .bytes = bytes};
        request.buffer[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        turn_server_receive(fixture->server, &fixture->now, &packet, &fixture->output);
        request.buffer[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        assert_int_equal(fixture_usage(fixture).allocations, 0);
    }
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
}

// An Allocate that carries what the fixture's clients never do.
static struct span sign_by_hand(struct fixture *fixture, const struct client *client,
                                const char *realm, const struct integrity_key *sha1_key,
                                const struct integrity_key *sha256_key, struct request *request)
{
    uint8_t nonce[NONCE_LEN];
    nonce_mint(&fixture->config.stateless.nonce, &client->five_tuple.client,
               (uint32_t)(fixture->now.monotonic_ms / 1000), 7, nonce);
    request_begin(fixture, request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request->builder, 17);
    stun_add_string(&request->builder, STUN_ATTRIBUTE_USERNAME, client->username);
    stun_add_string(&request->builder, STUN_ATTRIBUTE_REALM, realm);
    stun_add_bytes(&request->builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    stun_add_message_integrity(&request->builder, sha1_key);
    if (sha256_key != NULL)
        stun_add_message_integrity_sha256(&request->builder, sha256_key);
    return (struct span){.data = request->buffer, .len = stun_builder_finish(&request->builder)};
}

static struct integrity_key md5_key(const struct client *client)
{
    struct integrity_key key;
    assert_int_equal(integrity_key_derive(STUN_PASSWORD_ALGORITHM_MD5, text_span(client->username),
                                          text_span("example.org"), text_span(client->password),
                                          &key),
                     0);
    return key;
}

static void a_realm_that_is_not_ours_is_refused_whatever_the_mac(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct integrity_key key = md5_key(&client);
    struct request request;
    static const char *const foreign[] = {"example.net", "example.or", "example.orgg"};
    for (unsigned i = 0; i < 3; i++) {
        struct span bytes = sign_by_hand(fixture, &client, foreign[i], &key, NULL, &request);
        assert_int_equal(client_send_bytes(fixture, &client, bytes), 401);
    }
    struct span bytes = sign_by_hand(fixture, &client, "example.org", &key, NULL, &request);
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
}

static unsigned send_both_macs(struct fixture *fixture, bool wrong_sha1, bool wrong_sha256)
{
    struct client client = client_make((uint16_t)(1000 + fixture->transaction));
    struct integrity_key key = md5_key(&client);
    struct integrity_key wrong = {.len = 16};
    struct request request;
    struct span bytes = sign_by_hand(fixture, &client, "example.org", wrong_sha1 ? &wrong : &key,
                                     wrong_sha256 ? &wrong : &key, &request);
    return client_send_bytes(fixture, &client, bytes);
}

static void of_two_macs_the_sha256_one_decides(void **state)
{
    assert_int_equal(send_both_macs(*state, false, false), 0);
    assert_int_equal(send_both_macs(*state, true, false), 0);
    assert_int_equal(send_both_macs(*state, false, true), 401);
}

static void a_transaction_id_of_another_user_is_no_retransmission(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client other = client_make(1000);
    other.username = "bob";
    other.password = "builder";
    assert_int_equal(client_allocate(fixture, &client), 0);
    fixture->transaction--;
    assert_int_equal(client_allocate(fixture, &other), 437);
    fixture->transaction--;
    assert_int_equal(client_allocate(fixture, &client), 0);
}

static void half_a_choice_of_algorithm_is_a_bad_request(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    static const uint16_t other_order[] = {STUN_PASSWORD_ALGORITHM_MD5,
                                           STUN_PASSWORD_ALGORITHM_SHA256};

    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_password_algorithm(&request.builder, STUN_PASSWORD_ALGORITHM_MD5);
    assert_int_equal(client_send(fixture, &client, &request), 400);

    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_password_algorithms(&request.builder, other_order, 2);
    stun_add_password_algorithm(&request.builder, STUN_PASSWORD_ALGORITHM_MD5);
    assert_int_equal(client_send(fixture, &client, &request), 400);
}

static void an_ongoing_call_outlives_its_rest_timestamp(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    char password[29];
    char username[32];
    snprintf(username, sizeof(username), "%u:carol", FIXTURE_WALL_S + 100);
    client_use_rest(&client, username, "new", password);
    assert_int_equal(client_allocate(fixture, &client), 0);
    fixture_advance_ms(fixture, 200 * 1000);
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    // Also with the key of the other algorithm, which is not stored.
    client.style = CLIENT_SHA256;
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    // And by the hash of its name, which only the allocation knows.
    client.use_userhash = true;
    assert_int_equal(client_refresh(fixture, &client, 600),
                     401); // the other algorithm's key is not to be had
    client.style = CLIENT_MD5_SHA1;
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    // But it starts no new call.
    client = client_make(1001);
    client_use_rest(&client, username, "new", password);
    assert_int_equal(client_allocate(fixture, &client), 401);
}

static void a_user_who_is_gone_keeps_what_there_is_and_gets_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct credentials *nobody;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(credentials_create("example.org", &nobody), 0);
    turn_server_set_access(fixture->server, nobody, fixture->policy);
    credentials_destroy(fixture->credentials);
    fixture->credentials = nobody;
    assert_int_equal(client_refresh(fixture, &client, 600), 401);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 401);
    struct client late = client_make(1001);
    assert_int_equal(client_allocate(fixture, &late), 401);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
    fixture_advance_ms(fixture, 601 * 1000);
    assert_all_released(fixture);
}

static void set_credentials(struct fixture *fixture, const char *realm, const char *password,
                            const char *secret)
{
    struct credentials *credentials;
    assert_int_equal(credentials_create(realm, &credentials), 0);
    assert_int_equal(credentials_add_user(credentials, "alice", password), 0);
    assert_int_equal(credentials_add_rest_secret(credentials, text_span(secret)), 0);
    turn_server_set_access(fixture->server, credentials, fixture->policy);
    credentials_destroy(fixture->credentials);
    fixture->credentials = credentials;
}

static void a_user_with_a_new_password_goes_on_with_that(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    other.style = CLIENT_SHA256;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_allocate(fixture, &other), 0);
    // As it was, in another place: nobody notices.
    set_credentials(fixture, "example.org", "wonder", "new");
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    assert_int_equal(client_refresh(fixture, &other, 600), 0);
    set_credentials(fixture, "example.org", "looking-glass", "new");
    assert_int_equal(client_refresh(fixture, &client, 600), 401);
    assert_int_equal(client_refresh(fixture, &other, 600), 401);
    client.password = other.password = "looking-glass";
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    assert_int_equal(client_refresh(fixture, &other, 600), 0);
    // And back again.
    set_credentials(fixture, "example.org", "wonder", "new");
    assert_int_equal(client_refresh(fixture, &client, 600), 401);
    client.password = "wonder";
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
}

static void a_call_goes_on_while_its_secret_is_valid(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    char username[64], password[29];
    snprintf(username, sizeof(username), "%u:carol", FIXTURE_WALL_S + 10);
    client_use_rest(&client, username, "old", password);
    assert_int_equal(client_allocate(fixture, &client), 0);
    fixture->now.wall_s += 100; // it starts no new call any more
    set_credentials(fixture, "example.org", "wonder", "old");
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    set_credentials(fixture, "example.org", "wonder", "new");
    assert_int_equal(client_refresh(fixture, &client, 600), 401);
}

static void a_client_that_takes_up_a_new_realm_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct stateless_policy policy = fixture->config.stateless;
    assert_int_equal(client_allocate(fixture, &client), 0);
    strcpy(policy.realm, "example.net");
    turn_server_set_stateless(fixture->server, &policy);
    set_credentials(fixture, "example.net", "wonder", "new");
    assert_int_equal(client_refresh(fixture, &client, 600), 401);
    client.realm = "example.net";
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
}

static void the_stored_key_does_not_excuse_a_wrong_password(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    client.password = "wrong";
    assert_int_equal(client_refresh(fixture, &client, 0), 401);
    client.style = CLIENT_SHA256;
    assert_int_equal(client_refresh(fixture, &client, 0), 401);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
}

static void another_user_on_the_same_five_tuple_gets_441(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client intruder = client_make(1000);
    intruder.username = "bob";
    intruder.password = "builder";
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_refresh(fixture, &intruder, 0), 441);
    assert_int_equal(client_permit(fixture, &intruder, "8.8.8.8"), 441);
    assert_int_equal(client_bind(fixture, &intruder, 0x4000, "8.8.8.8:5000"), 441);
    assert_int_equal(client_allocate(fixture, &intruder), 437);
    intruder.password = "wrong";
    assert_int_equal(client_refresh(fixture, &intruder, 0), 401);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
}

static void a_name_that_the_owners_starts_with_is_another_user(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client shorter = client_make(1000);
    struct client longer = client_make(1000);
    char passwords[3][29];
    client_use_rest(&client, "1700000100:carol", "new", passwords[0]);
    client_use_rest(&shorter, "1700000100:caro", "new", passwords[1]);
    client_use_rest(&longer, "1700000100:carola", "new", passwords[2]);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_refresh(fixture, &shorter, 0), 441);
    assert_int_equal(client_refresh(fixture, &longer, 0), 441);
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
}

static void nonce_of_the_challenge(struct fixture *fixture, const struct client *client,
                                   struct span request, uint8_t ret_nonce[NONCE_LEN])
{
    struct span nonce;
    assert_int_equal(client_send_bytes(fixture, client, request), 401);
    assert_int_equal(stun_message_string(&fixture->response, STUN_ATTRIBUTE_NONCE, &nonce),
                     STUN_VALUE_OK);
    assert_int_equal(nonce.len, NONCE_LEN);
    memcpy(ret_nonce, nonce.data, NONCE_LEN);
}

// RFC 8656 section 5: also within a second.
static void every_challenge_has_a_nonce_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request requests[2];
    uint8_t nonces[4][NONCE_LEN];
    client.password = "wrong";
    request_begin(fixture, &requests[0], STUN_METHOD_ALLOCATE);
    struct span bare = {.data = requests[0].buffer,
                        .len = stun_builder_finish(&requests[0].builder)};
    request_begin(fixture, &requests[1], STUN_METHOD_ALLOCATE);
    struct span wrong = client_sign(fixture, &client, &requests[1]);
    for (unsigned i = 0; i < 4; i++) {
        nonce_of_the_challenge(fixture, &client, i % 2 == 0 ? bare : wrong, nonces[i]);
        for (unsigned other = 0; other < i; other++)
            assert_memory_not_equal(nonces[i], nonces[other], NONCE_LEN);
    }
}

static void one_rest_user_with_two_timestamps_is_two_names(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client renewed = client_make(1000);
    char passwords[2][29];
    client_use_rest(&client, "1700000100:carol", "new", passwords[0]);
    client_use_rest(&renewed, "1700000200:carol", "new", passwords[1]);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_refresh(fixture, &renewed, 600), 441);
}

// Only the user whose call it is.
static void an_ongoing_call_excuses_no_other_rest_users_timestamp(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client late = client_make(1000);
    char password[29];
    assert_int_equal(client_allocate(fixture, &client), 0);
    client_use_rest(&late, "1699999999:carol", "new", password);
    assert_int_equal(client_refresh(fixture, &late, 0), 401);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_style_of_client_gets_an_allocation_and_keeps_it,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(errors_after_authentication_are_signed_as_well,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(refuses_wrong_passwords_unknown_users_and_foreign_realms,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(asks_for_credentials_and_takes_no_stale_nonce,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_changed_bit_anywhere_is_no_request_of_the_users,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(of_two_macs_the_sha256_one_decides, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_transaction_id_of_another_user_is_no_retransmission,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_realm_that_is_not_ours_is_refused_whatever_the_mac,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(half_a_choice_of_algorithm_is_a_bad_request, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(an_ongoing_call_outlives_its_rest_timestamp, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(an_ongoing_call_excuses_no_other_rest_users_timestamp,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_user_who_is_gone_keeps_what_there_is_and_gets_no_more,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_user_with_a_new_password_goes_on_with_that, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_call_goes_on_while_its_secret_is_valid, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_client_that_takes_up_a_new_realm_goes_on, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(the_stored_key_does_not_excuse_a_wrong_password,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(another_user_on_the_same_five_tuple_gets_441, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_name_that_the_owners_starts_with_is_another_user,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(every_challenge_has_a_nonce_of_its_own, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(one_rest_user_with_two_timestamps_is_two_names,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
