# SPDX-License-Identifier: BSD-3-Clause
"""The browsers run in the lab of the integration tests, against the same relay."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
