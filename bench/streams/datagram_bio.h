// SPDX-License-Identifier: BSD-3-Clause
// Datagrams for OpenSSL, many to a system call: UDP_SEGMENT on the way out, UDP_GRO on the way in.
#pragma once

#include <openssl/types.h>

struct datagram_bio;

// Of a connected socket that does not wait.
struct datagram_bio *datagram_bio_new(int fd);
// The SSL that gets it drops a reference for each side; the batch itself is datagram_bio_free()'s.
BIO *datagram_bio_of(struct datagram_bio *datagrams);
void datagram_bio_free(struct datagram_bio *datagrams);
void datagram_bio_flush(struct datagram_bio *datagrams);
