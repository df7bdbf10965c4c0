// SPDX-License-Identifier: BSD-3-Clause
// Connect requests (RFC 6062 section 5.2). Their responses come late.
#pragma once

#include "turn/request.h"

// The error code to answer with, or 0: a command has been written, and the response is
// turn_connect_answer()'s. The request is authenticated and its allocation is there and its user's.
unsigned turn_connect(struct turn_request *request);

// Answer the Connect that made this connection, which is CONNECTING, with success or error; success
// makes it UNBOUND. The output has no response yet.
void turn_connect_answer(struct turn_server *server, uint32_t connection, unsigned error,
                         struct turn_output *output);
