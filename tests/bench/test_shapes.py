#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of tags, IPv6 and fragments relays what it says, and gives no figures of a relay that errs: test_shapes.py SHAPES
DAMAGED, the second linked with damage_shapes.c. Nothing here depends on how long anything takes."""

import sys
import unittest

from benchmark import BenchmarkTest

SMALL = ["--repeat", "1", "--buffers", "256", "--allocations", "200"]
TAGS = ["none", "software", "device"]
FRAGMENTS = [(2, "in order", "empty"), (2, "reversed", "empty"), (2, "in turn", "empty"), (2, "in order", "full"),
             (4, "in order", "empty"), (8, "in order", "empty"), (8, "reversed", "empty"), (8, "in order", "full")]
KINDS = {
    "headers": ["cycles", "untagged_cycles", "ratio", "floor_cycles", "floor_ratio", "classify_cycles"],
    "fragments": ["datagram_cycles", "fragment_cycles", "whole_cycles", "ratio"],
    "floods": ["cycles"],
}


class Shapes(BenchmarkTest):
    TIMEOUT_S = 200

    def test_relays_and_checks_every_shape_of_both_families(self):
        figures, table = self.figures(*SMALL)
        self.assertEqual(figures["allocations"], 200)
        self.assertEqual([(one["family"], one["tag"]) for one in figures["headers"]],
                         [(family, tag) for family in (4, 6) for tag in TAGS])
        self.assertEqual([(one["family"], one["fragments"], one["order"], one["table"]) for one in figures["fragments"]],
                         [(family, *shape) for family in (4, 6) for shape in FRAGMENTS])
        self.assertEqual([(one["family"], one["fragment_bytes"]) for one in figures["floods"]],
                         [(family, size) for family in (4, 6) for size in (8, 640, 1200)])
        for kind, names in KINDS.items():
            self.assertIn(f"\n{kind}: ", table)
            for one in figures[kind]:
                self.assert_figures(one, *names)

    def test_a_fragment_costs_its_share_of_the_datagram(self):
        figures, _ = self.figures(*SMALL, "--kind", "fragments")
        self.assertEqual(set(figures) & set(KINDS), {"fragments"})
        for one in figures["fragments"]:
            self.assertAlmostEqual(one["fragment_cycles"]["median"] * one["fragments"] / one["datagram_cycles"]["median"], 1, places=3)

    def test_gives_no_figures_of_a_relay_that_errs(self):
        said = {
            "untagged": ("headers", "without its tag"),
            "other vlan": ("headers", "frame of another VLAN"),
            "kind": ("headers", "were taken for ChannelData"),
            "payload": ("fragments", "UDP checksum"),
            "lost": ("fragments", "were put together"),
            "uncounted": ("fragments", "were put together"),
            "kept": ("fragments", "gave"),
            "undropped": ("floods", "that were not completed"),
        }
        for damage, (kind, words) in said.items():
            with self.subTest(damage):
                self.assert_errs(words, *SMALL, "--kind", kind, damage=damage)

    def test_the_erring_relay_is_right_when_it_does_not_err(self):
        self.assertEqual(self.run_damaged(*SMALL).returncode, 0)

    def test_help_names_every_kind(self):
        self.assert_help_names(KINDS)

    def test_refuses_what_it_cannot_measure(self):
        self.assert_refuses(["--kind", "nonsense"], ["--kind", ""], ["--allocations", "0"], ["--repeat", "0"], ["--buffers", "63"], ["--buffers", "4097"],
                            ["--nonsense"], ["--json"], ["extra"])

    def test_says_where_it_could_not_write(self):
        self.assert_says_where_it_could_not_write(*SMALL)


if __name__ == "__main__":
    Shapes.program, Shapes.damaged = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
