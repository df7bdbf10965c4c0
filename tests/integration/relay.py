# SPDX-License-Identifier: BSD-3-Clause
"""The server under test, as a process on the lab's relay host: configured, started, watched and stopped."""

import atexit
import functools
import os
import pathlib
import re
import signal
import shutil
import socket
import subprocess
import tempfile
import time

import stun
from lab import CLIENT4, GATEWAY, HERE, RELAY4, RELAY6, RELAY_SIDE_GATEWAY, WORKERS

BINARY = pathlib.Path(os.environ.get("TURNPIKE", HERE.parent.parent / "build" / "turnpike"))
# Its memory is then no measure of what it keeps, nor its speed.
SANITIZED = b"__asan_init" in BINARY.read_bytes()
PORT = 3478
TLS_PORT = 5349

DEFAULTS = {
    "interface": "relay0",
    "workers": WORKERS,
    "realm": "turnpike.test",
    "users": [{"name": "alice", "password": "wonderland"}, {"name": "bob", "password": "builder"}],
    "static_auth_secrets": ["north", "south"],
    "allow_peer": ["198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"],
    # Relays start side by side, and one test takes and gives back hugepages: another one's would fall short.
    "hugepages": "off",
    # Every test comes from one source prefix: the limit of answers to strangers has a test of its own.
    "unauthenticated_rate": 0,
}


def af_packet(number, queues=WORKERS, frame_count=4096):
    """The device on relay<number>. frame_count: of a queue, more than the driver has by itself, so that what comes while a worker
    waits for a CPU beside the test is there then."""
    return f"net_af_packet{number},iface=relay{number},qpairs={queues},framecnt={frame_count}"


def owned(queues=WORKERS, frame_count=4096):
    """What a relay with a device of its own is told beside."""
    addresses = [{"address": RELAY4}, {"address": RELAY6}]
    device = af_packet(0, queues, frame_count)
    return {"interface": "twin0", "device": device, "listen": addresses, "relay": addresses}


def two_ports(queues=WORKERS):
    """And one with two."""
    return {**owned(queues), "relay_device": af_packet(1, queues), "relay_interface": "twin1"}


OF_MODE = {"shared": lambda queues: {}, "owned": owned, "two-ports": two_ports}


def usual(lab, **settings):
    """What a relay of that lab is told, where a test does not say."""
    # What comes by a queue that nobody reads is lost.
    queues = min(settings.get("workers", WORKERS), lab.queues)
    return {**DEFAULTS, **OF_MODE[lab.mode](queues), **settings}


class Group(dict):
    """A libconfig group; a dict in a list is one anyway."""


def _render(value, indent=0):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        inner = "".join(f"{' ' * (indent + 2)}{k} = {_render(v, indent + 2)};\n" for k, v in value.items())
        return "{\n" + inner + " " * indent + "}"
    if isinstance(value, list):
        return "( " + ", ".join(_render(item, indent + 2) for item in value) + " )"
    raise TypeError(f"no libconfig form for {value!r}")


def render_config(settings):
    return "".join(f"{name} = {_render(value)};\n" for name, value in settings.items())


@functools.cache
def runtime_of(directory):
    """A directory of the relays of this one: they run one after the other, and one that was killed leaves word there for the
    next. Not below it: a Unix socket's path is short."""
    path = tempfile.mkdtemp(prefix=f"turnpike-{directory.name[:8]}-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return pathlib.Path(path)


def threads_of(pid):
    """Name, state and system call of each, for whoever wonders what it waits for."""
    threads = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return [
        " ".join(
            [(task / "comm").read_text().strip(), (task / "stat").read_text().rsplit(")", 1)[1].split()[0],
             (task / "syscall").read_text().strip()]
        )
        for task in threads
    ]


class Relay:
    """with Relay(lab, directory, workers=2) as relay: ... under: a command that runs it; binary: another copy of it."""

    def __init__(self, lab, directory, check_exit=True, under=(), binary=BINARY, **settings):
        self.lab = lab
        self.settings = usual(lab, **settings)
        self.directory = pathlib.Path(directory)
        self.config = self.directory / "turnpike.conf"
        self.log_path = self.directory / "turnpike.log"
        self.stats_path = self.directory / "turnpike.stats"
        self.check_exit = check_exit
        self.under, self.binary = under, binary
        self.process = None
        self.runtime = runtime_of(self.directory)
        self.control_path = self.runtime / "dpdk" / "rte" / "dpdk_telemetry.v2"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, exception_type, *_):
        code = self.stop() if self.process is not None else 0
        # A test that fails says why by itself.
        if self.check_exit and exception_type is None and code != 0:
            raise AssertionError(f"the relay ended with {code}:\n{self.log_tail()}")

    def launch(self, manager=None):
        """Start it without waiting for it to serve. manager: the path of a service manager's socket."""
        self.config.write_text(render_config(self.settings))
        told = () if manager is None else ("env", f"NOTIFY_SOCKET={manager}")
        command = [*told, *self.under, self.binary, "--stats", "-c", self.config]
        with open(self.log_path, "ab") as log, open(self.stats_path, "wb") as stats:
            self.process = self.lab.popen(
                "relay",
                *command,
                stdin=subprocess.DEVNULL,
                stdout=stats,
                stderr=log,
                env={**os.environ, "RUNTIME_DIRECTORY": str(self.runtime)},
            )

    def start(self, timeout=30):
        """Until all listeners are there: its workers answer before its streams listen."""
        path = self.directory / "manager"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(path))
            # Tests run it as other users, too.
            path.chmod(0o777)
            manager.settimeout(0.2)
            self.launch(manager=path)
            self.wait_until_it_is_ready(manager, timeout)

    def wait_until_it_is_ready(self, manager, timeout):
        deadline = time.monotonic() + timeout
        try:
            while not self.said_ready(manager):
                assert time.monotonic() < deadline, f"it is not ready after {timeout} s:\n{self.log_tail()}"
            self.wait_until_it_serves(timeout)
            self.find_gateways()
        except BaseException:
            self.kill()
            raise

    def wait_for_event(self, event, timeout=15):
        """A line of its log."""
        deadline = time.monotonic() + timeout
        while f" {event} " not in self.log():
            assert self.is_running and time.monotonic() < deadline, self.log_tail()
            time.sleep(0.1)

    def reload(self, timeout=10):
        """SIGHUP; whether it took what is in its files now."""
        seen = self.log_path.stat().st_size
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with open(self.log_path) as log:
                log.seek(seen)
                said = log.read()
            if " reloaded " in said:
                return True
            if " reload_refused " in said and said.endswith("\n"):
                return False
            time.sleep(0.001)
        raise AssertionError(f"no word of the reload:\n{self.log_tail()}")

    def said_ready(self, manager):
        self.need_running()
        try:
            return b"READY=1" in manager.recv(256)
        except OSError:
            return False

    def need_running(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the relay ended with {self.process.returncode}:\n{self.log_tail()}")

    def wait_until_it_serves(self, timeout=30):
        deadline = time.monotonic() + timeout
        with self.lab.udp("client", CLIENT4, timeout=0.2) as sock:
            while time.monotonic() < deadline:
                self.need_running()
                sock.sendto(stun.Message(stun.BINDING).encode(), (RELAY4, PORT))
                try:
                    sock.recv(2048)
                    return
                except OSError:
                    continue
        raise AssertionError(f"the relay does not serve after {timeout} s:\n{self.log_tail()}")

    def find_gateways(self):
        """The relay asks for them when it starts. Through a TAP the answer takes longer than a client here needs to begin, whose
        first packet would then be lost."""
        gateways = list(GATEWAY.values()) if self.lab.mode != "shared" else []
        gateways += RELAY_SIDE_GATEWAY.values() if self.lab.mode == "two-ports" else []
        for gateway in gateways:
            self.lab.run("relay", "ping", "-c", 1, "-W", 2, gateway)

    def stop(self, timeout=20):
        """SIGTERM; the exit code."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            threads = threads_of(process.pid)
            process.kill()
            process.wait()
            raise AssertionError(f"the relay does not stop; its threads: {threads}\n{self.log_tail()}") from None

    def kill(self):
        process, self.process = self.process, None
        process.kill()
        process.wait()

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def summary(self):
        """What it printed when it stopped: {help text or drop's name: count}."""
        _, found, text = self.stats_path.read_text().rpartition("\nin ")
        assert found, f"no summary:\n{self.log_tail()}"
        counts = {}
        for count, label in re.findall(r"^ *(\d+)  (.*)$", text, re.MULTILINE):
            dropped = re.match(r"dropped \((\w+)\)", label)
            counts[dropped.group(1) if dropped else label] = int(count)
        return counts

    def in_use(self):
        """What clients still held when it stopped, as its log says: {name: count}."""
        found = re.findall(r" in_use (.*)$", self.log(), re.MULTILINE)
        assert found, f"no usage:\n{self.log_tail()}"
        return {name: int(count) for name, count in (pair.split("=") for pair in found[-1].split())}

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
