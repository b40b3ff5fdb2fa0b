"""The batch's log: a line for each job that ends, with the time left. Snakemake finds it as `--logger time-left`."""

from __future__ import annotations

import logging
import re
import sys
import time

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

PRIOR = 120.0
"""Seconds of work for which the expected pace is believed, before the measured one outweighs it."""

JOB_ENDED = re.compile(r"lib\.pipeline\.execute (\S+) .*' ((?:died with|returned non-zero exit status) (.*)\.)")
"""How Snakemake words the end of a job that failed."""
SAID = ("1", "2", "130", "<Signals.SIGINT: 2>")
"""How jobs end that have said what failed, in one line, or were interrupted."""
NOT_ALL = "At least one job did not complete successfully"
"""What Snakemake says at the end if any failed; the batch says it too, and not when it was interrupted."""

expected: dict[str, tuple[str, float]] = {}
"""By rule: words for what it does, and the seconds of one core that it takes, about. The Snakefile fills it in."""


class LogHandler(LogHandlerBase):
    """A line for each job that ends; of the rest, warnings and errors as Snakemake words them."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.cores = 1
        self.rules: dict[int, str] = {}
        self.total: list[str] = []
        self.ended: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Print what of a record a user needs to know."""
        match getattr(record, "event", None):
            case LogEvent.RESOURCES_INFO:
                self.cores = getattr(record, "cores", None) or self.cores
            case LogEvent.RUN_INFO:
                self.total = [rule for rule in record.stats if rule in expected]
                self.say(f"{len(self.total)} jobs, {self.time_left()}")
            case LogEvent.JOB_INFO:
                self.rules[record.jobid] = record.rule_name
            case LogEvent.JOB_FINISHED if (rule := self.rules.get(record.job_id)) in expected:
                self.ended.append(rule)
                self.say(f"{len(self.ended)} of {len(self.total)} done, {self.time_left()}: {expected[rule][0]}")
            case None | LogEvent.ERROR if record.levelno >= logging.WARNING or record.msg == NOTHING_TO_BE_DONE_MSG:
                self.problem(self.format(record))

    def problem(self, text: str) -> None:
        """Print a warning or an error as one line, unless it is said already."""
        if job := JOB_ENDED.search(text):
            if job[3] not in SAID:
                self.say(f"{job[1]} {job[2]}")
        elif NOT_ALL not in text:
            self.say(" ".join(text.split()))

    def time_left(self) -> str:
        """The work that remains at the pace of the work done, in words."""
        work, done = (sum(expected[rule][1] for rule in rules) for rules in (self.total, self.ended))
        pace = ((time.monotonic() - self.began) * self.cores + PRIOR) / (done + PRIOR)
        minutes = (work - done) * pace / self.cores / 60
        return f"some {minutes:.0f} min left" if minutes > 1 else "a minute left" if minutes else "none left"

    def say(self, text: str) -> None:
        """Print a line of the log."""
        print(text, file=sys.stderr, flush=True)
