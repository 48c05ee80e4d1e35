"""What is not done in time is told so, once; what is done in time never."""

from __future__ import annotations

import threading

import pytest

from ingestion.deadlines import Deadlines
from tests.patience import LONG


def test_work_that_is_late_is_told_once_whatever_else_has_more_time():
    deadlines, calls = Deadlines(), []
    with deadlines.within(LONG, lambda: calls.append("patient")):
        for seconds, name in ((0.01, "hurried"), (-1.0, "too late")):
            told = threading.Event()
            with deadlines.within(seconds, lambda told=told, name=name: (calls.append(name), told.set())):
                assert told.wait(LONG)
    deadlines.close()
    assert calls == ["hurried", "too late"]


def test_work_that_is_left_in_time_is_never_told_even_if_it_failed():
    deadlines, told, others = Deadlines(), [], threading.Event()
    with pytest.raises(ValueError, match="failed"), deadlines.within(0.05, lambda: told.append("late")):
        raise ValueError("failed")
    with deadlines.within(0.1, others.set):
        assert others.wait(LONG)
    deadlines.close()
    assert told == []


def test_many_pieces_of_work_are_watched_by_one_thread():
    def watching() -> int:
        return sum(thread.name == "triptych-deadlines" for thread in threading.enumerate())

    deadlines, before = Deadlines(), watching()
    for _ in range(50):
        with deadlines.within(LONG, lambda: None):
            assert watching() <= before + 1
    deadlines.close()
