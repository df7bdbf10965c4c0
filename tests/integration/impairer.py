# SPDX-License-Identifier: BSD-3-Clause
"""A bad network between the client and the router: a hop of its own that loses, repeats, reorders and delays UDP, by a seed.

By itself a program: impairer.py LEFT RIGHT SETTINGS, between two interfaces; it ends, and says what it has done, with its
standard input."""

import heapq
import json
import random
import select
import socket
import subprocess
import sys
import time

ETH_P_ALL, PACKET_IGNORE_OUTGOING, SOL_PACKET = 3, 23, 263
UDP = 17
GATEWAYS = ("198.51.100.126/25", "2001:db8:100::fe/64")


class Impairer:
    """with Impairer(lab, loss=0.05) as impairer: ... For a lab of the test's own, whose link it changes. Chances are of each
    packet, either way; times in seconds."""

    def __init__(self, lab, seed=1, loss=0.0, duplication=0.0, reordering=0.0, delay=0.0, jitter=0.0):
        self.lab = lab
        self.settings = {"seed": seed, "loss": loss, "duplication": duplication, "reordering": reordering,
                         "delay": delay, "jitter": jitter}
        self.counts = None  # afterwards

    def __enter__(self):
        lab, hop = self.lab, self.lab.namespace("hop")
        script = f"""set -e
            ip netns add {hop}
            ip netns exec {hop} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
            ip -n {lab.namespace("core")} link set client netns {hop} name outer
            ip -n {lab.namespace("core")} link add client type veth peer name inner netns {hop}
            for end in {lab.namespace("core")}/client {hop}/inner {hop}/outer; do
                ip netns exec ${{end%/*}} ethtool -K ${{end#*/}} tx off gro off gso off >/dev/null
                ip -n ${{end%/*}} link set ${{end#*/}} promisc on up
            done
            for address in {" ".join(GATEWAYS)}; do ip -n {lab.namespace("core")} address add $address dev client; done
            ip -n {lab.namespace("client")} neighbour flush all"""
        subprocess.run(["bash", "-c", script], check=True)
        self.process = lab.popen("hop", sys.executable, __file__, "outer", "inner", json.dumps(self.settings),
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        said, _ = self.process.communicate(timeout=10)
        self.counts = json.loads(said)


class Wire:
    """One way."""

    def __init__(self, settings, seed):
        self.settings, self.random = settings, random.Random(seed)
        self.counts = {"seen": 0, "lost": 0, "duplicated": 0, "reordered": 0}

    def fates(self, frame):
        """When, from now, each copy of the frame leaves."""
        if not is_udp(frame):
            return [0.0]
        # As many draws for each, so that one chance does not change what others bring.
        lost, duplicated, reordered, late, later = (self.random.random() for _ in range(5))
        self.counts["seen"] += 1
        if lost < self.settings["loss"]:
            self.counts["lost"] += 1
            return []
        after = self.settings["delay"] + late * self.settings["jitter"]
        if reordered < self.settings["reordering"]:
            self.counts["reordered"] += 1
            after += 0.02
        if duplicated < self.settings["duplication"]:
            self.counts["duplicated"] += 1
            return [after, after + later * 0.02]
        return [after]


def is_udp(frame):
    kind = frame[12:14]
    return (kind == b"\x08\x00" and frame[23] == UDP) or (kind == b"\x86\xdd" and frame[20] == UDP)


def open_interface(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((name, ETH_P_ALL))
    return sock


def forward(left, right, settings):
    ways = {left: (right, Wire(settings, 2 * settings["seed"])), right: (left, Wire(settings, 2 * settings["seed"] + 1))}
    waiting, number = [], 0
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, out, frame = heapq.heappop(waiting)
            out.send(frame)
        timeout = waiting[0][0] - now if waiting else None
        ready, _, _ = select.select([left, right, sys.stdin], [], [], timeout)
        if sys.stdin in ready:
            break
        for sock in ready:
            frame = sock.recv(65536)
            out, wire = ways[sock]
            for after in wire.fates(frame):
                number += 1
                heapq.heappush(waiting, (time.monotonic() + after, number, out, frame))
    counts = [wire.counts for _, wire in ways.values()]
    return {name: sum(each[name] for each in counts) for name in counts[0]}


def main():
    left, right, settings = sys.argv[1:]
    interfaces = open_interface(left), open_interface(right)
    print("ready", flush=True)
    print(json.dumps(forward(*interfaces, json.loads(settings))))


if __name__ == "__main__":
    main()
