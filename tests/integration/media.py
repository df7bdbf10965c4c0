# SPDX-License-Identifier: BSD-3-Clause
"""A media flow through the relay, to be watched while something else happens."""

import contextlib
import threading
import time

from lab import PEER

CHANNEL = 0x4000


class Media:
    """A steady flow from a client to a peer that echoes it; counts what comes back."""

    INTERVAL_S = 0.005
    AT_LEAST = 20

    def __init__(self, lab, client_of, family=4):
        self.client = client_of(family)
        self.client.allocate(family=family)
        self.peer = lab.udp("peer", PEER[family])
        self.client.bind(CHANNEL, self.peer.getsockname()[:2])
        self.sent, self.received = 0, set()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=run) for run in (self._send, self._echo, self._receive)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        self.peer.close()

    def _send(self):
        while not self.stopping.is_set() or self.sent < self.AT_LEAST:
            self.client.send_channel(CHANNEL, b"%08d" % self.sent + bytes(152))
            self.sent += 1
            time.sleep(self.INTERVAL_S)
        self.lost_so_far()

    def _until_quiet(self, receive):
        while self.threads[0].is_alive():
            with contextlib.suppress(TimeoutError):
                receive()

    def _echo(self):
        self.peer.settimeout(0.1)

        def one():
            data, source = self.peer.recvfrom(2048)
            self.peer.sendto(data, source)

        self._until_quiet(one)

    def _receive(self):
        def one():
            message = self.client.receive(0.1)
            if message is not None:
                assert message[0] == CHANNEL
                self.received.add(int(message[2][:8]))

        self._until_quiet(one)

    def resumes_within(self, within_s):
        """Until it comes back again, five in a row; the seconds that it took."""
        before, started = len(self.received), time.monotonic()
        while len(self.received) < before + 5:
            assert time.monotonic() < started + within_s, f"no media after {within_s} s"
            time.sleep(0.002)
        return time.monotonic() - started

    @property
    def lost(self):
        """When it has stopped: what was sent and never came back."""
        return self.sent - len(self.received)

    def lost_so_far(self, within_s=2.0):
        """What was sent until now and has not come back in time."""
        sent = self.sent
        deadline = time.monotonic() + within_s
        while (lost := sum(number not in self.received for number in range(sent))) > 0:
            if time.monotonic() > deadline:
                return lost
            time.sleep(0.02)
        return 0


class FastMedia(Media):
    INTERVAL_S = 0.001


@contextlib.contextmanager
def lossless(relay, *flows):
    """Somebody else's, of which nothing may be lost."""
    with contextlib.ExitStack() as stack:
        for flow in flows:
            stack.enter_context(flow)
        yield list(flows)
    assert relay.is_running
    for flow in flows:
        assert flow.lost == 0
        flow.client.refresh(0)
        flow.client.close()
