// SPDX-License-Identifier: BSD-3-Clause
// See control/dtls_bio.h.
#include "control/dtls_bio.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

// What is longer than OpenSSL's buffer is no record: the rest is lost, as with sockets.
static int read_datagram(BIO *bio, char *ret_bytes, int max_len)
{
    struct dtls_bio *state = BIO_get_data(bio);
    struct span datagram = state->datagram;

    BIO_clear_retry_flags(bio);
    if (datagram.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (datagram.len > (size_t)max_len)
        datagram.len = (size_t)max_len;
    memcpy(ret_bytes, datagram.data, datagram.len);
    state->datagram = (struct span){};
    return (int)datagram.len;
}

static int write_datagram(BIO *bio, const char *bytes, int len)
{
    struct dtls_bio *state = BIO_get_data(bio);
    struct dtls_thread *thread = state->thread;
    struct span datagram = {(const uint8_t *)bytes, (size_t)len};
    int error = stream_send_datagram(thread->plane, thread->thread, state->way.worker,
                                     &state->way.wire, datagram);

    BIO_clear_retry_flags(bio);
    state->has_written = true;
    if (error)
        dtls_count(&thread->counters.dropped_no_room, 1);
    return len;
}

// There is nothing to flush, and nothing else that a ring could say.
static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static void make_method(void)
{
    int type = BIO_get_new_index();
    BIO_METHOD *made = type == -1 ? NULL : BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "frames");

    if (made && BIO_meth_set_read(made, read_datagram) == 1 &&
        BIO_meth_set_write(made, write_datagram) == 1 && BIO_meth_set_ctrl(made, control) == 1 &&
        BIO_meth_set_create(made, create) == 1)
        method = made;
    else
        BIO_meth_free(made);
}

bool dtls_bio_attach(struct dtls_bio *bio, SSL *ssl)
{
    BIO *made;

    pthread_once(&once, make_method);
    made = method ? BIO_new(method) : NULL;
    if (!made)
        return false;
    BIO_set_data(made, bio);
    SSL_set_bio(ssl, made, made);
    return true;
}

struct dtls_bio *dtls_bio_of(const SSL *ssl)
{
    return BIO_get_data(SSL_get_rbio(ssl));
}
