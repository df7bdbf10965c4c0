# SPDX-License-Identifier: BSD-3-Clause
"""coturn's load client, and what it says of its messages."""

import re

from lab import CLIENT4, CLIENT6, RELAY4


def uclient(lab, *options, server=RELAY4, user="alice", password="wonderland", limit_s=60):
    local = CLIENT6 if ":" in server else CLIENT4
    # Line buffered and ended from outside: when it is refused it asks again for ever.
    command = ["timeout", limit_s, "stdbuf", "-oL", "turnutils_uclient", "-L", local, "-u", user]
    if password is not None:
        command += ["-w", password]
    result = lab.run("client", *command, *options, server, check=False, timeout=limit_s + 10)
    return result.stdout + result.stderr


def totals(output):
    """(sent, received) of the last summary, with what was sent in all."""
    found = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", output)
    assert found, f"no summary:\n{output[-2000:]}"
    return tuple(map(int, found[-1]))


def all_came_back(output, at_least):
    sent, received = totals(output)
    assert sent >= at_least, f"only {sent} messages were sent:\n{output[-2000:]}"
    assert received == sent, f"{received} of {sent} messages came back:\n{output[-2000:]}"


# -c: no second (RTCP) allocation. 200 messages of 200 bytes, one every 5 ms.
MESSAGES = ("-n", 200, "-l", 200, "-z", 5)
