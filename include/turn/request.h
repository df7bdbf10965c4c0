// SPDX-License-Identifier: BSD-3-Clause
// One authenticated request on its way through the server, and the methods that take it (RFC 8656
// sections 7-10, 12).
#pragma once

#include "proto/message.h"
#include "turn/server_state.h"

#include <stdbool.h>

struct turn_request {
    struct turn_server *server;
    const struct turn_time *now;
    const struct turn_packet *packet;
    struct turn_output *output;
    struct stun_message message;
    struct allocation *allocation; // of the 5-tuple, or NULL
    char username[USERNAME_MAX_LEN + 1];
    struct integrity_key key;
    enum stun_password_algorithm algorithm;
    bool is_owner;    // the allocation is this user's
    bool answer_sha1; // the client named no algorithm, so it may know no other (RFC 8489 section 9.2.4)
};
