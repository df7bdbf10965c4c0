// SPDX-License-Identifier: BSD-3-Clause
// The nonce: what is valid, what is stale, what is forged.
#include "proto/nonce.h"

#include "support.h"

#define NOW_S 5000

static const struct nonce_policy policy = {
    .current = {.mac = {{1, 2}}, .id = 9},
    .previous = {.mac = {{3, 4}}, .id = 8},
    .lifetime_s = 600,
    .features = NONCE_FEATURE_PASSWORD_ALGORITHMS | NONCE_FEATURE_USERNAME_ANONYMITY,
};

static struct transport_address address_of(const char *text)
{
    struct transport_address address;

    assert_int_equal(transport_address_parse(text, &address), 0);
    return address;
}

static struct transport_address client(void)
{
    return address_of("192.0.2.1:5000");
}

// Minted by our policy for our client.
struct minted {
    uint8_t bytes[NONCE_LEN];
};

static struct minted mint(uint32_t now_s)
{
    struct transport_address to = client();
    struct minted nonce;

    nonce_mint(&policy, &to, now_s, 77, nonce.bytes);
    return nonce;
}

static enum nonce_verdict verify(const struct nonce_policy *by, const char *from, uint32_t now_s,
                                 const struct minted *nonce)
{
    struct transport_address address = address_of(from);

    return nonce_verify(by, &address, now_s, SPAN(nonce->bytes));
}

static void takes_its_own_nonce_from_the_same_client(void **state)
{
    struct minted nonce = mint(NOW_S);

    (void)state;
    assert_int_equal(verify(&policy, "192.0.2.1:5000", NOW_S, &nonce), NONCE_VALID);
}

static void takes_a_nonce_up_to_its_lifetime_and_no_longer(void **state)
{
    struct minted nonce = mint(NOW_S);

    (void)state;
    assert_int_equal(verify(&policy, "192.0.2.1:5000", NOW_S + 600, &nonce), NONCE_VALID);
    assert_int_equal(verify(&policy, "192.0.2.1:5000", NOW_S + 601, &nonce), NONCE_STALE);
    assert_int_equal(verify(&policy, "192.0.2.1:5000", NOW_S + 0x80000001u, &nonce), NONCE_STALE);
}

static void takes_a_nonce_minted_by_a_clock_that_is_a_moment_ahead(void **state)
{
    struct minted nonce = mint(NOW_S);

    (void)state;
    assert_int_equal(verify(&policy, "192.0.2.1:5000", NOW_S - 2, &nonce), NONCE_VALID);
    assert_int_equal(verify(&policy, "192.0.2.1:5000", NOW_S - 3, &nonce), NONCE_STALE);
}

static void counts_age_across_the_wrap_of_its_seconds(void **state)
{
    struct minted nonce = mint(UINT32_MAX - 9);

    (void)state;
    assert_int_equal(verify(&policy, "192.0.2.1:5000", 590, &nonce), NONCE_VALID);
    assert_int_equal(verify(&policy, "192.0.2.1:5000", 591, &nonce), NONCE_STALE);
}

static void refuses_another_clients_address(void **state)
{
    struct minted nonce = mint(NOW_S);

    (void)state;
    assert_int_equal(verify(&policy, "192.0.2.2:5000", NOW_S, &nonce), NONCE_FORGED);
    assert_int_equal(verify(&policy, "[::c000:201]:5000", NOW_S, &nonce), NONCE_FORGED);
    assert_int_equal(verify(&policy, "[c000:201::]:5000", NOW_S, &nonce), NONCE_FORGED);
}

static void refuses_an_ipv6_client_of_which_one_bit_or_one_character_is_another(void **state)
{
    struct transport_address to = address_of("[2001:db8::c000:201]:5000");
    struct minted nonce;

    (void)state;
    nonce_mint(&policy, &to, NOW_S, 77, nonce.bytes);
    assert_int_equal(nonce_verify(&policy, &to, NOW_S, SPAN(nonce.bytes)), NONCE_VALID);
    for (unsigned bit = 0; bit < 128; bit++) {
        struct transport_address other = to;

        other.ip.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(nonce_verify(&policy, &other, NOW_S, SPAN(nonce.bytes)), NONCE_FORGED);
    }
    for (unsigned i = 0; i < NONCE_LEN; i++) {
        struct minted changed = nonce;

        changed.bytes[i] = changed.bytes[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(nonce_verify(&policy, &to, NOW_S, SPAN(changed.bytes)), NONCE_VALID);
    }
}

static void refuses_another_port(void **state)
{
    struct minted nonce = mint(NOW_S);

    (void)state;
    assert_int_equal(verify(&policy, "192.0.2.1:5001", NOW_S, &nonce), NONCE_FORGED);
    assert_int_equal(verify(&policy, "192.0.2.1:34835", NOW_S, &nonce),
                     NONCE_FORGED); // bytes swapped
}

static void refuses_another_key_of_the_same_id(void **state)
{
    struct nonce_policy other = policy;
    struct minted nonce = mint(NOW_S);

    (void)state;
    other.current.mac.k[1] ^= 1;
    assert_int_equal(verify(&other, "192.0.2.1:5000", NOW_S, &nonce), NONCE_FORGED);
}

static void takes_a_nonce_of_the_previous_key(void **state)
{
    struct nonce_policy rotated = policy;
    struct minted nonce = mint(NOW_S);

    (void)state;
    rotated.previous = policy.current;
    rotated.current = (struct nonce_key){.mac = {{5, 6}}, .id = 10};
    assert_int_equal(verify(&rotated, "192.0.2.1:5000", NOW_S, &nonce), NONCE_VALID);
    assert_int_equal(verify(&rotated, "192.0.2.1:5000", NOW_S + 601, &nonce), NONCE_STALE);
}

static void takes_a_nonce_whose_key_is_gone_for_stale(void **state)
{
    struct nonce_policy rotated = policy;
    struct minted nonce = mint(NOW_S);

    (void)state;
    rotated.previous.id = 10;
    rotated.current.id = 11;
    assert_int_equal(verify(&rotated, "192.0.2.1:5000", NOW_S, &nonce), NONCE_STALE);
}

// RFC 8489 section 9.2.1: a policy with other features is another server's, or an attacker's.
static void refuses_a_genuine_nonce_of_other_features(void **state)
{
    struct nonce_policy other = policy;
    struct minted nonce = mint(NOW_S);

    (void)state;
    other.features = NONCE_FEATURE_PASSWORD_ALGORITHMS;
    assert_int_equal(verify(&other, "192.0.2.1:5000", NOW_S, &nonce), NONCE_FORGED);
    other.features = 0;
    assert_int_equal(verify(&other, "192.0.2.1:5000", NOW_S, &nonce), NONCE_FORGED);
}

// Nor does it help to change what verifies and what is said together: the MAC covers the features.
static void refuses_a_nonce_whose_feature_bits_were_changed_to_ours(void **state)
{
    struct nonce_policy weak = policy;
    struct transport_address to = client();
    struct minted weaker;
    struct minted nonce = mint(NOW_S);

    (void)state;
    weak.features = 0;
    nonce_mint(&weak, &to, NOW_S, 77, weaker.bytes);
    memcpy(weaker.bytes + 9, nonce.bytes + 9, 4);
    assert_int_equal(verify(&policy, "192.0.2.1:5000", NOW_S, &weaker), NONCE_FORGED);
}

// Not even with one that says another of two keys that are the same.
static void never_takes_a_nonce_with_any_character_changed(void **state)
{
    struct nonce_policy same_keys = policy;

    same_keys.previous.mac = policy.current.mac;
    (void)state;
    for (unsigned i = 0; i < NONCE_LEN; i++) {
        for (unsigned character = 0; character < 256; character++) {
            struct minted nonce = mint(NOW_S);

            if (nonce.bytes[i] == character)
                continue;
            nonce.bytes[i] = (uint8_t)character;
            assert_int_not_equal(verify(&same_keys, "192.0.2.1:5000", NOW_S, &nonce), NONCE_VALID);
        }
    }
}

static void refuses_any_other_length(void **state)
{
    struct transport_address from = client();
    uint8_t longer[NONCE_LEN + 8];
    struct minted nonce = mint(NOW_S);

    (void)state;
    memset(longer, 'A', sizeof(longer));
    memcpy(longer, nonce.bytes, NONCE_LEN);
    for (size_t len = 0; len <= sizeof(longer); len++)
        assert_int_equal(nonce_verify(&policy, &from, NOW_S, (struct span){longer, len}),
                         len == NONCE_LEN ? NONCE_VALID : NONCE_FORGED);
}

static void gives_each_client_its_own_nonce(void **state)
{
    struct transport_address other_port = address_of("192.0.2.1:5001");
    struct minted nonce = mint(NOW_S);
    struct minted other;

    (void)state;
    nonce_mint(&policy, &other_port, NOW_S, 77, other.bytes);
    assert_memory_not_equal(nonce.bytes, other.bytes, NONCE_LEN);
}

static void gives_another_nonce_for_another_salt(void **state)
{
    struct transport_address to = client();
    struct minted nonce = mint(NOW_S);
    struct minted other;

    (void)state;
    nonce_mint(&policy, &to, NOW_S, 78, other.bytes);
    assert_memory_not_equal(nonce.bytes, other.bytes, NONCE_LEN);
    assert_int_equal(verify(&policy, "192.0.2.1:5000", NOW_S, &other), NONCE_VALID);
}

static void refuses_a_port_of_which_one_bit_is_another(void **state)
{
    struct transport_address to = client();
    struct minted nonce = mint(NOW_S);

    (void)state;
    for (unsigned bit = 0; bit < 16; bit++) {
        struct transport_address other = to;

        other.port ^= (uint16_t)(1u << bit);
        assert_int_equal(nonce_verify(&policy, &other, NOW_S, SPAN(nonce.bytes)), NONCE_FORGED);
    }
}

static void takes_its_own_nonce_of_any_time_salt_and_key(void **state)
{
    struct nonce_policy by = policy;
    struct transport_address to = client();

    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t now_s = 1u << bit;
        struct minted nonce;

        by.current.id = (uint8_t)(1u << bit % 8);
        nonce_mint(&by, &to, now_s, (uint16_t)(1u << bit % 16), nonce.bytes);
        assert_int_equal(nonce_verify(&by, &to, now_s, SPAN(nonce.bytes)), NONCE_VALID);
    }
}

static void starts_with_the_cookie_and_its_features_in_base64(void **state)
{
    static const struct {
        uint32_t features;
        const char *start;
    } cases[] = {
        {0, "obMatJos2AAAA"},
        {NONCE_FEATURE_PASSWORD_ALGORITHMS, "obMatJos2gAAA"},
        {NONCE_FEATURE_USERNAME_ANONYMITY, "obMatJos2QAAA"},
        {NONCE_FEATURE_PASSWORD_ALGORITHMS | NONCE_FEATURE_USERNAME_ANONYMITY, "obMatJos2wAAA"},
        {0xFFFFFF, "obMatJos2////"},
    };
    struct transport_address to = client();

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct nonce_policy with = policy;
        struct minted nonce;
        uint32_t features;

        with.features = cases[i].features;
        nonce_mint(&with, &to, NOW_S, 77, nonce.bytes);
        assert_memory_equal(nonce.bytes, cases[i].start, 13);
        assert_true(nonce_read_features(SPAN(nonce.bytes), &features));
        assert_int_equal(features, cases[i].features);
        assert_int_equal(nonce_verify(&with, &to, NOW_S, SPAN(nonce.bytes)), NONCE_VALID);
    }
}

// RFC 8489 section 14.10: qdtext, which base64's alphabet is part of.
static void is_made_of_base64_characters_only(void **state)
{
    (void)state;
    for (uint32_t now_s = 0; now_s < 1000; now_s++) {
        struct minted nonce = mint(now_s * 0x01234567);

        for (unsigned i = 0; i < NONCE_LEN; i++) {
            assert_int_not_equal(nonce.bytes[i], 0);
            assert_non_null(
                strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                       nonce.bytes[i]));
        }
    }
}

static void reads_the_features_of_the_nonce_of_rfc_8489_appendix_b_1(void **state)
{
    uint32_t features;

    (void)state;
    assert_true(
        nonce_read_features(span_of("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"), &features));
    assert_int_equal(features, 2);
}

static void reads_no_features_from_what_has_no_cookie(void **state)
{
    static const char *const texts[] = {"",
                                        "obMatJos2",
                                        "obMatJos2AAA",
                                        "obMatJos3AAAA",
                                        "f//499k954d6OL34oL9FSTvy64sA",
                                        "obMatJos2AA=A",
                                        "obMatJos2AA-A",
                                        "OBMATJOS2AAAA"};
    uint32_t features = 7;

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(nonce_read_features(span_of(texts[i]), &features));
    // What follows a nonce that is too short is not read as the rest of it.
    for (size_t len = 0; len < 13; len++)
        assert_false(
            nonce_read_features((struct span){(const uint8_t *)"obMatJos2AAAA", len}, &features));
    assert_int_equal(features, 7);
}

// As a worker does it for a burst.
static void mints_for_many_clients_at_once_what_each_would_get(void **state)
{
    const char *clients[] = {"192.0.2.1:5000", "192.0.2.1:5001", "192.0.2.2:5000",
                             "10.0.0.255:65535", "255.255.255.255:1"};
    enum { COUNT = sizeof(clients) / sizeof(clients[0]) };
    struct nonce_stamp stamp;
    uint64_t words[COUNT], macs[COUNT];

    (void)state;
    nonce_stamp_init(&policy, NOW_S, 77, &stamp);
    for (unsigned i = 0; i < COUNT; i++) {
        struct transport_address address = address_of(clients[i]);
        uint32_t ip;

        memcpy(&ip, address.ip.bytes, sizeof(ip));
        words[i] = nonce_ipv4_client(ip, address.port);
    }
    nonce_macs(&stamp, words, COUNT, macs);
    for (unsigned i = 0; i < COUNT; i++) {
        struct transport_address address = address_of(clients[i]);
        uint64_t end[NONCE_END_WORDS];
        struct minted nonce;

        nonce_mint(&policy, &address, NOW_S, 77, nonce.bytes);
        stamp.made_mac = &macs[i];
        nonce_end(&stamp, &address, end);
        assert_memory_equal(nonce.bytes + NONCE_END_OFFSET, end, NONCE_LEN - NONCE_END_OFFSET);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_its_own_nonce_from_the_same_client),
        cmocka_unit_test(takes_a_nonce_up_to_its_lifetime_and_no_longer),
        cmocka_unit_test(takes_a_nonce_minted_by_a_clock_that_is_a_moment_ahead),
        cmocka_unit_test(counts_age_across_the_wrap_of_its_seconds),
        cmocka_unit_test(refuses_another_clients_address),
        cmocka_unit_test(refuses_an_ipv6_client_of_which_one_bit_or_one_character_is_another),
        cmocka_unit_test(refuses_another_port),
        cmocka_unit_test(refuses_another_key_of_the_same_id),
        cmocka_unit_test(takes_a_nonce_of_the_previous_key),
        cmocka_unit_test(takes_a_nonce_whose_key_is_gone_for_stale),
        cmocka_unit_test(refuses_a_genuine_nonce_of_other_features),
        cmocka_unit_test(refuses_a_nonce_whose_feature_bits_were_changed_to_ours),
        cmocka_unit_test(never_takes_a_nonce_with_any_character_changed),
        cmocka_unit_test(refuses_any_other_length),
        cmocka_unit_test(gives_each_client_its_own_nonce),
        cmocka_unit_test(gives_another_nonce_for_another_salt),
        cmocka_unit_test(refuses_a_port_of_which_one_bit_is_another),
        cmocka_unit_test(takes_its_own_nonce_of_any_time_salt_and_key),
        cmocka_unit_test(mints_for_many_clients_at_once_what_each_would_get),
        cmocka_unit_test(starts_with_the_cookie_and_its_features_in_base64),
        cmocka_unit_test(is_made_of_base64_characters_only),
        cmocka_unit_test(reads_the_features_of_the_nonce_of_rfc_8489_appendix_b_1),
        cmocka_unit_test(reads_no_features_from_what_has_no_cookie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
