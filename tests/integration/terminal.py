# SPDX-License-Identifier: BSD-3-Clause
"""A terminal of a certain size, by tmux: what a program shows in it, and keys for it."""

import os
import subprocess
import time


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
        # Its last words, and its exit code, stay on the screen.
        options = ["set-option", "-g", "default-terminal", self.kind, ";", "set-option", "-g", "remain-on-exit", "on",
                   ";", "set-option", "-g", "status", "off", ";"]
        self.tmux(*options, "new-session", "-d", "-x", self.columns, "-y", self.rows, *self.command)
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
        text = self.tmux("display-message", "-p", "#{pane_dead} #{pane_dead_status}").split()
        return int(text[1]) if text[0] == "1" else None

    def process(self):
        return int(self.tmux("display-message", "-p", "#{pane_pid}"))

    def wait_for(self, condition, timeout_s=10):
        """Until condition(screen) is true; the screen."""
        deadline = time.monotonic() + timeout_s
        while not condition(screen := self.screen()):
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)
        return screen
