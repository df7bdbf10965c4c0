# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: one lab for the whole run, one relay with the usual settings for each file."""

import contextlib
import itertools
import pathlib
import shutil
import signal
import tempfile

import pytest

from client import Client
from lab import MODE, PEER4, PEER6, Lab
from relay import Relay
from streams import Authority, StreamClient


MARKS = {
    "shared": "only an interface that the kernel keeps has what this is about",
    "ipv4_fragments": "as they come: for net_af_packet Linux joins them, and test_fragments.py has another device",
}


def pytest_configure(config):
    # Whoever runs the tests may have it ignored, as nohup does; and the relay respects that. What a handler catches
    # is the default again in a program that is started.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    for mark, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")


def pytest_collection_modifyitems(config, items):
    """Nothing is skipped for its mode: what has no meaning there is no test of it."""
    others = [item for item in items if MODE != "shared" and any(item.get_closest_marker(mark) for mark in MARKS)]
    if others:
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)


@pytest.fixture(scope="session")
def lab():
    with Lab() as the_lab:
        yield the_lab


@pytest.fixture(scope="module")
def relay(lab, tmp_path_factory):
    with Relay(lab, tmp_path_factory.mktemp("relay")) as the_relay:
        yield the_relay


@pytest.fixture
def directory():
    """Where others may look, too; a Unix socket's path is short."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="turnpike-ctl-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def record_figures(record_property, request):
    """What a test has seen, beside whether it was enough: `pytest -rP` shows it."""

    def record(**figures):
        for name, figure in figures.items():
            record_property(name, figure)
        print(f"{request.node.name}:", ", ".join(f"{name} {figure}" for name, figure in figures.items()))

    return record


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
HUGEPAGES_WANTED = 512


@pytest.fixture
def huge_memory():
    """Enough of it for a small relay, given back afterwards; how many pages."""
    before = HUGEPAGES.read_text()
    try:
        HUGEPAGES.write_text(str(HUGEPAGES_WANTED))
    except OSError as error:
        pytest.skip(f"this machine's hugepages cannot be set: {error}")
    try:
        if int(HUGEPAGES.read_text()) < HUGEPAGES_WANTED:
            pytest.skip("the kernel has no hugepages to give")
        yield HUGEPAGES_WANTED
    finally:
        HUGEPAGES.write_text(before)


# Of a relay with connections: workers, threads that have them.
SHAPES = [(1, 0), (2, 2)]


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: "%d_workers_%d_threads" % shape)
def shape(request):
    return request.param


@pytest.fixture(scope="module")
def shaped_lab(shape):
    """A lab of the file's own: the interface has a queue for each worker."""
    with Lab(queues=shape[0]) as the_lab:
        yield the_lab


@pytest.fixture(params=["tcp", "tls"])
def stream_of(request, lab, relay, authority):
    """stream_of(...) makes clients over TCP, or over TLS."""
    context = {"tcp": None, "tls": authority.context()}[request.param]
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(
            StreamClient(lab, *arguments, context=context, **options)
        )


@pytest.fixture(scope="module")
def echo(lab, relay):
    """turnutils_peer sends back what it receives, on both families."""
    process = lab.popen("peer", "turnutils_peer", "-L", PEER4, "-L", PEER6)
    yield
    process.terminate()
    process.wait()


@pytest.fixture
def client_of(lab):
    """client_of(...) makes clients that are gone after the test, allocations included."""
    clients = []

    def make(*arguments, **options):
        client = Client(lab, *arguments, **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        if client.relayed is not None and client.sock.fileno() >= 0:
            client.refresh(0)
        client.close()


@pytest.fixture
def client(relay, client_of):
    return client_of()


@pytest.fixture
def channel_numbers():
    return itertools.count(0x4000)
