# SPDX-License-Identifier: BSD-3-Clause
"""Asking the relay for its metrics and its health, on its own host."""

import contextlib
import http.client
import re

from streams import NAME

METRICS_PORT = 9641


def ask(lab, path, port=METRICS_PORT, host="127.0.0.1", method="GET", context=None, **headers):
    """Status and body of what the relay's host gets; over TLS with a context."""
    sock = lab.tcp("relay", (host, port), "::1" if ":" in host else "127.0.0.1", timeout=5)
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname=NAME)
    connection = http.client.HTTPConnection(host, port)
    connection.sock = sock
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def samples(page):
    """{name{labels}: value}."""
    return {name: float(value) for name, value in re.findall(r"^([a-z].*) (\S+)$", page, re.MULTILINE)}
