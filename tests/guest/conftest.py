# SPDX-License-Identifier: BSD-3-Clause
"""The guest is a host of the integration tests' lab, and their clients call through it."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from guest import Guest  # noqa: E402
from lab import Lab  # noqa: E402
from streams import Authority  # noqa: E402


@pytest.fixture(scope="session")
def guest(tmp_path_factory):
    with Lab(mode="shared") as lab, Guest(lab, tmp_path_factory.mktemp("guest")) as the_guest:
        yield the_guest


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def lab(guest):
    return guest.lab
