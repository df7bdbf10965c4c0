// SPDX-License-Identifier: BSD-3-Clause
// recv and send, or OpenSSL: on the socket itself where the kernel makes the records (kTLS), else
// with a buffer between them.
#include "control/stream_socket.h"

#include "proto/channel_data.h"
#include "proto/message.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

// So many bytes of records are made before they are sent.
#define SEALED_LEN 65536

// Records of several messages gather here, to be sent as one. SSL_write() on a socket sends each.
static int seal(BIO *bio, const char *bytes, size_t len, size_t *ret_len)
{
    struct stream_socket *socket = BIO_get_data(bio);

    if (stream_buffer_append(&socket->sealed, (struct span){(const uint8_t *)bytes, len}, 0) != 0)
        return 0;
    *ret_len = len;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *sealing;
static pthread_once_t sealing_once = PTHREAD_ONCE_INIT;

static void make_sealing(void)
{
    sealing = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "records");
    if (sealing) {
        BIO_meth_set_write_ex(sealing, seal);
        BIO_meth_set_ctrl(sealing, control);
    }
}

// From the end of the handshake on, unless the kernel makes the records.
static bool begin_sealing(struct stream_socket *socket)
{
    BIO *bio;

    if (BIO_get_ktls_send(SSL_get_wbio(socket->ssl)))
        return true;
    pthread_once(&sealing_once, make_sealing);
    bio = sealing ? BIO_new(sealing) : NULL;
    if (!bio)
        return false;
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    SSL_set0_wbio(socket->ssl, bio);
    return true;
}

bool stream_socket_secure(struct stream_socket *socket, SSL *ssl)
{
    if (SSL_set_fd(ssl, socket->fd) != 1)
        return false;
    SSL_set_accept_state(ssl);
    socket->ssl = ssl;
    return true;
}

// Of a call that failed.
static int error_of(struct stream_socket *socket, int result)
{
    switch (SSL_get_error(socket->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    default:
        socket->is_broken = true;
        return -EPROTO;
    }
}

int stream_socket_shake(struct stream_socket *socket)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(socket->ssl);
    if (result != 1)
        return error_of(socket, result);
    return begin_sealing(socket) ? 0 : -ENOMEM;
}

void stream_socket_give_ticket(struct stream_socket *socket)
{
    if (socket->ssl)
        (void)SSL_new_session_ticket(socket->ssl);
}

static int read_tls(struct stream_socket *socket, void *bytes, size_t len, size_t *ret_len)
{
    int result;

    ERR_clear_error();
    result = SSL_read_ex(socket->ssl, bytes, len, ret_len);
    if (result == 1)
        return 0;
    if (SSL_get_error(socket->ssl, result) != SSL_ERROR_ZERO_RETURN)
        return error_of(socket, result);
    *ret_len = 0;
    return 0;
}

int stream_socket_read(struct stream_socket *socket, void *bytes, size_t len, size_t *ret_len)
{
    ssize_t got;

    if (socket->ssl)
        return read_tls(socket, bytes, len, ret_len);
    do
        got = recv(socket->fd, bytes, len, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    *ret_len = (size_t)got;
    return 0;
}

static int write_plain(const struct stream_socket *socket, const void *bytes, size_t len,
                       size_t *ret_len)
{
    ssize_t sent;

    do
        sent = send(socket->fd, bytes, len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    *ret_len = (size_t)sent;
    return 0;
}

int stream_socket_flush(struct stream_socket *socket)
{
    while (socket->sealed.len > 0) {
        struct span bytes = stream_buffer_bytes(&socket->sealed);
        size_t sent = 0;
        int error = write_plain(socket, bytes.data, bytes.len, &sent);

        if (error)
            return error;
        stream_buffer_consume(&socket->sealed, sent);
    }
    return 0;
}

static int write_tls(struct stream_socket *socket, const void *bytes, size_t len, size_t *ret_len)
{
    int result = SSL_write_ex(socket->ssl, bytes, len, ret_len);

    return result == 1 ? 0 : error_of(socket, result);
}

int stream_socket_write(struct stream_socket *socket, const void *bytes, size_t len,
                        size_t *ret_len)
{
    int error;

    if (!socket->ssl)
        return write_plain(socket, bytes, len, ret_len);
    ERR_clear_error();
    error = stream_socket_flush(socket);
    if (!error)
        error = write_tls(socket, bytes, len, ret_len);
    if (error)
        return error;
    error = stream_socket_flush(socket);
    return error == -EAGAIN ? 0 : error; // what is sealed is written
}

// With its header at the start: the whole of it, padding included.
static uint32_t message_len(const uint8_t *message)
{
    uint32_t len = load_be16(message + 2);

    if (!stun_first_byte(message[0]))
        return CHANNEL_DATA_HEADER_LEN + len + (uint32_t)channel_data_stream_padding(len);
    return STUN_HEADER_LEN + len;
}

static int write_records(struct stream_socket *socket, const uint8_t *bytes, size_t len,
                         size_t *ret_len)
{
    size_t done = 0;
    int error = 0;

    // One buffer for all of them.
    SSL_clear_mode(socket->ssl, SSL_MODE_RELEASE_BUFFERS);
    ERR_clear_error();
    while (!error && done < len && socket->sealed.len < SEALED_LEN) {
        size_t written;

        if (socket->message_left == 0)
            socket->message_left = message_len(bytes + done);
        error = write_tls(socket, bytes + done, socket->message_left, &written);
        if (error)
            break;
        socket->message_left -= (uint32_t)written;
        done += written;
    }
    SSL_set_mode(socket->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_free_buffers(socket->ssl);
    *ret_len = done;
    return done > 0 ? 0 : error;
}

int stream_socket_write_messages(struct stream_socket *socket, const void *bytes, size_t len,
                                 size_t *ret_len)
{
    size_t written;
    int error;

    if (!socket->ssl)
        return write_plain(socket, bytes, len, ret_len);
    error = stream_socket_flush(socket);
    if (!error)
        error = write_records(socket, bytes, len, &written);
    if (error)
        return error;
    *ret_len = written;
    error = stream_socket_flush(socket);
    return error == -EAGAIN ? 0 : error;
}

// Once; never after an error, says SSL_shutdown(3).
static void say_good_bye(struct stream_socket *socket)
{
    if (socket->is_broken || !SSL_is_init_finished(socket->ssl))
        return;
    ERR_clear_error();
    SSL_shutdown(socket->ssl);
}

int stream_socket_end(struct stream_socket *socket)
{
    int error;

    if (socket->ssl && !(SSL_get_shutdown(socket->ssl) & SSL_SENT_SHUTDOWN))
        say_good_bye(socket);
    error = stream_socket_flush(socket);
    if (error)
        return error;
    return shutdown(socket->fd, SHUT_WR) == 0 || errno == ENOTCONN ? 0 : -errno;
}

bool stream_socket_has_pending(const struct stream_socket *socket)
{
    return socket->ssl && SSL_has_pending(socket->ssl);
}

bool stream_socket_wants_write(const struct stream_socket *socket)
{
    return socket->sealed.len > 0 || (socket->ssl && SSL_want_write(socket->ssl));
}

void stream_socket_close(struct stream_socket *socket)
{
    if (socket->ssl) {
        say_good_bye(socket);
        stream_socket_flush(socket);
        SSL_free(socket->ssl);
    }
    stream_buffer_done(&socket->sealed);
    close(socket->fd);
    *socket = (struct stream_socket){.fd = -1};
}
