# SPDX-License-Identifier: BSD-3-Clause
"""A virtual machine in software emulation in the place of the lab's relay host: cards behind an IOMMU, and one that is not."""

import base64
import contextlib
import glob
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import stun
from lab import CLIENT4, GATEWAY, HERE as LAB, RELAY, RELAY4, RELAY6, RELAY_SIDE, RELAY_SIDE_GATEWAY
from relay import BINARY, DEFAULTS, PORT, render_config

HERE = pathlib.Path(__file__).resolve().parent
# What kernel.sh has put there.
KERNEL = BINARY.parent / "guest"
# In this order: each needs those before it.
MODULES = [
    "virt/lib/irqbypass",
    "drivers/vfio/vfio",
    "drivers/vfio/vfio_virqfd",
    "drivers/vfio/vfio_iommu_type1",
    "drivers/vfio/pci/vfio-pci-core",
    "drivers/vfio/pci/vfio-pci",
    "drivers/uio/uio",
    "drivers/uio/uio_pci_generic",
    "drivers/net/tun",
    "drivers/net/tap",
    "drivers/vhost/vhost_iotlb",
    "drivers/vhost/vhost",
    "drivers/vhost/vhost_net",
    "crypto/ctr",
    "crypto/gf128mul",
    "crypto/ghash-generic",
    "crypto/gcm",
    "net/tls/tls",
]
DRIVERS = ["bus_pci", "bus_vdev", "mempool_ring", "net_virtio", "net_e1000", "net_vmxnet3"]
# On each of two nodes, of one CPU each.
NODES, NODE_MEMORY_MB, NODE_HUGEPAGES = 2, 448, 80
HUGEPAGES = NODES * NODE_HUGEPAGES
# What is claimed of any twin, for a kernel with vhost-net.
TWIN_TEST = BINARY.parent / "tests" / "unit" / "platform" / "test_platform_twin"
# For somebody who is not root, and has one capability.
SETPRIV = "/usr/bin/setpriv"
# Tells the state of a link, which busybox's does not.
IP = "/usr/bin/ip"
NOBODY = 1000
PREFIX_LEN = {4: 24, 6: 64}
ANYWHERE = {4: "default", 6: "default"}
PEERS = {4: "203.0.113.0/24", 6: "2001:db8:203::/64"}


def bus_of(node):
    """The number of a PCI bus that is on that node; the next one is behind its port, for a card."""
    return 0x40 * (node + 1)


class Card:
    """One of the guest's, at a slot of a PCI bus. queues: pairs that a relay can have; driver: of the kernel, that gives the
    card away; inserts_tags: who puts on a VLAN's; node: the NUMA node that it is on."""

    def __init__(self, slot, model, *options, name=None, queues=2, driver="vfio-pci", inserts_tags="the device", node=None):
        self.inserts_tags, self.node = inserts_tags, node
        self.name, self.queues, self.driver = name or model, queues, driver
        bus, place, number = ("pcie.0", slot, 0) if node is None else (f"port{node}", 0, bus_of(node) + 1)
        self.address = f"0000:{number:02x}:{place:02x}.0"
        self.tap = f"tap{slot}"
        self.many_queues = "mq=on" in options
        self.backend = f"tap,id={self.tap},ifname={self.tap},script=no,downscript=no"
        if self.many_queues:
            self.backend += f",queues={queues}"
        mac = f"52:54:00:00:00:{slot:02x}"
        self.device = ",".join([model, f"netdev={self.tap}", f"bus={bus}", f"addr={place:#x}", f"mac={mac}", "romfile=", *options])


CARDS = [
    Card(4, "virtio-net-pci", "disable-legacy=on", "iommu_platform=on", "ats=on", "mq=on", "vectors=6", "rss=on",
         inserts_tags="software"),
    Card(5, "e1000e", node=1),
    Card(6, "vmxnet3", node=0),
    # As clouds have them: no IOMMU, so that its driver needs the addresses of the memory itself.
    Card(7, "virtio-net-pci", name="virtio-without-iommu", queues=1, driver="uio_pci_generic"),
]


def libraries_of(files):
    """What the dynamic linker loads for these, itself included."""
    output = subprocess.run(["ldd", *files], check=True, capture_output=True, text=True).stdout
    return sorted(set(re.findall(r"(?:=> |^\s)(/\S+) \(0x", output, re.MULTILINE)))


def put(root, path):
    """A file as it is here, link or not: drivers are libraries of each other, and must not be there twice."""
    directory, name = os.path.split(path)
    real = os.path.realpath(path)
    for file in (os.path.join(os.path.realpath(directory), name), real):
        (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
        if file != real:
            (root / file[1:]).symlink_to(real)
    shutil.copy(real, root / real[1:])


def make_initramfs(directory):
    """busybox, the relay with all it loads, and the modules, as one archive."""
    assert (KERNEL / "vmlinuz").exists(), f"no kernel: tests/guest/kernel.sh {KERNEL}"
    root = directory / "root"
    (folder,) = glob.glob("/usr/lib/*/dpdk/pmds-*")
    drivers = [path for name in DRIVERS for path in glob.glob(f"{folder}/librte_{name}.so")]
    assert len(drivers) == len(DRIVERS), drivers
    for name in ("bin", "dev", "modules", "proc", "sys"):
        (root / name).mkdir(parents=True)
    for number, name in enumerate(MODULES):
        shutil.copy(KERNEL / "modules" / f"{name}.ko", root / "modules" / f"{number:02}.ko")
    for source in [SETPRIV, IP, *drivers, *libraries_of([BINARY, TWIN_TEST, SETPRIV, IP, *drivers])]:
        put(root, source)
    shutil.copy(BINARY, root / "bin" / "turnpike")
    shutil.copy(TWIN_TEST, root / "bin")
    shutil.copy("/bin/busybox", root / "bin")
    (root / "bin" / "sh").symlink_to("busybox")
    for name in ("lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    shutil.copy(HERE / "init", root)
    archive = directory / "initramfs"
    with open(archive, "wb") as file:
        pack = "find . | cpio --quiet -o -H newc"
        subprocess.run(["sh", "-c", pack], cwd=root, stdout=file, check=True)
    shutil.rmtree(root)
    return archive


class Guest:
    """with Guest(lab, directory) as guest: guest.run("uname -a")"""

    def __init__(self, lab, directory):
        self.lab, self.directory = lab, directory
        self.console = directory / "console"
        self.unread = b""

    def __enter__(self):
        self._connect()
        archive = make_initramfs(self.directory)
        self.shell, shell = socket.socketpair()
        self.monitor, monitor = socket.socketpair()
        with shell, monitor:
            self.process = self._launch(archive, shell.fileno(), monitor.fileno())
        try:
            self._read_until(b"ready\n", timeout=90)
            self._order("qmp_capabilities")
            for card in CARDS:
                self.run(f"echo {card.driver} >/sys/bus/pci/devices/{card.address}/driver_override")
                self.run(f"echo {card.address} >/sys/bus/pci/drivers_probe")
            # For root and others alike: the relay has no more access to files than its user.
            self.run("chmod 666 /dev/vfio/* /dev/net/tun /dev/vhost-net")
            self.run(f"mkdir /run/nobody && chown {NOBODY} /run/nobody")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.shell.close()
        self.monitor.close()
        self.process.kill()
        self.process.wait()

    def _connect(self):
        """The cards are on a switch with what was the relay host's link."""

        def ip(*arguments):
            self.lab.run("relay", "ip", *arguments)

        ip("address", "flush", "dev", "relay0")
        ip("link", "add", "switch", "type", "bridge")
        ip("link", "set", "relay0", "master", "switch")
        for card in CARDS:
            ip("tuntap", "add", "dev", card.tap, "mode", "tap", *["multi_queue"] * card.many_queues)
            ip("link", "set", card.tap, "master", "switch", "up")
        ip("link", "set", "switch", "up")

    def set_mtu(self, mtu):
        """Of all that is between client, relay and peer, but for the relay's own."""
        links = [("client", "eth0"), ("core", "client"), ("core", "relay"), ("core", "peer"), ("peer", "eth0")]
        links += [("relay", name) for name in ("relay0", "switch", *(card.tap for card in CARDS))]
        for role, name in links:
            self.lab.run(role, "ip", "link", "set", name, "mtu", mtu)

    def _launch(self, archive, shell, monitor):
        command = [
            *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-machine", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi", "-cpu", "Nehalem"),
            *("-smp", f"{NODES},sockets={NODES}", "-m", str(NODES * NODE_MEMORY_MB)),
            *("-kernel", KERNEL / "vmlinuz", "-initrd", archive),
            # On a loaded host the kernel takes the timer for a broken one.
            *("-append", f"console=ttyS0 intel_iommu=on hugepages={HUGEPAGES} mitigations=off panic=-1 tsc=reliable no_timer_check"),
            *("-serial", f"file:{self.console}"),
            *("-chardev", f"socket,id=shell,fd={shell}", "-serial", "chardev:shell"),
            *("-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "monitor,mode=control"),
            *("-device", "intel-iommu,intremap=on,device-iotlb=on"),
        ]
        for node in range(NODES):
            command += ["-object", f"memory-backend-ram,id=memory{node},size={NODE_MEMORY_MB}M"]
            command += ["-numa", f"node,nodeid={node},cpus={node},memdev=memory{node}"]
            command += ["-device", f"pxb-pcie,id=bus{node},bus=pcie.0,bus_nr={bus_of(node)},numa_node={node}"]
            command += ["-device", f"pcie-root-port,id=port{node},bus=bus{node},chassis={node}"]
        for card in CARDS:
            command += ["-netdev", card.backend, "-device", card.device]
        with open(self.directory / "qemu", "wb") as said:
            return self.lab.popen(
                "relay", *command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, pass_fds=[shell, monitor]
            )

    def said(self):
        """By kernel and init, and by the machine itself."""
        return self.console.read_text(errors="replace")[-4000:] + (self.directory / "qemu").read_text()[-2000:]

    def _read_until(self, mark, timeout):
        deadline = time.monotonic() + timeout
        while not (found := re.search(mark, self.unread)):
            left = deadline - time.monotonic()
            assert left > 0 and self.process.poll() is None, f"the guest is silent:\n{self.unread!r}\n{self.said()}"
            self.shell.settimeout(min(left, 1))
            with contextlib.suppress(TimeoutError, ConnectionError):
                self.unread += self.shell.recv(65536)
        before, self.unread = self.unread[: found.start()], self.unread[found.end() :]
        return before.decode(errors="replace"), found

    def _order(self, order, **arguments):
        """To the machine, as QMP has it."""
        self.monitor.settimeout(10)
        self.monitor.sendall(json.dumps({"execute": order, "arguments": arguments}).encode())
        said = b""
        while b'"return"' not in said:
            assert b'"error"' not in said, said
            said += self.monitor.recv(65536)

    @contextlib.contextmanager
    def peers_behind(self, card):
        """It is no longer on the switch, but on a wire of its own, by which peers are reached and reach the relay."""

        def ip(role, *arguments):
            self.lab.run(role, "ip", *arguments)

        subprocess.run([LAB / "lab.sh", "peers", self.lab.name], check=True)
        ip("relay", "link", "add", "switch1", "type", "bridge")
        for name in ("relay1", card.tap):
            ip("relay", "link", "set", name, "master", "switch1")
        ip("relay", "link", "set", "switch1", "up")
        try:
            yield
        finally:
            for family in ("-4", "-6"):
                ip("core", family, "rule", "delete", "priority", 100)
            ip("core", "link", "delete", "relay1")
            ip("relay", "link", "set", card.tap, "master", "switch")
            ip("relay", "link", "delete", "switch1")

    def set_link(self, card, up):
        """Plug in the card's cable, or pull it out."""
        self._order("set_link", name=card.tap, up=up)

    def run(self, command, check=True, timeout=20):
        """A line for the guest's shell; what it printed."""
        self.shell.sendall(command.encode() + b"\n")
        output, found = self._read_until(rb"\ndone (\d+)\n", timeout)
        assert not check or found.group(1) == b"0", f"{command}: {output}"
        return output

    def write(self, path, text):
        self.run(f"echo {base64.b64encode(text.encode()).decode()} | base64 -d >{path}")

    def install(self, authority):
        """A certificate of its, for a relay."""
        certificate = authority.issue("guest")
        for path in certificate.values():
            self.run(f"mkdir -p {pathlib.Path(path).parent}")
            self.write(path, pathlib.Path(path).read_text())
            # Also for a relay that is not root.
            self.run(f"chmod 644 {path}")
        return certificate


class GuestRelay:
    """with GuestRelay(guest, card) as relay: ... The guest's relay on one of its cards, with all of its queues, and on another
    that peers are behind. inside: what runs a command where its twins are."""

    def __init__(self, guest, card, relay_card=None, **settings):
        self.guest, self.card, self.pid, self.inside = guest, card, None, ""
        self.gateways = {"twin0": GATEWAY}
        addresses = [{"address": RELAY4}, {"address": RELAY6}]
        self.settings = {
            **DEFAULTS,
            "interface": "twin0",
            "device": card.address,
            "listen": addresses,
            "relay": addresses,
            "workers": card.queues,
            "hugepages": "on",
            "rfc5766_channels": True,  # turnutils_uclient draws its numbers from all of them
            **settings,
        }
        if relay_card:
            self.gateways["twin1"] = RELAY_SIDE_GATEWAY
            self.settings.update(relay_device=relay_card.address, relay_interface="twin1")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, exception_type, *_):
        code = self.stop() if self.pid is not None else 0
        # A test that fails says why by itself.
        if exception_type is None:
            assert code == 0, f"the relay ended with {code}:\n{self.log()}"

    def start(self, is_root=True):
        self.guest.write("/tmp/turnpike.conf", render_config(self.settings))
        command = "turnpike --stats -c /tmp/turnpike.conf >/tmp/stats 2>/tmp/log"
        if not is_root:
            user = f"--reuid={NOBODY} --regid={NOBODY} --clear-groups"
            capabilities = "--inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin"
            command = f"{SETPRIV} {user} {capabilities} {command}"
        directory = "/run" if is_root else "/run/nobody"
        environment = f"ulimit -l {HUGEPAGES * 2048}; export RUNTIME_DIRECTORY={directory}"
        record = "echo $! >/tmp/pid; wait $!; echo $? >/tmp/code"
        self.guest.run(f"rm -f /tmp/pid /tmp/code; {environment}; ({command} & {record}) >/dev/null 2>&1 &")
        self.pid = self.guest.run("while [ ! -s /tmp/pid ]; do sleep 0.1; done; cat /tmp/pid").strip()
        try:
            self._wait_until_started()
            self._configure_twin()
            self._wait_until_linked()
            self._wait_until_it_serves()
        except BaseException:
            self.stop("KILL")
            raise

    def log(self):
        return self.guest.run("cat /tmp/log")

    def uses(self, item):
        """What it says that it uses, and why."""
        (line,) = re.findall(rf" port_uses item={item} (.*)$", self.log(), re.MULTILINE)
        return {name: quoted or word for name, quoted, word in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', line)}

    def in_use(self):
        """What clients still held when it stopped, as its log says: {name: count}."""
        (found,) = re.findall(r" in_use (.*)$", self.log(), re.MULTILINE)
        return {name: int(count) for name, count in (pair.split("=") for pair in found.split())}

    def received(self):
        """Frames of each worker, as it says when it stops."""
        table = self.guest.run("sed -n '/^worker/,$p' /tmp/stats")
        return [int(count) for count in re.findall(r"^ +w\d+ +(\d+) ", table, re.MULTILINE)]

    def stop(self, signal="TERM"):
        """The exit code."""
        pid, self.pid = self.pid, None
        wait = "while [ ! -s /tmp/code ]; do sleep 0.1; done; cat /tmp/code"
        return int(self.guest.run(f"kill -{signal} {pid}; {wait}").split()[-1])

    def _wait_until_started(self, timeout=30):
        deadline = time.monotonic() + timeout
        while not self.guest.run("grep ' started ' /tmp/log", check=False):
            alive = self.guest.run("[ ! -s /tmp/code ] && echo yes", check=False)
            assert alive and time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def _configure_twin(self):
        """As whoever manages the guest's network would."""
        addresses, routes = {"twin0": RELAY, "twin1": RELAY_SIDE}, {"twin0": ANYWHERE, "twin1": PEERS}
        for twin, gateways in self.gateways.items():
            for version, address in addresses[twin].items():
                self.guest.run(f"{self.inside} ip address replace {address}/{PREFIX_LEN[version]} dev {twin}")
            for version, gateway in gateways.items():
                self.guest.run(f"{self.inside} ip -{version} route replace {routes[twin][version]} via {gateway} dev {twin}")

    def _wait_until_linked(self):
        """What the kernel sends on a twin whose card is still negotiating its link is lost, as on any interface without one."""
        for twin in self.gateways:
            linked = f"{self.inside} {IP} -brief link show dev {twin} | grep -E ' (UP|UNKNOWN) .*LOWER_UP'"
            self.guest.run(f"until {linked}; do sleep 0.1; done")

    def _wait_until_it_serves(self, timeout=15):
        # The router has known the addresses at another card.
        self.guest.lab.run("core", "ip", "neigh", "flush", "dev", "relay")
        for gateway in (gateway for gateways in self.gateways.values() for gateway in gateways.values()):
            self.guest.run(f"{self.inside} ping -c 1 -W 5 {gateway}")
        deadline = time.monotonic() + timeout
        with self.guest.lab.udp("client", CLIENT4, timeout=0.2) as sock:
            while time.monotonic() < deadline:
                sock.sendto(stun.Message(stun.BINDING).encode(), (RELAY4, PORT))
                with contextlib.suppress(OSError):
                    return sock.recv(2048)
        raise AssertionError(f"the relay does not serve after {timeout} s:\n{self.log()}")
