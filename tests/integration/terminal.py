# SPDX-License-Identifier: BSD-3-Clause
"""A terminal of a certain size, by tmux: what a program shows in it, and keys for it."""

import os
import re
import subprocess
import time

# tmux itself does not always learn how a program ended. What comes after it keeps the screen.
RUN = '"$@"; echo "ended with $?"; stty; exec sleep 1000'


class Terminal:
    """with Terminal(directory, ["turnpike-ctl", "top"]) as terminal: ..."""

    def __init__(self, directory, command, columns=80, rows=24, kind="screen-256color"):
        self.socket = os.path.join(directory, "tmux")
        self.command = [str(word) for word in command]
        self.columns, self.rows = columns, rows
        self.kind = kind

    def tmux(self, *arguments):
        done = subprocess.run(
            ["tmux", "-u", "-f", "/dev/null", "-S", self.socket, *map(str, arguments)],
            check=True, capture_output=True, text=True, timeout=10, env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        return done.stdout

    def __enter__(self):
        options = ["set-option", "-g", "default-terminal", self.kind, ";", "set-option", "-g", "status", "off", ";"]
        self.tmux(*options, "new-session", "-d", "-x", self.columns, "-y", self.rows, "sh", "-c", RUN, "sh",
                  *self.command)
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, timeout=10)

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def lines(self):
        return self.screen().split("\n")[: self.rows]

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.tmux("resize-window", "-x", columns, "-y", rows)

    def exit_code(self):
        """None while it runs."""
        found = re.search(r"^ended with (\d+)$", self.screen(), re.MULTILINE)
        return int(found.group(1)) if found else None

    def process(self):
        """Of the program."""
        shell = self.tmux("display-message", "-p", "#{pane_pid}").strip()
        children = subprocess.run(["pgrep", "-P", shell], capture_output=True, text=True, check=True)
        return int(children.stdout.split()[0])

    def wait_for(self, condition, timeout_s=10):
        """Until condition(screen) is true; the screen."""
        deadline = time.monotonic() + timeout_s
        while not condition(screen := self.screen()):
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)
        return screen
