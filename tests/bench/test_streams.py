#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The load generator for streams knows what its options may be, measures OpenSSL, and gives no figures of a relay that is not
there: test_streams.py STREAMS. Nothing here depends on how long anything takes."""

import json
import socket
import sys
import unittest

from benchmark import BenchmarkTest


class Streams(BenchmarkTest):
    TIMEOUT_S = 60

    def test_measures_openssl(self):
        figures, _ = self.figures("--openssl", "--duration", 0.2)
        self.assertEqual(set(figures), {"handshakes_per_second", "written_per_second", "read_per_second"})
        self.assertTrue(all(figure > 0 for figure in figures.values()), figures)

    def test_a_relay_that_is_not_there_has_no_figures(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        done = self.run_it("--relay", f"127.0.0.1:{port}", "--peer", "127.0.0.1", "--user", "a:b", "--clients", 2)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        self.assertIn("client 0: no connection", done.stderr)

    def test_connections_that_break_are_counted(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        done = self.run_it("--relay", f"127.0.0.1:{port}", "--connections", "--clients", 2, "--duration", 0.2, "--warm-up", 0)
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = json.loads(done.stdout)
        self.assertEqual(figures["done"], 0)
        self.assertGreater(figures["broken"], 0)

    def test_refuses_what_it_does_not_know(self):
        relay = ["--relay", "127.0.0.1:3478", "--peer", "127.0.0.1", "--user", "a:b"]
        for arguments in ([], relay[:2], [*relay, "--transport", "sctp"], [*relay, "--payload", "11"], [*relay, "--payload", "1401"],
                          [*relay, "--direction", "up"], [*relay, "--clients", "0"], [*relay, "more"], [*relay, "--fast"]):
            with self.subTest(arguments):
                done = self.run_it(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertEqual(done.stdout, "")

    def test_help_names_every_option(self):
        self.assert_help_names(
            f"--{option}" for option in ("relay", "transport", "peer", "user", "clients", "payload", "direction", "duration", "warm-up", "window",
                                         "only-tls-1.2", "connections", "hold", "openssl", "relay-cpu", "quiet", "json"))


if __name__ == "__main__":
    Streams.program = sys.argv.pop()
    unittest.main()
