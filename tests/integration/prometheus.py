# SPDX-License-Identifier: BSD-3-Clause
"""Prometheus itself, scraping the relay."""

import contextlib
import json
import time
import urllib.parse

from monitor import METRICS_PORT, ask

PROMETHEUS_PORT = 9090


class Prometheus:
    """On the relay's host, scraping it several times a second."""

    def __init__(self, lab, directory, **how):
        """how: more of the scrape's configuration, such as tls_config."""
        self.lab, self.directory, self.how = lab, directory, how

    def __enter__(self):
        config = self.directory / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            "scrape_configs:\n"
            "  - job_name: turnpike\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{METRICS_PORT}']}}]\n"
            + "".join(f"    {name}: {json.dumps(value)}\n" for name, value in self.how.items())
        )
        options = [f"--config.file={config}", f"--storage.tsdb.path={self.directory}/data"]
        options.append(f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}")
        with open(self.directory / "prometheus.log", "wb") as log:
            self.process = self.lab.popen("relay", "prometheus", *options, stdout=log, stderr=log)
        self.wait_ready()
        self.wait_for("up", 1, timeout=60)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def wait_ready(self, timeout=60):
        """Until then it refuses every query (503)."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if ask(self.lab, "/-/ready", port=PROMETHEUS_PORT)[0] == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"prometheus is not ready\n{self.log_tail()}")

    def log_tail(self):
        return (self.directory / "prometheus.log").read_text()[-2000:]

    def results(self, expression):
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        status, body = ask(self.lab, path, port=PROMETHEUS_PORT)
        assert status == 200, body
        return [float(result["value"][1]) for result in json.loads(body)["data"]["result"]]

    def answers(self, expression):
        """Of an expression that has an answer whenever the last scrape was one: where it took too long, or failed, the series
        have ended, until the next."""
        return self._wait_until(bool, expression)

    def value(self, expression):
        """Of the one sample that there is, as answers() has it."""
        found = self.answers(expression)
        assert len(found) == 1, found
        return found[0]

    def count(self, series):
        """The sum of series that may not be there before there is something to count."""
        return self.value(f"(sum({series}) or vector(0)) and on () up == 1")

    def wait_for(self, expression, value, timeout=10):
        self._wait_until(lambda found: found == [value], expression, timeout, f"not {value}")

    def _wait_until(self, is_right, expression, timeout=10, wrong="no answer"):
        deadline = time.monotonic() + timeout
        found = None
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                found = self.results(expression)
            if found is not None and is_right(found):
                return found
            time.sleep(0.1)
        raise AssertionError(f"{expression} is {found}: {wrong}\n{self.log_tail()}")
