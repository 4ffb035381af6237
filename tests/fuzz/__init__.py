"""Any input gets a typed refusal at worst. `make fuzz` tries for longer."""

import os

from hypothesis import HealthCheck, settings

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "400")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
SLOW = settings(FUZZ, max_examples=max(1, FUZZ.max_examples * 3 // 8))
"""for what opens sockets in each example"""
