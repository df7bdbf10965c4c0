// SPDX-License-Identifier: BSD-3-Clause
// recv and send, or OpenSSL on the socket itself, so that the kernel can do the records (kTLS).
#include "control/stream_socket.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

bool stream_socket_secure(struct stream_socket *socket, SSL *ssl)
{
    if (SSL_set_fd(ssl, socket->fd) != 1)
        return false;
    SSL_set_accept_state(ssl);
    socket->ssl = ssl;
    return true;
}

// Of a call that failed.
static int error_of(const SSL *ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    default:
        return -EPROTO;
    }
}

int stream_socket_shake(struct stream_socket *socket)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(socket->ssl);
    return result == 1 ? 0 : error_of(socket->ssl, result);
}

static int read_tls(SSL *ssl, void *bytes, size_t len, size_t *ret_len)
{
    int result;

    ERR_clear_error();
    result = SSL_read_ex(ssl, bytes, len, ret_len);
    if (result == 1)
        return 0;
    if (SSL_get_error(ssl, result) != SSL_ERROR_ZERO_RETURN)
        return error_of(ssl, result);
    *ret_len = 0;
    return 0;
}

int stream_socket_read(struct stream_socket *socket, void *bytes, size_t len, size_t *ret_len)
{
    ssize_t got;

    if (socket->ssl)
        return read_tls(socket->ssl, bytes, len, ret_len);
    do
        got = recv(socket->fd, bytes, len, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    *ret_len = (size_t)got;
    return 0;
}

static int write_tls(SSL *ssl, const void *bytes, size_t len, size_t *ret_len)
{
    int result;

    ERR_clear_error();
    result = SSL_write_ex(ssl, bytes, len, ret_len);
    return result == 1 ? 0 : error_of(ssl, result);
}

int stream_socket_write(struct stream_socket *socket, const void *bytes, size_t len,
                        size_t *ret_len)
{
    ssize_t sent;

    if (socket->ssl)
        return write_tls(socket->ssl, bytes, len, ret_len);
    do
        sent = send(socket->fd, bytes, len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    *ret_len = (size_t)sent;
    return 0;
}

bool stream_socket_has_pending(const struct stream_socket *socket)
{
    return socket->ssl && SSL_has_pending(socket->ssl);
}

bool stream_socket_wants_write(const struct stream_socket *socket)
{
    return socket->ssl && SSL_want_write(socket->ssl);
}

void stream_socket_close(struct stream_socket *socket)
{
    if (socket->ssl) {
        ERR_clear_error();
        if (SSL_is_init_finished(socket->ssl))
            SSL_shutdown(socket->ssl);
        SSL_free(socket->ssl);
    }
    close(socket->fd);
    *socket = (struct stream_socket){.fd = -1};
}
