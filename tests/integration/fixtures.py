# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of a file's own, in place of those of conftest.py: lab = own_lab(mode="owned")."""

import pytest

from lab import Lab
from relay import Relay


def own_lab(**how):
    @pytest.fixture(scope="module")
    def lab():
        with Lab(**how) as the_lab:
            yield the_lab

    return lab


def own_labs(*modes):
    """One after the other, for all tests that use it."""

    @pytest.fixture(scope="module", params=modes)
    def lab(request):
        with Lab(mode=request.param) as the_lab:
            yield the_lab

    return lab


def own_relay(**settings):
    @pytest.fixture(scope="module")
    def relay(lab, tmp_path_factory):
        with Relay(lab, tmp_path_factory.mktemp("relay"), **settings) as the_relay:
            yield the_relay

    return relay
