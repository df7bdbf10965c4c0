# SPDX-License-Identifier: BSD-3-Clause
"""Somebody who answers as DPDK's telemetry does: a greeting, then a packet a question. What it answers, a test says."""

import json
import os
import socket
import threading
import time

GREETING = {"version": "DPDK 22.11", "pid": 1, "max_output_len": 16384}


class FakeRelay:
    """answers: {command: body, or a function of the parameters that makes one}. A body of bytes is sent as it is, None
    keeps silent. asked: every question that came."""

    def __init__(self, path, answers=None, greeting=GREETING, connections_max=10):
        self.path = str(path)
        self.answers = dict(answers or {})
        self.greeting = greeting
        self.connections_max = connections_max
        self.asked = []
        self.connections = []

    def __enter__(self):
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listening.bind(self.path)
        self.listening.listen(1)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        os.unlink(self.path)
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.hang_up()

    def hang_up(self):
        connections, self.connections = self.connections, []
        for connection in connections:
            connection.close_both()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            if len(self.connections) >= self.connections_max:
                sock.close()
                continue
            connection = _Connection(self, sock)
            self.connections.append(connection)
            threading.Thread(target=connection.serve, daemon=True).start()

    def body(self, command, parameters):
        body = self.answers.get(command)
        return body(parameters) if callable(body) else body


class _Connection:
    def __init__(self, relay, sock):
        self.relay, self.sock = relay, sock

    def close_both(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def serve(self):
        with self.sock:
            try:
                self._serve()
            except OSError:
                pass
        if self in self.relay.connections:
            self.relay.connections.remove(self)

    def _serve(self):
        self._send(self.relay.greeting)
        while question := self.sock.recv(1023).decode():
            self.relay.asked.append(question)
            command, _, parameters = question.partition(",")
            if command not in self.relay.answers:
                self._send({command: None})
                continue
            body = self.relay.body(command, parameters)
            if body is not None:
                self._send(body if isinstance(body, bytes) else {command: body})

    def _send(self, message):
        self.sock.send(message if isinstance(message, bytes) else json.dumps(message).encode())


class Counting:
    """A relay with traffic, as its answers: worker 0 receives and transmits at these rates."""

    def __init__(self, packets_s=1000, bytes_s=160_000, users=("alice", "bob"), drops_s=5):
        self.packets_s, self.bytes_s, self.drops_s = packets_s, bytes_s, drops_s
        self.users = users
        self.started = time.monotonic()

    def count(self, rate):
        return int((time.monotonic() - self.started) * rate)

    def status(self, _=""):
        return {
            "version": "0.1.0", "pid": 4711, "start_time": 1_700_000_000, "uptime_seconds": 3723 + self.count(1),
            "state": "running", "device": "relay0", "workers": 2, "workers_stuck": 0,
            "allocations": len(self.users), "allocations_max": 100_000, "permissions": 3, "channels": 2,
            "users": len(self.users),
        }

    def workers(self, _=""):
        zero = self._worker(2, self.packets_s, self.bytes_s, self.drops_s, 34)
        return {"workers": {"0": zero, "1": self._worker(3, 0, 0, 0, 0)}}

    def _worker(self, cpu, packets_s, bytes_s, drops_s, busy):
        return {
            "cpu": cpu, "stuck": 0, "allocations": 1, "packets_received": self.count(packets_s),
            "bytes_received": self.count(bytes_s), "packets_transmitted": self.count(packets_s),
            "bytes_transmitted": self.count(bytes_s), "dropped": self.count(drops_s), "busy_cycles": self.count(busy * 1e6),
            "idle_cycles": self.count((100 - busy) * 1e6),
        }

    def drops(self, _=""):
        return {"drops": {"no_permission": self.count(self.drops_s), "not_ours": 7}}

    def allocations(self, _=""):
        share = 1 / max(len(self.users), 1)
        rows = {}
        for i, user in enumerate(self.users):
            rate = self.bytes_s * share / (i + 1)
            rows[f"{i + 1:08x}{i:08x}"] = {
                "session": f"{i + 1:08x}{i:08x}", "user": user, "client": f"198.51.100.2:{40000 + i}",
                "transport": "udp", "relayed": f"192.0.2.1:{50000 + i}", "worker": 0, "age_seconds": self.count(1),
                "packets_to_peer": self.count(rate / 160), "bytes_to_peer": self.count(rate),
                "packets_to_client": self.count(rate / 320), "bytes_to_client": self.count(rate / 2),
            }
        return {"allocations": rows}

    def answers(self):
        return {
            "/turnpike/status": self.status,
            "/turnpike/workers": self.workers,
            "/turnpike/drops": self.drops,
            "/turnpike/top": self.allocations,
            "/turnpike/allocations": self.allocations,
        }
