# SPDX-License-Identifier: BSD-3-Clause
"""Many clients at once that allocate, permit, bind and leave, over and over, from one thread without waiting."""

import selectors
import struct
import time

import stun
from client import Client
from lab import PEER4

RETRANSMIT_S = 0.5
GIVE_UP_S = 10


class Cycler:
    """One client's state machine: its requests one after the other, for as many cycles as it is told."""

    def __init__(self, lab, cycles, expire_every):
        self.client = Client(lab)
        self.client.sock.setblocking(False)
        self.cycles_left, self.cycle, self.expire_every = cycles, 0, expire_every
        self.step = None
        self.wake_at = 0
        self.errors = []

    def begin(self):
        self.say(self.client.allocate_request().encode())

    def say(self, data):
        self.pending = data
        self.started = time.monotonic()
        self.wake_at = self.started + RETRANSMIT_S
        self.client.send_bytes(data)

    def request(self, step):
        self.step = step
        if step == "allocate":
            message = self.client.allocate_request()
        elif step == "permit":
            message = stun.Message(stun.CREATE_PERMISSION).add_xor_address(stun.XOR_PEER_ADDRESS, (PEER4, 0))
        elif step == "bind":
            message = stun.Message(stun.CHANNEL_BIND).add(stun.CHANNEL_NUMBER, b"\x40\x00\0\0")
            message.add_xor_address(stun.XOR_PEER_ADDRESS, (PEER4, 9))
        else:
            message = stun.Message(stun.REFRESH).add(stun.LIFETIME, struct.pack("!I", 0))
        self.say(self.client.sign(message))

    def next(self):
        """After a success."""
        if self.step == "allocate":
            self.request("permit")
        elif self.step == "permit":
            self.request("bind")
        elif self.step == "bind":
            self.cycle += 1
            if self.expire_every and self.cycle % self.expire_every == 0:
                self.step, self.pending, self.wake_at = "expire", None, time.monotonic() + 3.0
            else:
                self.request("leave")
        else:
            self.cycles_left -= 1
            if self.cycles_left > 0:
                self.request("allocate")
            else:
                self.pending = None

    @property
    def is_done(self):
        return self.cycles_left <= 0

    def hear(self):
        try:
            while True:
                data = self.client.sock.recv(2048)
                if self.pending is None or data[8:20] != self.pending[8:20]:
                    continue
                response = stun.decode(data)
                if response.error in (401, 438) and self.step is None or response.error == 438:
                    self.client.learn(response)
                    self.request(self.step or "allocate")
                elif response.is_success or (self.step == "leave" and response.error == 437):
                    self.next()
                else:
                    self.errors.append((self.step, response.error))
                    self.cycles_left = 0
        except BlockingIOError:
            pass

    def tick(self, now):
        if self.is_done or now < self.wake_at:
            return
        if self.step == "expire":
            self.next()
        elif now - self.started > GIVE_UP_S:
            self.errors.append((self.step, "no answer"))
            self.cycles_left = 0
        else:
            self.wake_at = now + RETRANSMIT_S
            self.client.send_bytes(self.pending)


def churn(lab, clients, cycles_each, expire_every=0):
    """Run them all to their end; their errors."""
    cyclers = [Cycler(lab, cycles_each, expire_every) for _ in range(clients)]
    with selectors.DefaultSelector() as selector:
        for cycler in cyclers:
            selector.register(cycler.client.sock, selectors.EVENT_READ, cycler)
            cycler.begin()
        ticked = 0
        while not all(cycler.is_done for cycler in cyclers):
            for key, _ in selector.select(0.05):
                key.data.hear()
            now = time.monotonic()
            if now - ticked > 0.05:
                ticked = now
                for cycler in cyclers:
                    cycler.tick(now)
    for cycler in cyclers:
        cycler.client.close()
    return [error for cycler in cyclers for error in cycler.errors]
