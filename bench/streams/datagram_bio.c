// SPDX-License-Identifier: BSD-3-Clause
// Equal datagrams behind each other go out together, a shorter one as the last of them; what else
// comes begins anew.
#include "datagram_bio.h"

#include "../fail.h"
#include "segments.h"

#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OUT_BYTES    60000
#define OUT_SEGMENTS 64
#define IN_BYTES     65536

struct datagram_bio {
    int fd;
    BIO *bio;
    size_t out_len, out_segment; // bytes waiting, and of each datagram
    unsigned out_count;
    size_t in_len, in_done, in_segment;
    uint8_t out[OUT_BYTES];
    uint8_t in[IN_BYTES];
};

void datagram_bio_flush(struct datagram_bio *datagrams)
{
    if (datagrams->out_len > 0)
        (void)segments_send(datagrams->fd, NULL, 0, datagrams->out, datagrams->out_len,
                            datagrams->out_segment);
    datagrams->out_len = datagrams->out_count = 0;
}

static int write_datagram(BIO *bio, const char *bytes, int len)
{
    struct datagram_bio *datagrams = BIO_get_data(bio);
    size_t size = (size_t)len;

    if (datagrams->out_len > 0 &&
        (size != datagrams->out_segment || datagrams->out_count == OUT_SEGMENTS ||
         datagrams->out_len + size > OUT_BYTES))
        datagram_bio_flush(datagrams);
    if (size > OUT_BYTES)
        return -1;
    memcpy(datagrams->out + datagrams->out_len, bytes, size);
    datagrams->out_segment = size;
    datagrams->out_len += size;
    datagrams->out_count++;
    return len;
}

static int read_datagram(BIO *bio, char *buffer, int capacity)
{
    struct datagram_bio *datagrams = BIO_get_data(bio);
    size_t len;

    BIO_clear_retry_flags(bio);
    if (datagrams->in_done == datagrams->in_len) {
        ssize_t got =
            segments_receive(datagrams->fd, datagrams->in, IN_BYTES, &datagrams->in_segment);
        if (got <= 0) {
            BIO_set_retry_read(bio);
            return -1;
        }
        datagrams->in_len = (size_t)got;
        datagrams->in_done = 0;
    }
    len = datagrams->in_len - datagrams->in_done;
    if (len > datagrams->in_segment)
        len = datagrams->in_segment;
    memcpy(buffer, datagrams->in + datagrams->in_done,
           len < (size_t)capacity ? len : (size_t)capacity);
    datagrams->in_done += len;
    return (int)(len < (size_t)capacity ? len : (size_t)capacity);
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT;
}

static const BIO_METHOD *datagram_method(void)
{
    static BIO_METHOD *method;

    if (method)
        return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
    if (!method)
        fail("OpenSSL does not give a BIO");
    BIO_meth_set_write(method, write_datagram);
    BIO_meth_set_read(method, read_datagram);
    BIO_meth_set_ctrl(method, control);
    return method;
}

struct datagram_bio *datagram_bio_new(int fd)
{
    struct datagram_bio *datagrams = malloc(sizeof(*datagrams));

    if (!datagrams)
        fail("no memory");
    *datagrams = (struct datagram_bio){.fd = fd, .bio = BIO_new(datagram_method())};
    if (!datagrams->bio)
        fail("no memory");
    BIO_set_data(datagrams->bio, datagrams);
    BIO_set_init(datagrams->bio, 1);
    segments_join(fd);
    return datagrams;
}

BIO *datagram_bio_of(struct datagram_bio *datagrams)
{
    return datagrams->bio;
}

void datagram_bio_free(struct datagram_bio *datagrams)
{
    free(datagrams);
}
