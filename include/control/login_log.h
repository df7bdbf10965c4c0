// SPDX-License-Identifier: BSD-3-Clause
// A line for each login that is refused, made to be read by fail2ban: config/fail2ban has its filter. The address is
// proven, for who has no nonce, which came to that address, gets no further than a worker.
#pragma once

#include "turn/server.h"

// When output says that the packet's credentials were refused. Before the packet's frame is used for the response.
void login_log_refused(const struct turn_packet *packet, const struct turn_output *output);
