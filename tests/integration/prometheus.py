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

    def query(self, expression):
        """The value of the one sample there is; None without any."""
        results = self.results(expression)
        assert len(results) <= 1, results
        return results[0] if results else None

    def wait_for(self, expression, value, timeout=10):
        deadline = time.monotonic() + timeout
        found = None
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                found = self.query(expression)
            if found == value:
                return
            time.sleep(0.1)
        raise AssertionError(f"{expression} is {found}, not {value}\n{self.log_tail()}")
