// SPDX-License-Identifier: BSD-3-Clause
// See platform/twins.h.
#include "platform/twins.h"

#include "platform/vhost_net.h"

#include <string.h>

// As their names are set.
static const char *const settings[PORT_DEVICES_MAX] = {"interface", "relay_interface"};

static int create_one(const struct twins_config *config, unsigned index, struct twins *twins)
{
    const struct device *device = &config->ports->devices[index];
    struct twin_config twin = {
        .plane = config->plane,
        .side = index,
        .setting = settings[index],
        .pool = config->ports->pool,
        .name = config->names[index],
        .mtu = device->mtu,
        .vhost_net = VHOST_NET_PATH,
        .facts = &config->ports->facts[index],
    };
    int error;

    memcpy(twin.mac, device->mac, sizeof(twin.mac));
    error = twin_create(&twin, &twins->at[index]);
    if (error)
        return error;
    twins->count = index + 1;
    return interface_query(twin.name, &twins->interfaces[index]);
}

int twins_create(const struct twins_config *config, struct twins *ret_twins)
{
    struct twins twins = {};
    int error = 0;

    for (unsigned i = 0; !error && i < config->ports->device_count; i++)
        error = create_one(config, i, &twins);
    if (error) {
        twins_destroy(&twins);
        return error;
    }
    *ret_twins = twins;
    return 0;
}

void twins_destroy(struct twins *twins)
{
    while (twins->count > 0)
        twin_destroy(twins->at[--twins->count]);
}

void twins_get_interface(const struct twins *twins, struct interface *ret_interface)
{
    struct interface interface = twins->interfaces[0];

    for (unsigned i = 1; i < twins->count; i++) {
        const struct interface *other = &twins->interfaces[i];

        for (uint16_t j = 0;
             j < other->address_count && interface.address_count < INTERFACE_ADDRESSES_MAX; j++)
            interface.addresses[interface.address_count++] = other->addresses[j];
    }
    *ret_interface = interface;
}
