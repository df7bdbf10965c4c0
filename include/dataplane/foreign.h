// SPDX-License-Identifier: BSD-3-Clause
// Plain datagrams that landed on another worker than their owner, as where a NIC cannot steer by
// port: handed on in few steps, on the short way (dataplane/media.h). Only what is as usual goes
// from here, and what came from the wire; the rest goes the long way (dataplane/stray_client.h).
#pragma once

#include "dataplane/plain.h"
#include "dataplane/tables.h"

// From the place `from` on, those for relay ports of other workers leave the list with their slots,
// and are handed to the ports' owners. The others stay in their order.
void foreign_peers(struct worker *worker, enum ip_family family, struct plain_peers *peers,
                   unsigned from);

// Datagrams that begin as ChannelData does, for which the first look found no channel that matches.
// Those of clients that are steered go to the clients' owners; the others are added to rest.
void foreign_clients(struct worker *worker, enum ip_family family,
                     const struct plain_choice *clients, struct plain_list *rest);
