# SPDX-License-Identifier: BSD-3-Clause
"""The guest is a host of the integration tests' lab, and their clients call through it."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
