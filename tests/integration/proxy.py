# SPDX-License-Identifier: BSD-3-Clause
"""A load balancer that speaks the PROXY protocol, version 2."""

import ipaddress
import struct

from streams import NAME

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PROXIED = {4: ("198.18.7.9", 40000), 6: ("2001:db8:7::9", 40000)}


def header(source, destination, command=1, options=b""):
    """PROXY protocol, version 2: 2.2 of its specification."""
    source_ip, destination_ip = (ipaddress.ip_address(host) for host, _ in (source, destination))
    family = 0x11 if source_ip.version == 4 else 0x21
    body = source_ip.packed + destination_ip.packed + struct.pack("!HH", source[1], destination[1]) + options
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(body)) + body


def connect(lab, context, host, server, before=b""):
    """A client of ours whose connection begins with these bytes."""
    sock = lab.tcp("client", server, host)
    sock.sendall(before)
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname=NAME)
    return sock
