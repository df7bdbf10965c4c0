# SPDX-License-Identifier: BSD-3-Clause
"""Certificates are read anew while calls go on (SIGHUP): a bad pair changes nothing, and nobody notices a good one."""

import contextlib
import os
import pathlib
import shutil
import ssl
import time

import pytest

from background import Background
from lab import RELAY4
from media import Media
from relay import TLS_PORT, Relay
from streams import NAME, DtlsClient, StreamClient

REREADS = 1000
BAD_EVERY = 10


@pytest.fixture(scope="module")
def pairs(authority):
    """Two that serve, to take turns."""
    return [authority.issue(stem) for stem in ("first", "second")]


@pytest.fixture
def relay(lab, tmp_path, pairs):
    put(tmp_path, pairs[0])
    served = {kind: str(tmp_path / kind) for kind in pairs[0]}
    with Relay(lab, tmp_path, certificates=[served], tls_threads=1) as the_relay:
        yield the_relay


def put(directory, pair):
    for kind, path in pair.items():
        with contextlib.suppress(IsADirectoryError):
            (directory / kind).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (directory / kind).rmdir()
        shutil.copy(path, directory / kind)


def cut(path):
    path.write_bytes(path.read_bytes()[:150])


def replace_by_directory(path):
    path.unlink()
    path.mkdir()


# What is done to a good pair.
DAMAGES = {
    "another_key": lambda directory, other: shutil.copy(other["private_key"], directory / "private_key"),
    "garbage": lambda directory, _: (directory / "certificate").write_bytes(os.urandom(2000)),
    "no_certificate": lambda directory, _: (directory / "certificate").unlink(),
    "no_key": lambda directory, _: (directory / "private_key").unlink(),
    "unreadable": lambda directory, _: replace_by_directory(directory / "private_key"),
    "empty": lambda directory, _: (directory / "certificate").write_bytes(b""),
    "half_a_certificate": lambda directory, _: cut(directory / "certificate"),
    "half_a_key": lambda directory, _: cut(directory / "private_key"),
    "a_key_in_place_of_the_certificate": lambda directory, other: shutil.copy(
        other["private_key"], directory / "certificate"
    ),
}


def served_certificate(lab, authority):
    with lab.tcp("client", (RELAY4, TLS_PORT)) as plain:
        with authority.context().wrap_socket(plain, server_hostname=NAME) as sock:
            return sock.getpeercert(binary_form=True)


def context_of(authority, version):
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    return context


@pytest.fixture
def flows(lab, relay, authority):
    """Media over each version, of which nothing may be lost."""
    media = [
        Media(lab, lambda family: StreamClient(lab, family, context=context_of(authority, ssl.TLSVersion.TLSv1_2))),
        Media(lab, lambda family: StreamClient(lab, family, context=context_of(authority, ssl.TLSVersion.TLSv1_3))),
        Media(lab, lambda family: DtlsClient(lab, authority, family)),
    ]
    with contextlib.ExitStack() as stack:
        for flow in media:
            stack.enter_context(flow)
        yield media
    for flow in media:
        flow.client.refresh(0)
        flow.client.close()
    assert [flow.lost for flow in media] == [0, 0, 0]


class Newcomers(Background):
    """New clients, one after the other, each of which has to trust what it is served with."""

    def __init__(self, connect):
        super().__init__()
        self.connect, self.count, self.failures = connect, 0, []

    def step(self):
        try:
            self.connect()
        except Exception as failure:  # whatever it is, the test says it
            self.failures.append(failure)
        self.count += 1
        time.sleep(0.01)


def bind_over_dtls(lab, authority):
    with DtlsClient(lab, authority) as client:
        client.discover()


@pytest.fixture
def newcomers(lab, relay, authority):
    connects = (lambda: served_certificate(lab, authority), lambda: bind_over_dtls(lab, authority))
    with Newcomers(connects[0]) as over_tls, Newcomers(connects[1]) as over_dtls:
        yield over_tls, over_dtls
    assert over_tls.failures == over_dtls.failures == []


def test_a_bad_pair_changes_nothing_and_nobody_notices_a_good_one(
    lab, relay, authority, pairs, flows, newcomers, tmp_path, record_figures
):
    certificates = [ssl.PEM_cert_to_DER_cert(pathlib.Path(pair["certificate"]).read_text()) for pair in pairs]
    damages = list(DAMAGES.values())
    served, bad = 0, 0
    for number in range(REREADS):
        put(tmp_path, pairs[number % 2])
        is_bad = number % BAD_EVERY == BAD_EVERY - 1
        if is_bad:
            damages[bad % len(damages)](tmp_path, pairs[(number + 1) % 2])
            bad += 1
        assert relay.reload() != is_bad
        served = served if is_bad else number % 2
        if number % BAD_EVERY >= BAD_EVERY - 2:
            assert served_certificate(lab, authority) == certificates[served]
    record_figures(
        rereads=REREADS,
        bad=bad,
        handshakes_over_tls=newcomers[0].count,
        handshakes_over_dtls=newcomers[1].count,
        messages=sum(flow.sent for flow in flows),
    )
    assert newcomers[0].count > 20 and newcomers[1].count > 5
