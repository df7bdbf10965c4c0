# SPDX-License-Identifier: BSD-3-Clause
"""The network beside the relay fails and comes back: links, gateways, neighbours. Media is back as soon as it can be, whether
the relay shares its interface with the kernel or owns its device."""

import contextlib
import time

import pytest

from lab import GATEWAY, RELAY, Lab
from media import Media

LINK_UP_S = 0.1  # until media is back once there is a link
NEIGHBOUR_S = 1.0  # once a neighbour is there, or is another
# The kernel asks three times, a second apart, before it gives a neighbour up.
GIVEN_UP_S = 4.0


class FastMedia(Media):
    INTERVAL_S = 0.002


def make_switch(lab):
    """Between the relay's link and the router, whose own interface then never fails: what Linux does about that takes it up to a
    second."""
    for command in [
        "link add switch type bridge forward_delay 0 mcast_snooping 0",
        "link add plug type veth peer name socket",
        "link set plug master switch up",
        "link set socket up",
        "address flush dev relay",
        "link set relay master switch",
        "link set switch up",
        f"address add {GATEWAY[4]}/24 dev switch",
        f"address add {GATEWAY[6]}/64 dev switch",
    ]:
        lab.run("core", "ip", *command.split())


@pytest.fixture(scope="module", params=["shared", "owned"])
def lab(request):
    with Lab(mode=request.param) as the_lab:
        make_switch(the_lab)
        # Addresses of IPv6 outlive an interface that is set down, as those of IPv4 do.
        the_lab.run("relay", "sysctl", "-qw", f"net.ipv6.conf.{the_lab.interface}.keep_addr_on_down=1")
        yield the_lab


@pytest.fixture(params=[4, 6])
def media(request, lab, relay, client_of):
    with FastMedia(lab, client_of, request.param) as the_media:
        the_media.family = request.param
        the_media.resumes_within(2)
        yield the_media


def stops(media):
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        before = len(media.received)
        time.sleep(0.1)
        if len(media.received) == before:
            return True
    return False


def set_link(lab, role, interface, state):
    lab.run(role, "ip", "link", "set", interface, state)


def wait_until_the_switch_forwards(lab):
    """It looks at its links once a second, as all of Linux does."""
    deadline = time.monotonic() + 5
    while lab.run("core", "cat", "/sys/class/net/relay/brport/state").stdout.strip() != "3":
        assert time.monotonic() < deadline


@pytest.mark.parametrize("down_s", [0.2, 5.0])
def test_media_is_back_with_the_link(lab, media, down_s, record_figures):
    set_link(lab, "core", "relay", "down")
    try:
        assert stops(media)
        time.sleep(down_s)
    finally:
        set_link(lab, "core", "relay", "up")
        wait_until_the_switch_forwards(lab)
    record_figures(resumed_s=media.resumes_within(LINK_UP_S))


def test_media_is_back_with_the_relays_own_interface(lab, media, record_figures):
    set_link(lab, "relay", lab.interface, "down")
    try:
        assert stops(media)
    finally:
        # Routes the kernel has forgotten; whoever manages the network puts them back, at once.
        commands = [f"link set {lab.interface} up"]
        commands += [f"route replace default via {gateway} dev {lab.interface}" for gateway in GATEWAY.values()]
        lab.run("relay", "ip", "-batch", "-", input="\n".join(commands))
    record_figures(resumed_s=media.resumes_within(LINK_UP_S))


@contextlib.contextmanager
def deaf(lab):
    """The gateway does not answer who asks for its MAC address, and asks for nobody's."""
    rules = """
table netdev deaf {
    chain ingress {
        type filter hook ingress device "relay" priority 0;
        ether type arp drop
    }
}
table ip6 deaf {
    chain input {
        type filter hook input priority 0;
        iifname "switch" icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop
    }
}
"""
    lab.run("core", "nft", "-f", "-", input=rules)
    try:
        yield
    finally:
        lab.run("core", "nft", "delete table netdev deaf; delete table ip6 deaf")


def mac_of(lab, role, interface):
    return lab.run(role, "cat", f"/sys/class/net/{interface}/address").stdout.strip()


def test_media_is_back_with_the_gateway(lab, media, record_figures):
    # It keeps what it knows, or its own questions would announce it.
    mac = mac_of(lab, "relay", lab.interface)
    lab.run("core", "ip", "neigh", "replace", RELAY[media.family], "lladdr", mac, "dev", "switch", "nud", "permanent")
    try:
        with deaf(lab):
            lab.run("relay", "ip", "neigh", "delete", GATEWAY[media.family], "dev", lab.interface)
            assert stops(media)
            time.sleep(GIVEN_UP_S)
        record_figures(resumed_s=media.resumes_within(NEIGHBOUR_S))
    finally:
        lab.run("core", "ip", "neigh", "delete", RELAY[media.family], "dev", "switch")


def test_media_follows_a_gateway_that_announces_another_mac_address(lab, media, record_figures):
    before = mac_of(lab, "core", "switch")
    try:
        for mac in ("02:00:00:00:00:98", "02:00:00:00:00:99"):
            # ARP believes no change within a second of another.
            time.sleep(1.2)
            set_address(lab, mac)
            record_figures(resumed_s=media.resumes_within(NEIGHBOUR_S))
    finally:
        time.sleep(1.2)
        set_address(lab, before)


def set_address(lab, mac):
    lab.run("core", "ip", "link", "set", "switch", "address", mac)
