# SPDX-License-Identifier: BSL-1.0
"""What the programs measured: times and counters by topic, parameter and side, ratios of them, and figures as text.

A ratio is that of two medians; with it goes half of its interquartile range, taken over all pairs of repetitions. Where
that is more than NOISY of the ratio, it is said to be noisy.
"""

import collections
import dataclasses
import json
import math
import statistics

NOISY = 0.08


def name_of(text):
    """TOPIC/PARAMETER/SIDE of a benchmark's name, without what Google Benchmark adds."""
    topic, parameter, side = text.split("/")[:3]
    return topic, int(parameter), side


UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
OWN_KEYS = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions",
            "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit", "per"}


@dataclasses.dataclass
class Entry:
    """One benchmark: seconds of each repetition, its counters, and why it has none."""
    times: list = dataclasses.field(default_factory=list)
    counters: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(list))
    left_out: str = ""
    error: str = ""

    def time(self):
        return statistics.median(self.times)

    def counter(self, name):
        return statistics.median(self.counters[name])


class Results(dict):
    """Entries by (topic, parameter, side)."""

    def __init__(self, folder):
        super().__init__()
        self.context = {}
        for path in sorted(folder.glob("*-*.json")):
            content = json.loads(path.read_text())
            self.context = content["context"] | self.context
            for row in content["benchmarks"]:
                if row["run_type"] == "iteration":
                    self.add(row)
        self.run = json.loads((folder / "run.json").read_text())

    def add(self, row):
        entry = self.setdefault(name_of(row["name"]), Entry())
        if row.get("error_occurred"):
            message = row["error_message"]
            if message.startswith("left out: "):
                entry.left_out = message.removeprefix("left out: ")
            else:
                entry.error = message
            return
        entry.times.append(row["real_time"] * UNITS[row["time_unit"]] / row.get("per", 1))
        for key, value in row.items():
            if key not in OWN_KEYS:
                entry.counters[key].append(value)

    def measured(self, *name):
        return name in self and bool(self[name].times)

    def parameters(self, topic):
        return sorted({parameter for t, parameter, _ in self if t == topic})


@dataclasses.dataclass
class Ratio:
    """Of two benchmarks: the ratio of the medians, and half the interquartile range of all pairs, relative to it."""
    value: float
    spread: float | None  # None where one of them was done once

    @property
    def noisy(self):
        return self.spread is None or self.spread > NOISY

    def __str__(self):
        if self.spread is None:
            return f"{number(self.value)} (once)"
        text = f"{number(self.value)} ± {max(1, round(100 * self.spread))} %"
        return text + " (noisy)" if self.noisy else text


def ratio_of(above, below):
    pairs = sorted(a / b for a in above for b in below)
    value = statistics.median(above) / statistics.median(below)
    if min(len(above), len(below)) < 2:
        return Ratio(value, None)
    first, _, third = statistics.quantiles(pairs, n=4)
    return Ratio(value, (third - first) / 2 / value)


def number(value):
    """With three digits that count."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def time_text(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds / 1e-9)} ns"


def bytes_text(count):
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            value = count / size
            return f"{value:.0f} {unit}" if value == int(value) else f"{number(value)} {unit}"
    return f"{count:.0f} bytes"
