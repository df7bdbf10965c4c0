// SPDX-License-Identifier: BSD-3-Clause
// The media: writes packets of random flows as clients and peers send them, and checks what
// comes out on the relay's other side (RFC 8656 sections 11, 12).
#pragma once

#include "flow.h"
#include "frame.h"
#include "histogram.h"
#include "payload.h"
#include "picker.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEDIA_LENS_MAX 8
// A Send indication over IPv6 around the longest payload.
#define MEDIA_FRAME_MAX_LEN 1536

enum media_framing {
    MEDIA_CHANNEL,    // ChannelData
    MEDIA_INDICATION, // Send and Data indications
};

struct media_config {
    struct flows *flows; // gathered, at least one ready
    const struct link *link;
    bool directions[DIRECTION_COUNT]; // at least one
    enum media_framing framing;
    uint16_t lens[MEDIA_LENS_MAX]; // of payloads, drawn alike
    unsigned len_count;
    double zipf; // exponent; 0: uniform
    bool has_checksum;
    uint32_t damage_every; // one byte is wrong in one of so many payloads; 0: in none
    bool is_prepared;      // frames are sent again and again: neither their numbers nor times count
    uint64_t seed;
};

struct media_counts {
    uint64_t sent;
    uint64_t sent_len; // bytes of payload
    uint64_t damaged;  // on purpose, of those sent
    uint64_t received; // right, and not before
    uint64_t received_len;
    uint64_t reordered;
    uint64_t duplicates;
    uint64_t wrong;       // bytes are not those that were sent
    uint64_t misdirected; // right bytes from, or to, or in, what is not the flow's
    uint64_t checked;     // of prepared ones: those that were looked at and were right
};

struct media {
    struct media_config config;
    struct picker picker;
    struct random_state random;
    uint64_t written;
    uint64_t transaction; // of the next Send indication
    struct media_counts counts[DIRECTION_COUNT];
    struct histogram ticks[DIRECTION_COUNT]; // one way, through the relay
};

// payload_setup() was called. 0, -ENOMEM.
int media_init(struct media *media, const struct media_config *config);
void media_done(struct media *media);

// The next packet, as a whole frame, into MEDIA_FRAME_MAX_LEN bytes. now: the clock that times are
// measured on. Returns the frame's length.
size_t media_write(struct media *media, uint8_t *frame, uint64_t now);

// A packet of that flow as it would be, but without number and time, so that all of one direction
// differ in their headers and the head of their payload alone. Not counted.
size_t media_write_unnumbered(struct media *media, uint8_t *frame, uint32_t flow,
                              enum direction direction);

// Any datagram that arrived from elsewhere than the server: a peer should have got it.
void media_receive_peer(struct media *media, const struct datagram *datagram, uint64_t now);
// A datagram from the server that begins as ChannelData.
void media_receive_channel(struct media *media, const struct datagram *datagram, uint64_t now);
// What came back as it was sent, but for its MAC addresses, which should be swapped.
void media_receive_swapped(struct media *media, const uint8_t *frame,
                           const struct datagram *datagram, uint64_t now);
// A Data indication from the server.
void media_receive_data(struct media *media, const struct datagram *datagram,
                        const struct stun_message *message, uint64_t now);
