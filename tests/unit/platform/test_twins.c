// SPDX-License-Identifier: BSD-3-Clause
// Claims about the twins of several devices. Twins and the kernel's interfaces are fakes.
#include "platform/twins.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct twin_config made[PORT_DEVICES_MAX];
    unsigned made_count;
    unsigned destroyed_count;
    unsigned fails_at;   // the twin that cannot be made; from PORT_DEVICES_MAX on: none
    const char *unknown; // an interface that the kernel does not know
} fake;

int twin_create(const struct twin_config *config, struct twin **ret_twin)
{
    if (fake.made_count == fake.fails_at)
        return -EBUSY;
    *ret_twin = (struct twin *)&fake.made[fake.made_count];
    fake.made[fake.made_count++] = *config;
    return 0;
}

void twin_destroy(struct twin *twin)
{
    fake.destroyed_count++;
    // The last first.
    assert_ptr_equal(twin, &fake.made[fake.made_count - fake.destroyed_count]);
}

int interface_query(const char *name, struct interface *ret_interface)
{
    if (fake.unknown && strcmp(name, fake.unknown) == 0)
        return -ENODEV;
    *ret_interface = (struct interface){.index = fake.made_count, .address_count = 2};
    snprintf(ret_interface->name, sizeof(ret_interface->name), "%s", name);
    ret_interface->addresses[0].bytes[0] = (uint8_t)(10 * fake.made_count);
    ret_interface->addresses[1].bytes[0] = (uint8_t)(10 * fake.made_count + 1);
    return 0;
}

static struct ports ports = {
    .device_count = 2,
    .devices = {{.mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500}, {.mac = {2, 0, 0, 0, 0, 2}, .mtu = 9000}},
};
static const struct twins_config config = {.ports = &ports, .names = {"edge0", "core0"}};

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.fails_at = PORT_DEVICES_MAX;
    return 0;
}

static void each_device_has_a_twin_like_itself(void **state)
{
    struct twins twins;

    (void)state;
    assert_int_equal(twins_create(&config, &twins), 0);
    assert_int_equal(twins.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_ptr_equal(twins.at[i], &fake.made[i]);
        assert_int_equal(fake.made[i].side, i);
        assert_string_equal(fake.made[i].name, config.names[i]);
        assert_memory_equal(fake.made[i].mac, ports.devices[i].mac, 6);
        assert_int_equal(fake.made[i].mtu, ports.devices[i].mtu);
        assert_ptr_equal(fake.made[i].facts, &ports.facts[i]);
        assert_string_equal(twins.interfaces[i].name, config.names[i]);
    }
    assert_string_equal(fake.made[1].setting, "relay_interface");
    twins_destroy(&twins);
    assert_int_equal(fake.destroyed_count, 2);
}

static void one_device_has_one_twin(void **state)
{
    struct ports one = ports;
    struct twins_config its_config = config;
    struct interface interface;
    struct twins twins;

    (void)state;
    one.device_count = 1;
    its_config.ports = &one;
    assert_int_equal(twins_create(&its_config, &twins), 0);
    assert_int_equal(fake.made_count, 1);
    twins_get_interface(&twins, &interface);
    assert_int_equal(interface.address_count, 2);
    twins_destroy(&twins);
    assert_int_equal(fake.destroyed_count, 1);
}

static void none_is_left_where_one_cannot_be_made(void **state)
{
    struct twins twins = {.count = 77};

    (void)state;
    fake.fails_at = 1;
    assert_int_equal(twins_create(&config, &twins), -EBUSY);
    assert_int_equal(fake.destroyed_count, 1);
    set_up(NULL);
    fake.unknown = "core0";
    assert_int_equal(twins_create(&config, &twins), -ENODEV);
    assert_int_equal(fake.destroyed_count, 2);
    assert_int_equal(twins.count, 77);
}

static void the_addresses_of_all_are_told_as_far_as_there_is_room(void **state)
{
    struct interface interface;
    struct twins twins;

    (void)state;
    assert_int_equal(twins_create(&config, &twins), 0);
    twins_get_interface(&twins, &interface);
    assert_string_equal(interface.name, "edge0");
    assert_int_equal(interface.address_count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(interface.addresses[i].bytes[0], 10 * (1 + i / 2) + i % 2);
    twins.interfaces[0].address_count = INTERFACE_ADDRESSES_MAX - 1;
    twins_get_interface(&twins, &interface);
    assert_int_equal(interface.address_count, INTERFACE_ADDRESSES_MAX);
    twins_destroy(&twins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_device_has_a_twin_like_itself, set_up),
        cmocka_unit_test_setup(one_device_has_one_twin, set_up),
        cmocka_unit_test_setup(none_is_left_where_one_cannot_be_made, set_up),
        cmocka_unit_test_setup(the_addresses_of_all_are_told_as_far_as_there_is_room, set_up),
    };

    return cmocka_run_group_tests_name("platform/twins", tests, NULL, NULL);
}
