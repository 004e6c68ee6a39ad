"""Who runs where: real threads and processes, asked for the processors that they may use."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gemel.effects.processors import keep_to_carpds, off_carpds

HERE = os.sched_getaffinity(0)
ASK = (sys.executable, "-S", "-c", "import os; print(*os.sched_getaffinity(0))")


def a_childs() -> set[int]:
    return set(map(int, subprocess.check_output(ASK, text=True).split()))


def in_a_thread(work):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.mark.skipif(len(HERE) < 2, reason="there is one processor only")
def test_what_holds_up_a_kernel_and_carpd_share_no_processor():
    def carpds():
        keep_to_carpds()
        return a_childs()

    def others():
        with off_carpds():
            return a_childs()

    one, rest = in_a_thread(carpds), in_a_thread(others)
    assert len(one) == 1
    assert one | rest == HERE
    assert not one & rest


def test_afterwards_all_processors_may_be_used_again():
    def after():
        with pytest.raises(ValueError), off_carpds():
            raise ValueError
        return os.sched_getaffinity(0)

    assert in_a_thread(after) == HERE


def test_where_there_is_one_processor_everybody_uses_it():
    def alone():
        os.sched_setaffinity(0, {min(HERE)})
        with off_carpds():
            inside = os.sched_getaffinity(0)
        keep_to_carpds()
        return inside, os.sched_getaffinity(0)

    assert in_a_thread(alone) == ({min(HERE)}, {min(HERE)})
