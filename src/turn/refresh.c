// SPDX-License-Identifier: BSD-3-Clause
// See turn/refresh.h.
#include "turn/refresh.h"

#include "turn/response.h"
#include "turn/teardown.h"

bool turn_read_lifetime(const struct turn_request *request, bool zero_deletes,
                        uint32_t *ret_lifetime_s)
{
    const struct turn_limits *limits = &request->server->config.limits;
    uint32_t wanted_s = limits->default_lifetime_s;
    if (stun_message_u32(&request->message, STUN_ATTRIBUTE_LIFETIME, &wanted_s) ==
        STUN_VALUE_MALFORMED)
        return false;
    if (wanted_s > limits->max_lifetime_s)
        wanted_s = limits->max_lifetime_s;
    if (wanted_s < limits->default_lifetime_s && !(wanted_s == 0 && zero_deletes))
        wanted_s = limits->default_lifetime_s;
    *ret_lifetime_s = wanted_s;
    return true;
}

// Which relayed addresses are meant: that of REQUESTED-ADDRESS-FAMILY, or all.
static unsigned read_slots(const struct turn_request *request, bool ret_slots[RELAYED_COUNT])
{
    enum ip_family family = IP_FAMILY_NONE;
    switch (stun_message_address_family(&request->message, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY,
                                        &family)) {
    case STUN_VALUE_MALFORMED:
        return STUN_ERROR_BAD_REQUEST;
    case STUN_VALUE_OK:
        if (!allocation_has_family(request->allocation, family))
            return STUN_ERROR_PEER_ADDRESS_FAMILY_MISMATCH;
        break;
    case STUN_VALUE_ABSENT:
        break;
    }
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        enum ip_family slot_family = relayed_family((enum relayed_slot)slot);
        ret_slots[slot] = allocation_has_family(request->allocation, slot_family) &&
                          (family == IP_FAMILY_NONE || family == slot_family);
    }
    return 0;
}

static void delete_slots(struct turn_request *request, const bool slots[RELAYED_COUNT])
{
    if (slots[RELAYED_V4] && slots[RELAYED_V6])
        teardown_allocation(request->server, request->allocation, TURN_END_DELETED,
                            request->output);
    else
        teardown_relayed(request->server, request->allocation,
                         slots[RELAYED_V4] ? RELAYED_V4 : RELAYED_V6, TURN_END_DELETED,
                         request->output);
}

static void extend_slots(struct turn_request *request, const bool slots[RELAYED_COUNT],
                         uint32_t lifetime_s)
{
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        if (slots[slot])
            expiry_set(&request->server->expiry, expiry_relayed((enum relayed_slot)slot),
                       request->allocation->id, request->now, lifetime_s);
    }
}

unsigned turn_refresh(struct turn_request *request)
{
    bool slots[RELAYED_COUNT];
    uint32_t lifetime_s;
    unsigned error = read_slots(request, slots);
    if (error != 0)
        return error;
    if (!turn_read_lifetime(request, true, &lifetime_s))
        return STUN_ERROR_BAD_REQUEST;
    if (lifetime_s == 0)
        delete_slots(request, slots);
    else
        extend_slots(request, slots, lifetime_s);

    struct stun_builder builder;
    response_begin_success(request, &builder);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, lifetime_s);
    response_end(request, &builder);
    return 0;
}
