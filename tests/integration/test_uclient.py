# SPDX-License-Identifier: BSD-3-Clause
"""coturn's load client against the relay: what it sends comes back, in every mode it has that a UDP relay serves."""

import base64
import hashlib
import hmac
import re
import time

import pytest

from fixtures import own_relay
from lab import PEER4, PEER6, RELAY6
from uclient import MESSAGES, all_came_back, uclient

# uclient draws its channel numbers from the whole range that RFC 5766 had.
relay = own_relay(rfc5766_channels=True)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["-e", PEER4], id="channel_data"),
        pytest.param(["-e", PEER4, "-s"], id="send_indications"),
        pytest.param(["-e", PEER4, "-c"], id="no_rtcp"),
        pytest.param(["-e", PEER4, "-D"], id="padded_channel_data"),
        pytest.param(["-e", PEER4, "-g"], id="dont_fragment"),
        pytest.param(["-e", PEER4, "-g", "-s"], id="dont_fragment_in_send_indications"),
        pytest.param(["-e", PEER4, "-G"], id="extra_requests"),
        pytest.param(["-e", PEER6, "-x"], id="ipv6_relayed_address"),
        pytest.param(["-e", PEER6, "-x", "-s"], id="ipv6_send_indications"),
        pytest.param(["-e", PEER4, "-X"], id="ipv4_relayed_address_by_name"),
        pytest.param(["-y"], id="client_to_client"),
        pytest.param(["-y", "-c"], id="client_to_client_no_rtcp"),
        pytest.param(["-y", "-s"], id="client_to_client_send_indications"),
        pytest.param(["-y", "-x"], id="client_to_client_ipv6"),
    ],
)
def test_returns_every_message(lab, echo, options):
    all_came_back(uclient(lab, *MESSAGES, *options), at_least=200)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["-e", PEER4, "-X"], id="to_an_ipv4_peer"),
        pytest.param(["-e", PEER6, "-x"], id="to_an_ipv6_peer"),
        pytest.param(["-e", PEER4, "-X", "-s"], id="to_an_ipv4_peer_in_send_indications"),
        pytest.param(["-y", "-x"], id="client_to_client"),
    ],
)
def test_serves_an_ipv6_client(lab, echo, options):
    all_came_back(uclient(lab, *MESSAGES, *options, server=RELAY6), at_least=200)


def test_serves_a_hundred_clients_at_once(lab, echo):
    all_came_back(uclient(lab, "-n", 50, "-l", 170, "-z", 20, "-m", 100, "-e", PEER4), at_least=100 * 50)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 1200])
def test_returns_messages_of_every_padding(lab, echo, length):
    # uclient writes a header of its own into each message, so that its shortest is longer than asked for.
    all_came_back(uclient(lab, "-n", 20, "-l", length, "-z", 5, "-c", "-e", PEER4), at_least=20)


def rest_password(secret, username):
    return base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()


@pytest.mark.parametrize("secret", ["north", "south"])
def test_accepts_time_limited_credentials_of_each_secret(lab, echo, secret):
    all_came_back(uclient(lab, *MESSAGES, "-c", "-W", secret, "-e", PEER4, password=None), at_least=200)


def test_accepts_time_limited_credentials_as_a_web_service_makes_them(lab, echo):
    username = f"{int(time.time()) + 600}:carol"
    password = rest_password("north", username)
    all_came_back(uclient(lab, *MESSAGES, "-c", "-e", PEER4, user=username, password=password), at_least=200)


def refused(lab, *options, **credentials):
    """uclient says so, and nothing was sent."""
    output = uclient(lab, *MESSAGES, "-c", "-e", PEER4, *options, limit_s=3, **credentials)
    assert re.search(r"error 401|Cannot complete Allocation|401 \(", output), output[-2000:]
    assert not re.search(r"tot_recv_msgs=[1-9]", output), output[-2000:]


def test_refuses_a_wrong_password(lab, echo):
    refused(lab, password="looking-glass")


def test_refuses_an_unknown_user(lab, echo):
    refused(lab, user="mallory")


def test_refuses_an_unknown_secret(lab, echo):
    refused(lab, "-W", "east", password=None)


def test_refuses_an_expired_credential(lab, echo):
    username = f"{int(time.time()) - 60}:carol"
    refused(lab, user=username, password=rest_password("north", username))
