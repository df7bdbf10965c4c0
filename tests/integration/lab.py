# SPDX-License-Identifier: BSD-3-Clause
"""The lab of network namespaces (lab.sh) from Python: sockets and processes placed in its hosts."""

import contextlib
import ctypes
import itertools
import os
import pathlib
import socket
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PREFIX = "turnpike-test"
# Of the relay, and as many queues of its interface, where a test does not say.
WORKERS = int(os.environ.get("TURNPIKE_WORKERS", "1"))
# Whose the relay's interface is: the kernel's ("shared"), or the relay's whole as a DPDK device ("owned"); with a second
# device that peers are behind ("two-ports").
MODE = os.environ.get("TURNPIKE_MODE", "shared")
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3

_libc = ctypes.CDLL(None, use_errno=True)

RELAY4, RELAY6 = "192.0.2.1", "2001:db8:2::1"
GATEWAY = {4: "192.0.2.254", 6: "2001:db8:2::fe"}
# Of the second device, where there is one.
RELAY_SIDE = {4: "10.3.0.1", 6: "2001:db8:3::1"}
RELAY_SIDE_GATEWAY = {4: "10.3.0.254", 6: "2001:db8:3::fe"}
CLIENT4, CLIENT4_OTHER, CLIENT6 = "198.51.100.2", "198.51.100.3", "2001:db8:100::2"
PEER4, PEER4_OTHER, PEER6 = "203.0.113.2", "203.0.113.3", "2001:db8:203::2"
ANY = {4: "0.0.0.0", 6: "::"}
RELAY = {4: RELAY4, 6: RELAY6}
CLIENT = {4: CLIENT4, 6: CLIENT6}
PEER = {4: PEER4, 6: PEER6}


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _setns(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Lab:
    """Namespaces named NAME-core, NAME-relay, NAME-client, NAME-peer; with nat also NAME-a and NAME-b; with load also
    NAME-load."""

    _numbers = itertools.count()  # each lab has its name: several are up at once

    def __init__(self, queues=WORKERS, nat=False, load=False, mode=MODE):
        self.name = f"{PREFIX}{os.getpid()}n{next(self._numbers)}"
        self.queues = queues
        self.nat = nat
        self.load = load
        self.mode = mode
        # What the relay host's addresses and neighbours are on.
        self.interface = {"shared": "relay0", "owned": "twin0", "two-ports": "twin0"}[mode]
        # Of the core, where what the relay sends to peers arrives.
        self.from_relay_to_peers = "relay1" if mode == "two-ports" else "relay"

    def __enter__(self):
        subprocess.run([HERE / "lab.sh", "sweep", PREFIX], check=True)
        command = [HERE / "lab.sh", "up", self.name, "--queues", str(self.queues)]
        command += ["--nat"] * self.nat + ["--load"] * self.load
        command += {"shared": [], "owned": ["--twin"], "two-ports": ["--twins"]}[self.mode]
        subprocess.run(command, check=True)
        return self

    def __exit__(self, *_):
        subprocess.run([HERE / "lab.sh", "down", self.name], check=True)

    def namespace(self, role):
        return f"{self.name}-{role}"

    @contextlib.contextmanager
    def inside(self, role):
        """This thread is on that host: sockets made here stay there."""
        with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{self.namespace(role)}") as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(here.fileno())

    def command(self, role, *arguments):
        return ["ip", "netns", "exec", self.namespace(role), *map(str, arguments)]

    def run(self, role, *arguments, check=True, timeout=60, **options):
        return subprocess.run(
            self.command(role, *arguments),
            check=check,
            timeout=timeout,
            capture_output=True,
            text=True,
            **options,
        )

    def popen(self, role, *arguments, **options):
        return subprocess.Popen(self.command(role, *arguments), **options)

    def udp(self, role, host="0.0.0.0", port=0, timeout=2.0):
        """A UDP socket on that host, bound."""
        with self.inside(role):
            sock = socket.socket(family_of(host), socket.SOCK_DGRAM)
        sock.settimeout(timeout)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind((host, port))
        return sock

    def tcp(self, role, server, host="0.0.0.0", port=0, timeout=5.0, receive_len=None, reuse=False):
        """A TCP connection from that host."""
        with self.inside(role):
            sock = socket.socket(family_of(host), socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        if receive_len is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_len)
        sock.bind((host, port))
        sock.connect(server)
        return sock

    def raw(self, role, version=4):
        """A socket that sends whole IP packets from that host."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with self.inside(role):
            return socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def sniffer(self, role, interface="eth0", timeout=2.0):
        """A socket that receives every frame that arrives at or leaves an interface of that host."""
        with self.inside(role):
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            sock.bind((interface, ETH_P_ALL))
        sock.settimeout(timeout)
        return sock

    @contextlib.contextmanager
    def all_by_queue(self, role, queue):
        """Whatever that host sends reaches the relay's queue of this number, whatever flow it is of."""
        cpus = f"/sys/class/net/eth0/queues/tx-{queue + 1}/xps_cpus"
        self.run(role, "sh", "-c", f"printf %x $(((1 << $(nproc --all)) - 1)) > {cpus}")
        try:
            yield
        finally:
            self.run(role, "sh", "-c", f"echo 0 > {cpus}")

    def sysctl(self, role, name):
        path = "/proc/sys/" + name.replace(".", "/")
        with self.inside(role), open(path) as file:
            return file.read().strip()
