# SPDX-License-Identifier: BSD-3-Clause
"""How much a test does: what shows on every run that a thing holds, or, with TURNPIKE_FULL=1, as much as is promised."""

import os

FULL = os.environ.get("TURNPIKE_FULL", "") not in ("", "0")
