// SPDX-License-Identifier: BSD-3-Clause
// Which peers a client may reach: one longest-prefix decision, default-deny for every special-purpose block, embedding
// prefixes denied whole (RFC 8656 sections 21.1.1 and following; the IANA special-purpose registries).
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer_policy;

enum peer_verdict {
    PEER_ALLOWED,
    PEER_HAIRPIN,        // one of our own relay addresses: reachable through the hairpin only
    PEER_DENIED_DEFAULT, // a special-purpose block
    PEER_DENIED_RULE,    // deny_peer
    PEER_DENIED_OWN,     // an address of this host that is no relay address, or no relay port of one that is
    PEER_DENIED_PORT,    // port 0
};

static inline bool peer_verdict_allows(enum peer_verdict verdict)
{
    return verdict <= PEER_HAIRPIN;
}

// allow and deny are copied. Of two rules for the same prefix, deny wins; of two that nest, the longer.
// 0, -ENOMEM.
int peer_policy_create(const struct ip_prefix *allow, size_t allow_count, const struct ip_prefix *deny,
                       size_t deny_count, struct peer_policy **ret_policy);
void peer_policy_destroy(struct peer_policy *policy);

// Our own addresses come before every rule. An own address is denied; a relay address (as peers know it, that is the
// advertised one) is PEER_HAIRPIN for ports min_port..max_port and for a permission, which has no port. 0, -ENOMEM.
int peer_policy_add_own(struct peer_policy *policy, const struct ip_address *ip);
int peer_policy_add_relay(struct peer_policy *policy, const struct ip_address *advertised, uint16_t min_port,
                          uint16_t max_port);

// For CreatePermission, where the port does not count.
enum peer_verdict peer_policy_check_ip(const struct peer_policy *policy, const struct ip_address *ip);
// For ChannelBind, Send and Connect.
enum peer_verdict peer_policy_check(const struct peer_policy *policy, const struct transport_address *peer);
