// SPDX-License-Identifier: BSD-3-Clause
// A socket that listens for clients' TCP connections; those that tcp_socket_accept() takes from it inherit what is set
// here.
#pragma once

#include "base/address.h"

#include <stdbool.h>

// Whether anybody listens there already: sockets that share a port would not notice. Logs who could tell. 0 or -errno.
int stream_listener_probe(const struct transport_address *address);

// is_shared: others of this process listen there too. Logs what went wrong, and what to do about it. 0 or -errno.
int stream_listener_open(const struct transport_address *address, bool is_shared, int *ret_fd);
