# SPDX-License-Identifier: BSD-3-Clause
"""Echo requests, to see whether any is lost, however late a busy machine is with the answer."""

import shlex


def echo_requests(host, *options, count=3, wait_s=5):
    """A command that succeeds when all are answered. Each is of a `ping` of its own: in a row, the last is given no longer than
    the interval, or twice what the slowest took, whatever -W says."""
    one = shlex.join(["ping", "-q", "-c", "1", "-W", str(wait_s), *map(str, options), host])
    return ["sh", "-c", f"for i in $(seq {count}); do {one} || exit 1; sleep 0.05; done"]


def answers(lab, host, *options, role="client", **how):
    return lab.run(role, *echo_requests(host, *options, **how), check=False).returncode == 0
