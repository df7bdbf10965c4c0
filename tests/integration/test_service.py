# SPDX-License-Identifier: BSD-3-Clause
"""Installed, run as its unit says by systemd itself, and taken away again."""

import os
import pathlib
import re
import resource
import shutil
import subprocess
import time

import pytest

from client import Client
from lab import HERE, PEER4
from monitor import ask, samples
from relay import BINARY, DEFAULTS, SANITIZED, render_config
from streams import StreamClient

UNIT = "turnpike.service"
# What is promised of the hardening, out of 10: less is better.
EXPOSURE_MAX = 2.5
CAP_SYS_RESOURCE = 24
TOKEN = "0123456789abcdef0123456789abcdef"

pytestmark = pytest.mark.skipif(SANITIZED, reason="sanitizers want memory and files that the unit denies")


def until(condition, timeout_s=15):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def capabilities(status, kind):
    return int(re.search(rf"^{kind}:\t(\w+)$", status, re.MULTILINE)[1], 16)


def files(directory):
    return {f"/{path.relative_to(directory)}" for path in directory.rglob("*") if not path.is_dir()}


class Installed:
    """What `meson install` of the program under test puts in place, below a root of the test's."""

    def __init__(self, root):
        self.root = root
        self.environment = {**os.environ, "DESTDIR": str(root)}
        self.run("meson", "install", "-C", BINARY.parent, "--no-rebuild")
        (self.unit,) = root.rglob(UNIT)
        self.prefix = "/" + str(self.unit.parents[3].relative_to(root))
        self.config = root / "etc" / "turnpike.conf"

    def run(self, *command):
        subprocess.run(command, check=True, capture_output=True, env=self.environment)

    def uninstall(self):
        self.run("ninja", "-C", BINARY.parent, "uninstall")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    # For the service, which is nobody in particular.
    for path in (root, *root.parents[:2]):
        path.chmod(0o755)
    return Installed(root)


class Manager:
    """systemd with the installed unit, on the relay's host."""

    def __init__(self, lab, directory, installed):
        self.lab, self.installed = lab, installed
        self.log = directory / "systemd.log"

    def __enter__(self):
        command = [HERE / "manager.sh", self.lab.namespace("relay"), self.installed.root, self.installed.prefix]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.process.poll() is not None or (self.children() and self.ask("is-system-running") == "running"))
        assert self.process.poll() is None, self.log.read_text()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        until(lambda: subprocess.run([HERE / "manager.sh", "sweep", self.lab.namespace("relay")]).returncode == 0)

    def children(self):
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return pathlib.Path(path).read_text().split()

    def inside(self, *command):
        """A command where systemd is: what it said, and how it ended."""
        enter = ["nsenter", "--target", self.children()[0], "--mount", "--pid", "--net"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False, timeout=60)

    def ask(self, *words):
        return self.inside("systemctl", *words).stdout.strip()

    def show(self, name):
        return self.ask("show", "--value", "-p", name, UNIT)

    def do(self, verb):
        done = self.inside("systemctl", verb, UNIT)
        assert done.returncode == 0, done.stderr + self.log.read_text()

    def process_file(self, name):
        """Of the relay's process, as the kernel has it."""
        return self.inside("cat", f"/proc/{self.show('MainPID')}/{name}").stdout


def put(installed, path):
    """Beside the configuration; where the service finds it."""
    shutil.copy(path, installed.config.parent)
    return f"/run/lab/etc/{pathlib.Path(path).name}"


@pytest.fixture(scope="module")
def manager(lab, installed, authority, tmp_path_factory):
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN + "\n")
    pair = {name: put(installed, path) for name, path in authority.issue("service").items()}
    settings = {
        **DEFAULTS,
        "users": [{"name": "alice", "password": "wonderland"}],
        "certificates": [pair],
        "metrics_certificate": pair["certificate"],
        "metrics_key": pair["private_key"],
        "metrics_token_file": put(installed, token),
    }
    installed.config.write_text(render_config(settings))
    with Manager(lab, tmp_path_factory.mktemp("manager"), installed) as the_manager:
        the_manager.do("start")
        yield the_manager


@pytest.mark.parametrize("with_drop_in", [False, True], ids=["shared", "own_device"])
def test_the_unit_is_as_hardened_as_is_promised(installed, tmp_path, with_drop_in):
    unit = tmp_path / UNIT
    (drop_in,) = installed.root.rglob("own-device.conf")
    unit.write_text(installed.unit.read_text() + (drop_in.read_text() if with_drop_in else ""))
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", unit]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    exposure = float(re.search(r"exposure level for turnpike.service: ([0-9.]+)", said)[1])
    assert exposure <= EXPOSURE_MAX, said


def test_it_serves_as_a_user_of_its_own_with_no_more_than_it_needs(lab, manager):
    status = manager.process_file("status")
    assert re.search(r"^Uid:\t(\d+)\t\1\t\1\t\1$", status, re.MULTILINE)[1] != "0"
    # CAP_NET_BIND_SERVICE, NET_ADMIN, NET_RAW, IPC_LOCK, PERFMON, BPF.
    needed = sum(1 << bit for bit in (10, 12, 13, 14, 38, 39))
    assert capabilities(status, "CapBnd") == needed
    # It has given up all but NET_ADMIN.
    for kind in ("CapPrm", "CapEff", "CapAmb"):
        assert (kind, capabilities(status, kind)) == (kind, 1 << 12 if kind != "CapAmb" else 0)
    assert "NoNewPrivs:\t1\n" in status
    assert "Seccomp:\t2\n" in status
    with Client(lab) as client, lab.udp("peer", PEER4) as peer:
        client.allocate()
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"through the service")
        assert peer.recv(2048) == b"through the service"
        client.refresh(0)
    assert "49152-65535" in lab.sysctl("relay", "net.ipv4.ip_local_reserved_ports")


def test_keys_and_tokens_are_read_by_its_user_alone(lab, manager, authority):
    assert {path.stat().st_mode & 0o777 for path in manager.installed.config.parent.iterdir()} == {0o640}
    context = authority.context()
    with StreamClient(lab, context=context) as client:
        client.allocate()
        client.refresh(0)
    status, page = ask(lab, "/metrics", context=context, Authorization=f"Bearer {TOKEN}")
    assert status == 200 and samples(page)["turnpike_certificate_expiry_timestamp_seconds"] > time.time()
    assert ask(lab, "/metrics", context=context)[0] == 401


def test_its_limits_are_those_of_the_unit(manager):
    limits = manager.process_file("limits")
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
    # Not every root may raise one.
    may_raise = capabilities(pathlib.Path("/proc/self/status").read_text(), "CapEff") >> CAP_SYS_RESOURCE & 1
    open_files = 1048576 if may_raise else min(1048576, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert re.search(rf"^Max open files +{open_files} +{open_files} ", limits, re.MULTILINE)
    assert not may_raise or manager.process_file("oom_score_adj") == "-500\n"


def test_its_state_is_told_every_second(lab, manager):
    assert manager.show("ActiveState") == "active"
    with Client(lab) as client:
        client.allocate()
        until(lambda: manager.show("StatusText").startswith("1 allocations; relays "))
        told = int(manager.show("WatchdogTimestampMonotonic"))
        until(lambda: int(manager.show("WatchdogTimestampMonotonic")) > told)
        client.refresh(0)


def test_a_reload_is_taken_or_refused_and_told(lab, manager, installed):
    good = installed.config.read_text()
    began = int(manager.show("StateChangeTimestampMonotonic"))
    installed.config.write_text(good.replace("alice", "carol"))
    manager.do("reload")
    # Reloading, and running again.
    until(lambda: int(manager.show("StateChangeTimestampMonotonic")) > began)
    until(lambda: manager.show("SubState") == "running")
    with Client(lab, username="carol", password="wonderland") as client:
        client.allocate()
        client.refresh(0)
    installed.config.write_text(good + "nonsense = 1;\n")
    manager.do("reload")
    until(lambda: manager.show("StatusText").endswith("; last reload refused, see the log"))
    installed.config.write_text(good)
    manager.do("reload")
    until(lambda: "refused" not in manager.show("StatusText"))
    assert manager.show("NRestarts") == "0"


def test_a_control_thread_that_is_stuck_is_noticed_and_the_relay_started_anew(lab, manager):
    pid = manager.show("MainPID")
    # systemd's numbers are those of its own namespace.
    manager.inside("kill", "-STOP", pid)
    until(lambda: manager.show("NRestarts") == "1", timeout_s=30)
    until(lambda: manager.show("SubState") == "running", timeout_s=30)
    assert manager.show("MainPID") != pid
    with Client(lab) as client:
        client.allocate()
        client.refresh(0)


def test_it_stops_and_leaves_nothing_of_the_host_changed(lab, manager):
    # Nothing of the unit was passed over.
    assert "ignoring" not in manager.log.read_text().lower()
    manager.do("stop")
    assert manager.show("Result") == "success"
    assert manager.show("ExecMainStatus") == "0"
    assert lab.sysctl("relay", "net.ipv4.ip_local_reserved_ports") == ""
    assert manager.inside("ls", "-A", "/run/turnpike").stdout.split() in ([], ["dpdk"])


def test_a_configuration_that_is_wrong_is_tried_again(manager, installed):
    good = installed.config.read_text()
    installed.config.write_text("")
    assert manager.inside("systemctl", "start", UNIT).returncode == 1
    until(lambda: int(manager.show("NRestarts")) > 2)
    installed.config.write_text(good)
    until(lambda: manager.show("SubState") == "running")
    manager.do("stop")


def test_an_uninstall_leaves_the_administrators_configuration_alone(tmp_path):
    installed = Installed(tmp_path)
    below = installed.prefix
    found = files(tmp_path)
    for name in ("sbin/turnpike", "lib/systemd/system/turnpike.service", "lib/sysusers.d/turnpike.conf"):
        assert f"{below}/{name}" in found
    assert any(name.endswith("/man8/turnpike.8") for name in found)
    assert any(name.endswith("/man5/turnpike.conf.5") for name in found)
    for example in ("own-device.conf", "fail2ban/filter.d/turnpike.conf", "logrotate/turnpike"):
        assert any(name.endswith(f"/examples/{example}") for name in found)
    assert installed.config.stat().st_mode & 0o777 == 0o600
    installed.config.write_text("changed by hand")
    installed.uninstall()
    assert files(tmp_path) == {"/etc/turnpike.conf"}
    assert [path.name for path in tmp_path.iterdir()] == ["etc"]
    Installed(tmp_path)
    assert installed.config.read_text() == "changed by hand"
