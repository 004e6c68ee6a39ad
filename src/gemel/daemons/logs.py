"""How the log lines of all daemons look, so that one page can show them together. Standard library only.

    2026-11-22T21:39:01.123Z carpd WARNING: what happened     in a file, where the supervisor runs the daemons
    <4>what happened                                          to the journal, which knows time and process itself
"""

import logging
import os
import sys
import time

_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))  # sd-daemon(3)


class _Stamped(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


class _Journal(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        priority = next(number for level, number in _PRIORITIES if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def formatter(process: str) -> logging.Formatter:
    """The form of this process's lines, by where its stderr leads."""
    if "JOURNAL_STREAM" in os.environ:
        return _Journal("%(message)s")
    return _Stamped(f"%(asctime)s {process} %(levelname)s: %(message)s")


def log_to_stderr(process: str) -> None:
    """Have everything from INFO on written to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(process))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
