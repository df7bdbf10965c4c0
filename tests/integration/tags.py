# SPDX-License-Identifier: BSD-3-Clause
"""A gateway on a VLAN, made by programs: not every kernel has interfaces of that type."""

import os
import socket
import subprocess

VLAN = 42
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20
# Kernels without interfaces of type vlan know tags all the same.
TAG_BY_KERNEL = """
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("push") int put_tag(struct __sk_buff *frame) {
    return bpf_skb_vlan_push(frame, bpf_htons(0x8100), VLAN) == 0 ? 0 : 2;
}

SEC("pop") int take_tag(struct __sk_buff *frame) {
    return frame->vlan_present && (frame->vlan_tci & 0xFFF) == VLAN && bpf_skb_vlan_pop(frame) == 0 ? 0 : 2;
}
"""


def tag_gateway(lab, directory, link="relay"):
    """The relay's router talks to it with tags over this link of its, and drops whatever has none."""
    source, program = directory / "tags.c", directory / "tags.o"
    source.write_text(TAG_BY_KERNEL)
    include = f"/usr/include/{os.uname().machine}-linux-gnu"
    subprocess.run(["clang", "-target", "bpf", "-O2", f"-DVLAN={VLAN}", "-isystem", include, "-c", source, "-o", program],
                   check=True)
    lab.run("core", "tc", "qdisc", "add", "dev", link, "clsact")
    for way, section in {"egress": "push", "ingress": "pop"}.items():
        lab.run("core", "tc", "filter", "add", "dev", link, way, "bpf", "direct-action", "object-file", program,
                "section", section)


def send_as_they_are(lab, frames, link="relay"):
    """From the router, past the program that puts tags on."""
    with lab.inside("core"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((link, 0))
        wire.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        for frame in frames:
            wire.send(frame)
