# SPDX-License-Identifier: BSD-3-Clause
"""What reads a relay's log: the lines themselves, and stand-ins of syslog and of the journal."""

import contextlib
import json
import os
import pathlib
import socket
import struct
import time

# What the relay is run under, so that /run/systemd/journal is another place for it alone.
JOURNAL_AT = 'mount -t tmpfs run /run && mkdir -p /run/systemd && ln -s "$0" /run/systemd/journal && exec "$@"'
DEV_LOG = pathlib.Path("/dev/log")


def json_lines(path):
    """Every line of a file, as an object; all of them are whole."""
    text = pathlib.Path(path).read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def wait_for(condition, timeout=10):
    """What condition() gives, once that is true."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing in time"
        time.sleep(0.02)
    return found


def sessions(path, **wanted):
    """The session log's lines of which all of this is true."""
    lines = json_lines(path) if pathlib.Path(path).exists() else []
    return [line for line in lines if all(line.get(key) == value for key, value in wanted.items())]


def journal_fields(datagram):
    """The journal's native protocol: NAME=value lines, or NAME, a length in 64 bits, and so many bytes."""
    fields = {}
    while datagram:
        name, found, rest = datagram.partition(b"\n")
        assert found
        if b"=" in name:
            key, _, value = name.partition(b"=")
        else:
            key, (length,) = name, struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[8 + length :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        fields[key.decode()] = value
        datagram = rest
    return fields


class Daemon:
    """Listens at a name in a directory, as syslog's or the journal's daemon does."""

    def __init__(self, directory, name):
        self.path = pathlib.Path(directory) / name
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(self.path))
        self.sock.settimeout(0.05)
        self.datagrams = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def received(self):
        with contextlib.suppress(TimeoutError):
            while True:
                self.datagrams.append(self.sock.recv(1 << 16))
        return self.datagrams

    def wait_for(self, part, timeout=10):
        return wait_for(lambda: next((data for data in self.received() if part in data), None), timeout)


@contextlib.contextmanager
def dev_log():
    """/dev/log leads where systemd has it lead, to be found elsewhere by who has another /run."""
    made = not DEV_LOG.is_symlink() and not DEV_LOG.exists()
    if made:
        DEV_LOG.symlink_to("/run/systemd/journal/dev-log")
    try:
        yield
    finally:
        if made:
            DEV_LOG.unlink()


@contextlib.contextmanager
def unread_pipe(path):
    """A pipe that nobody reads; fill() it, and who writes there is stuck."""
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR)

    def fill():
        other = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        for piece in (b"x" * 4096, b"x"):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(other, piece)
        os.close(other)

    try:
        yield fill
    finally:
        os.close(pipe)
