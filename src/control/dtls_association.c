// SPDX-License-Identifier: BSD-3-Clause
// See control/dtls_association.h.
#include "control/dtls_association.h"

#include "control/dtls_hello.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/time.h>

// RFC 6347 sections 4.1 and 4.2.2.
#define RECORD_HEADER_LEN  13
#define MESSAGE_HEADER_LEN 12
#define CONTENT_HANDSHAKE  22

// OpenSSL keeps each with a buffer of its own, up to a hundred. There is one in a flight, which may
// be sent again.
#define EARLY_RECORDS_MAX 16
// It also keeps ten messages that come too early or in parts, of 16 kB each. After its hello a
// client has a key to send, and no certificate.
#define MESSAGE_MAX_LEN 4096
// Nonce and tag of AES-GCM (RFC 5288 section 3). The shortest record of a handshake, Finished, is
// longer with any cipher.
#define SEALED_LEN 24

bool dtls_association_begin(struct dtls_association *association, struct dtls_thread *thread,
                            struct tls_contexts *tls, const struct dtls_way *way, struct span hello)
{
    association->bio = (struct dtls_bio){.thread = thread, .way = *way, .datagram = hello};
    association->is_complete = false;
    association->early_count = 0;
    association->sealed_len = SEALED_LEN;
    association->ssl = dtls_ssl_new(tls, &association->bio);
    if (!association->ssl)
        return false;
    // Once more, for this one to know that it was.
    if (dtls_ssl_listen(association->ssl))
        return true;
    dtls_association_abandon(association);
    return false;
}

void dtls_association_abandon(struct dtls_association *association)
{
    SSL_free(association->ssl);
    association->ssl = NULL;
}

void dtls_association_end(struct dtls_association *association)
{
    association->bio.datagram = (struct span){};
    if (association->is_complete) {
        ERR_clear_error();
        SSL_alloc_buffers(association->ssl);
        SSL_shutdown(association->ssl);
        ERR_clear_error();
    }
    dtls_association_abandon(association);
}

// The first record, and what is behind it.
static struct span split_record(struct span *datagram)
{
    size_t len = RECORD_HEADER_LEN + (size_t)load_be16(datagram->data + 11);
    struct span record = {datagram->data, len < datagram->len ? len : datagram->len};

    *datagram = (struct span){record.data + record.len, datagram->len - record.len};
    return record;
}

// OpenSSL 3.0 takes an encrypted record that is too short for nonce and tag for an error of its
// own, and ends a session that RFC 6347 section 4.1.2.7 wants to go on.
bool dtls_association_is_harmed_by(const struct dtls_association *association, struct span datagram)
{
    while (datagram.len >= RECORD_HEADER_LEN) {
        struct span record = split_record(&datagram);
        bool is_encrypted = load_be16(record.data + 3) > 0;

        if (is_encrypted && record.len < RECORD_HEADER_LEN + (size_t)association->sealed_len)
            return true;
    }
    return false;
}

// What the negotiated cipher adds to a record. Short records of other ciphers than AEADs do no
// harm.
static uint8_t sealed_len_of(SSL *ssl)
{
    if (!SSL_CIPHER_is_aead(SSL_get_current_cipher(ssl)))
        return 0;
    return (uint8_t)(DTLS_FLIGHT_MTU - RECORD_HEADER_LEN - DTLS_get_data_mtu(ssl));
}

static bool has_long_message(struct span record)
{
    struct span rest = {record.data + RECORD_HEADER_LEN, record.len - RECORD_HEADER_LEN};

    while (rest.len >= MESSAGE_HEADER_LEN) {
        size_t part_len = MESSAGE_HEADER_LEN + (load_be32(rest.data + 8) & 0xFFFFFF);

        if ((load_be32(rest.data) & 0xFFFFFF) > MESSAGE_MAX_LEN)
            return true;
        if (part_len > rest.len)
            break;
        rest = (struct span){rest.data + part_len, rest.len - part_len};
    }
    return false;
}

// Before the handshake is over. False: OpenSSL might keep too much of it.
static bool may_be_kept(struct dtls_association *association, struct span datagram)
{
    unsigned early_count = association->early_count;

    while (datagram.len >= RECORD_HEADER_LEN) {
        struct span record = split_record(&datagram);
        bool is_encrypted = load_be16(record.data + 3) > 0;

        early_count += is_encrypted;
        if (early_count > EARLY_RECORDS_MAX)
            return false;
        if (!is_encrypted && record.data[0] == CONTENT_HANDSHAKE && has_long_message(record))
            return false;
    }
    association->early_count = (uint8_t)early_count;
    return true;
}

bool dtls_association_take(struct dtls_association *association, struct span datagram)
{
    if (!association->is_complete && !may_be_kept(association, datagram))
        return false;
    association->bio.datagram = datagram;
    return true;
}

// ERR_clear_error() takes its time, and there is hardly ever anything to clear.
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

enum dtls_verdict dtls_association_read(struct dtls_association *association, uint8_t *message,
                                        size_t *ret_len)
{
    int error = SSL_ERROR_NONE;

    forget_errors();
    if (SSL_read_ex(association->ssl, message, DTLS_MESSAGE_MAX_LEN, ret_len) != 1)
        error = SSL_get_error(association->ssl, 0);
    forget_errors();
    if (!association->is_complete && SSL_is_init_finished(association->ssl)) {
        association->is_complete = true;
        association->sealed_len = sealed_len_of(association->ssl);
    }
    return error == SSL_ERROR_NONE        ? DTLS_MESSAGE
           : error == SSL_ERROR_WANT_READ ? DTLS_NOTHING
                                          : DTLS_OVER;
}

bool dtls_association_write(struct dtls_association *association, struct span message)
{
    size_t written;
    bool is_written;

    forget_errors();
    is_written = SSL_alloc_buffers(association->ssl) == 1 &&
                 SSL_write_ex(association->ssl, message.data, message.len, &written) == 1;
    forget_errors();
    return is_written;
}

static bool is_due(SSL *ssl)
{
    struct timeval left;

    return DTLSv1_get_timeout(ssl, &left) == 1 && left.tv_sec == 0 && left.tv_usec == 0;
}

bool dtls_association_retransmit(struct dtls_association *association)
{
    bool goes_on;

    if (!is_due(association->ssl))
        return true;
    ERR_clear_error();
    goes_on =
        SSL_alloc_buffers(association->ssl) == 1 && DTLSv1_handle_timeout(association->ssl) >= 0;
    ERR_clear_error();
    dtls_association_shrink(association);
    return goes_on;
}

void dtls_association_shrink(struct dtls_association *association)
{
    SSL_free_buffers(association->ssl);
}
