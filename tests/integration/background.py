# SPDX-License-Identifier: BSD-3-Clause
"""What goes on beside a test."""

import threading


class Background:
    """step() over and over, in a thread of its own, as long as the with block lasts."""

    def __init__(self):
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def _run(self):
        while not self.stopping.is_set():
            self.step()
