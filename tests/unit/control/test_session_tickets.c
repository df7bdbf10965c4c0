// SPDX-License-Identifier: BSD-3-Clause
// Claims about the keys of session tickets: what one seals it opens, and for how long.
#include "control/session_tickets.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LIFETIME_MS (UINT64_C(1000) * SESSION_TICKETS_LIFETIME_S)
#define START_MS    UINT64_C(5000)

struct ticket {
    unsigned char name[16], iv[16], text[64], mac[EVP_MAX_MD_SIZE];
    int text_len;
    size_t mac_len;
};

static const unsigned char plain[20] = "twenty bytes of text";

// Returns what session_tickets_prepare did; ret_text: what the keys make of text.
static int crypt_text(struct session_tickets *tickets, uint64_t now_ms, struct ticket *ticket,
                      const unsigned char *text, int text_len, int sealing, unsigned char *ret_text,
                      int *ret_len)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int result = session_tickets_prepare(tickets, now_ms, ticket->name, ticket->iv, cipher, mac,
                                         sealing),
        len = 0, rest = 0;

    if (result > 0) {
        assert_int_equal(EVP_CipherUpdate(cipher, ret_text, &len, text, text_len), 1);
        assert_int_equal(EVP_CipherFinal_ex(cipher, ret_text + len, &rest), 1);
        assert_int_equal(EVP_MAC_init(mac, NULL, 0, NULL), 1);
        assert_int_equal(EVP_MAC_update(mac, plain, sizeof(plain)), 1);
        assert_int_equal(EVP_MAC_final(mac, ticket->mac, &ticket->mac_len, sizeof(ticket->mac)), 1);
        *ret_len = len + rest;
    }
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    return result;
}

static void seal(struct session_tickets *tickets, uint64_t now_ms, struct ticket *ret_ticket)
{
    *ret_ticket = (struct ticket){};
    assert_int_equal(crypt_text(tickets, now_ms, ret_ticket, plain, sizeof(plain), 1,
                                ret_ticket->text, &ret_ticket->text_len),
                     1);
    assert_memory_not_equal(ret_ticket->text, plain, sizeof(plain));
    assert_int_equal(ret_ticket->mac_len, 32);
}

static int open(struct session_tickets *tickets, uint64_t now_ms, const struct ticket *ticket)
{
    struct ticket copy = *ticket;
    unsigned char text[64];
    int len = 0,
        result = crypt_text(tickets, now_ms, &copy, ticket->text, ticket->text_len, 0, text, &len);

    if (result > 0) {
        assert_int_equal(len, sizeof(plain));
        assert_memory_equal(text, plain, sizeof(plain));
        assert_memory_equal(copy.mac, ticket->mac, 32);
    }
    return result;
}

static void what_was_sealed_is_opened(void **state)
{
    struct session_tickets *tickets;
    struct ticket ticket, other;

    (void)state;
    assert_int_equal(session_tickets_create(START_MS, &tickets), 0);
    seal(tickets, START_MS, &ticket);
    assert_int_equal(open(tickets, START_MS + LIFETIME_MS - 1, &ticket), 1);
    seal(tickets, START_MS, &other);
    assert_memory_not_equal(ticket.iv, other.iv, sizeof(ticket.iv));
    assert_memory_not_equal(ticket.text, other.text, sizeof(plain));
    session_tickets_destroy(tickets);
}

static void an_old_ticket_is_opened_and_renewed(void **state)
{
    struct session_tickets *tickets;
    struct ticket ticket, newer;

    (void)state;
    assert_int_equal(session_tickets_create(START_MS, &tickets), 0);
    seal(tickets, START_MS, &ticket);
    assert_int_equal(open(tickets, START_MS + LIFETIME_MS, &ticket), 2);
    seal(tickets, START_MS + LIFETIME_MS, &newer);
    assert_memory_not_equal(ticket.name, newer.name, sizeof(ticket.name));
    assert_int_equal(open(tickets, START_MS + LIFETIME_MS, &newer), 1);
    session_tickets_destroy(tickets);
}

static void a_key_is_gone_after_two_lifetimes(void **state)
{
    struct session_tickets *tickets;
    struct ticket ticket;

    (void)state;
    assert_int_equal(session_tickets_create(START_MS, &tickets), 0);
    seal(tickets, START_MS, &ticket);
    assert_int_equal(open(tickets, START_MS + LIFETIME_MS, &ticket), 2);
    assert_int_equal(open(tickets, START_MS + 2 * LIFETIME_MS, &ticket), 0);
    session_tickets_destroy(tickets);
}

static void a_key_is_gone_after_two_lifetimes_in_which_nobody_came(void **state)
{
    struct session_tickets *tickets;
    struct ticket ticket;

    (void)state;
    assert_int_equal(session_tickets_create(START_MS, &tickets), 0);
    seal(tickets, START_MS, &ticket);
    assert_int_equal(open(tickets, START_MS + 2 * LIFETIME_MS, &ticket), 0);
    session_tickets_destroy(tickets);
}

static void a_ticket_of_another_relay_is_unknown(void **state)
{
    struct session_tickets *tickets, *others;
    struct ticket ticket;

    (void)state;
    assert_int_equal(session_tickets_create(START_MS, &tickets), 0);
    assert_int_equal(session_tickets_create(START_MS, &others), 0);
    seal(others, START_MS, &ticket);
    assert_int_equal(open(tickets, START_MS, &ticket), 0);
    session_tickets_destroy(tickets);
    session_tickets_destroy(others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_is_opened),
        cmocka_unit_test(an_old_ticket_is_opened_and_renewed),
        cmocka_unit_test(a_key_is_gone_after_two_lifetimes),
        cmocka_unit_test(a_key_is_gone_after_two_lifetimes_in_which_nobody_came),
        cmocka_unit_test(a_ticket_of_another_relay_is_unknown),
    };

    return cmocka_run_group_tests_name("control/session_tickets", tests, NULL, NULL);
}
