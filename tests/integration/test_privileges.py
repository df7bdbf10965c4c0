# SPDX-License-Identifier: BSD-3-Clause
"""What a relay may do to the machine: little at its start, less while it runs, and enough to put everything back."""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

import pytest

import telemetry
from fixtures import own_labs
from lab import PEER4
from relay import BINARY, DEFAULTS, Relay, owned, render_config, runtime_of
from streams import StreamClient
from test_netns import OutsideRelay, outside_lab

NET_ADMIN = 1 << 12
RESERVED = "net.ipv4.ip_local_reserved_ports"
# Debian's nobody: any user that is not root.
USER = 65534
CAPABILITIES = {
    "shared": ["net_raw", "net_admin", "bpf", "perfmon", "ipc_lock"],
    "owned": ["net_raw", "net_admin"],  # of net_af_packet
}


def as_user(*capabilities):
    """Runs a command as that user, with these capabilities and no others."""
    kept = ",".join(f"+{capability}" for capability in capabilities)
    return ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", f"--inh-caps=-all,{kept}",
            f"--ambient-caps=-all,{kept}", f"--bounding-set=-all,{kept}")


lab = own_labs("shared", "owned")


def threads(relay):
    """What the kernel says of each: {name and number: {field: value}}."""
    found = {}
    for task in pathlib.Path(f"/proc/{relay.process.pid}/task").iterdir():
        fields = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        found[f"{fields['Name']} {task.name}"] = fields
    return found


def assert_privileges(relay):
    """The control thread has CAP_NET_ADMIN, all others nothing at all, and nobody can get more."""
    found = threads(relay)
    for name, fields in found.items():
        kept = NET_ADMIN if name.endswith(f" {relay.process.pid}") else 0
        for field, wanted in {"CapPrm": kept, "CapEff": kept, "CapInh": 0, "CapAmb": 0}.items():
            assert (name, field, int(fields[field], 16)) == (name, field, wanted)
        assert (name, fields["NoNewPrivs"].strip()) == (name, "1")
    return {name.rpartition(" ")[0] for name in found}


def use(lab, client_of, authority, number=0x4000):
    client = client_of()
    client.allocate()
    with lab.udp("peer", PEER4) as peer:
        client.bind(number, peer.getsockname())
        client.send_channel(number, b"out")
        assert peer.recv(2048) == b"out"
        peer.sendto(b"in", client.relayed)
        assert client.receive() == (number, None, b"in")
    with StreamClient(lab, context=authority.context()) as stream:
        stream.allocate()
    client.relayed = None  # the relay ends before its client


def traces(lab):
    """What a relay has on its host: the program, neighbours that are kept alive, ports that are reserved."""
    link = json.loads(lab.run("relay", "ip", "-j", "link", "show", "dev", "relay0").stdout)[0]
    neighbours = lab.run("relay", "ip", "neigh", "show", "dev", lab.interface).stdout
    return link.get("xdp"), "managed" in neighbours, lab.sysctl("relay", RESERVED)


def test_threads_give_up_what_they_no_longer_need(lab, client_of, authority, tmp_path):
    with Relay(lab, tmp_path, certificates=[authority.issue("server")], tls_threads=2) as relay:
        names = assert_privileges(relay)
        # Those that DPDK has made are among them, and those that block all signals they can.
        assert {"eal-intr-thread", "telemetry-v2", "rte-worker-1", "log"} <= names, names
        use(lab, client_of, authority)
        with telemetry.client(relay):
            assert len(assert_privileges(relay)) >= len(names)  # with that connection's, which came later
        assert traces(lab)[1:] == (True, "49152-65535")
    assert traces(lab) == (None, False, "")


def test_a_reload_reads_what_the_start_has_read(lab, client_of, authority, tmp_path):
    pair = authority.issue("server")
    for path in pair.values():
        pathlib.Path(path).chmod(0o600)
    with Relay(lab, tmp_path, certificates=[pair]) as relay:
        authority.issue("server")
        relay.config.write_text(render_config({**relay.settings, "software": "anew"}))
        assert relay.reload()
        use(lab, client_of, authority)
        assert_privileges(relay)


def test_root_reads_no_more_at_the_start_than_later(lab, tmp_path):
    path = tmp_path / "theirs.conf"
    path.write_text(render_config(DEFAULTS))
    path.chmod(0o600)
    os.chown(path, USER, USER)
    result = lab.run("relay", BINARY, "--check-config", "-c", path, check=False, timeout=15)
    assert result.returncode == 1 and "Permission denied" in result.stderr


@pytest.fixture
def homely():
    """A directory of the user's with the program in it: where tests run may be closed to everybody else."""
    with tempfile.TemporaryDirectory(prefix="turnpike-user-") as name:
        directory = pathlib.Path(name)
        shutil.copy(BINARY, directory)
        for path in (directory, runtime_of(directory)):
            os.chown(path, USER, USER)
        yield directory


def given(homely, pair):
    """A certificate and its key, the user's own."""
    copies = {name: shutil.copy(path, homely) for name, path in pair.items()}
    for path in copies.values():
        os.chown(path, USER, USER)
    return copies


def relay_of_user(lab, homely, under, **settings):
    if lab.mode == "owned":
        # Not everybody may lock more.
        settings = {"device": owned(frame_count=512)["device"], **settings}
    return Relay(lab, homely, under=under, binary=homely / BINARY.name, **settings)


def test_runs_as_a_user_with_these_capabilities(lab, client_of, authority, homely):
    pair = given(homely, authority.issue("theirs"))
    under = as_user(*CAPABILITIES[lab.mode])
    if lab.mode == "owned":
        # Of a driver that locks its own rings; for nothing else there is CAP_IPC_LOCK.
        memory = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        under = ("prlimit", f"--memlock={min(memory, 67108864)}", *under)
    with relay_of_user(lab, homely, under, certificates=[pair], tls_threads=1) as relay:
        found = threads(relay)
        assert all(fields["Uid"].split() == [str(USER)] * 4 for fields in found.values())
        assert_privileges(relay)
        use(lab, client_of, authority)
        assert relay.reload()
        assert traces(lab)[1:] == (True, "49152-65535")
    assert traces(lab) == (None, False, "")


@pytest.mark.parametrize(
    "lab, missing",
    [("shared", "net_raw"), ("shared", "net_admin"), ("shared", "bpf"), ("shared", "perfmon"), ("owned", "net_admin")],
    indirect=["lab"],
)
def test_a_user_is_told_which_capability_is_missing(lab, homely, missing):
    config = homely / "turnpike.conf"
    config.write_text(render_config(Relay(lab, homely).settings))
    kept = [capability for capability in CAPABILITIES[lab.mode] if capability != missing]
    command = lab.command("relay", *as_user(*kept), homely / BINARY.name, "-c", config)
    result = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)
    assert result.returncode == 1
    assert f"CAP_{missing.upper()} is needed" in result.stderr
    assert f"AmbientCapabilities=CAP_{missing.upper()} (plus" in result.stderr


def test_hugepages_need_no_rights(lab, client_of, authority, homely, huge_memory):
    settings = {"hugepages": "on", "total_quota": 1000, "certificates": [given(homely, authority.issue("theirs"))]}
    with relay_of_user(lab, homely, as_user(*CAPABILITIES[lab.mode]), **settings) as relay:
        use(lab, client_of, authority)
        assert_privileges(relay)


def test_a_user_gives_back_ports_reserved_in_another_network_namespace(homely):
    with outside_lab() as lab:
        # By name, which takes more than to be in a namespace that one has made.
        under = as_user(*CAPABILITIES["owned"], "sys_admin")
        settings = {**owned(frame_count=512), "interface_netns": lab.namespace("outside")}
        with OutsideRelay(lab, homely, under=under, binary=homely / BINARY.name, **settings) as relay:
            assert lab.sysctl("outside", RESERVED) == "49152-65535"
            assert_privileges(relay)
        assert lab.sysctl("outside", RESERVED) == ""
