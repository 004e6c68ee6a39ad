"""`python -m gemel.daemons.carpd`: make this process urgent, and run."""

import argparse
import ctypes
import gc
import logging
import os
import signal
import sys
import threading

from gemel.carp.events import Stopped
from gemel.control.paths import RUN
from gemel.daemons.carpd.hands import LogHand
from gemel.daemons.carpd.loop import Carpd
from gemel.effects.processors import keep_to_carpds

log = logging.getLogger("carpd")

PRIORITY, PRIORITY_OF_THREADS = 50, 40  # SCHED_FIFO; threads that hold the interpreter must not be starved either
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4


def become_urgent() -> None:
    """Ask for real-time scheduling, one processor, memory that is never paged out, no long garbage collections."""
    keep_to_carpds()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY_OF_THREADS))
    except OSError as error:
        log.warning("no real-time scheduling: %s; a busy machine can delay adverts", error.strerror)
    sys.setswitchinterval(0.0005)
    threading.stack_size(256 << 10)
    libc = ctypes.CDLL(None, use_errno=True)
    # What is mapped now is brought in; what comes later is kept once it was touched, or each thread's whole stack
    # would count.
    if libc.mlockall(MCL_CURRENT) or libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT):
        log.warning("memory cannot be locked: %s", os.strerror(ctypes.get_errno()))


def main() -> int:
    """Run the daemon."""
    parser = argparse.ArgumentParser(prog="carpd", description="CARP on this machine.")
    parser.add_argument("--run-dir", default=RUN, help="where settings, doors and sockets are")
    arguments = parser.parse_args()
    become_urgent()
    logging.basicConfig(level=logging.INFO, handlers=[LogHand(sys.stderr)], force=True)
    carpd = Carpd(arguments.run_dir)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: carpd.post(Stopped()))
    if os.sched_getscheduler(0) == os.SCHED_FIFO:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    gc.collect()
    gc.freeze()
    log.info("carpd runs: %d VHIDs", len(carpd.node.settings.vhids))
    carpd.run()
    log.info("carpd ends")
    LogHand.finish_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
