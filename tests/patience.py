"""Waiting and measuring on machines of any speed: bounds that a stall does not reach, and processor time relative to
what this machine needs for a known piece of work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["LONG", "processor_seconds", "until"]

LONG = 120.0
"""Seconds after which what should have happened has not: far more than a machine that is overloaded takes."""
_STEPS = 1_000_000
_USUAL = 0.05
"""Seconds of processor time that the steps take on the machine on which bounds were chosen."""


def until(condition: Callable[[], Any], seconds: float = LONG) -> Any:
    """What the condition gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def processor_seconds(seconds: float) -> float:
    """`seconds` of processor time of a usual machine as those of this one, as quick as it is now; never fewer."""
    return seconds * max(1.0, _slowness())


def _slowness() -> float:
    start = time.process_time()
    sum(number * number % 7 for number in range(_STEPS))
    return (time.process_time() - start) / _USUAL
