# SPDX-License-Identifier: BSL-1.0
"""The pictures, drawn by gnuplot."""

import dataclasses
import json
import re
import shutil
import subprocess

from contents import LABELS, SPEED_UP_SIDES, TOPICS, speed_up
from results import bytes_text

COLOURS = {"ndshm": "#0b6fd3", "ndshm_anonymous": "#5aa9ee", "ndshm_warm": "#7cc4ff", "ndshm_read_only": "#5aa9ee",
           "system_calls": "#222222", "system_calls_reserved": "#777777", "serial": "#222222", "threads": "#222222",
           "futex": "#222222", "pipe": "#8a8a8a", "openmp": "#8a6d3b", "boost": "#b5462b",
           "boost_message_queue": "#b5462b", "python": "#d99a00", "python_pickle": "#d99a00",
           "python_shared_memory": "#7a9a01", "mpi": "#8e44ad"}


@dataclasses.dataclass
class Picture:
    """Lines of points; `curves` are (side, [(x, y), ...])."""
    name: str
    title: str
    x: str
    y: str
    curves: list
    settings: str


def size_picture(results, name, title, sides):
    curves = [(side, [(count, results[name, count, side].time()) for count in results.parameters(name)
                      if results.measured(name, count, side)]) for side in sides]
    sizes = [(1 << shift, bytes_text(1 << shift)) for shift in (10, 13, 16, 20, 24, 28, 32, 34)]
    marks = ", ".join(f'"{text}" {count}' for count, text in sizes)
    times = ", ".join(f'"{text}" {power}' for power, text in (
        ("1e-6", "1 µs"), ("1e-5", "10 µs"), ("1e-4", "100 µs"), ("1e-3", "1 ms"), ("1e-2", "10 ms"),
        ("1e-1", "100 ms"), ("1", "1 s"), ("10", "10 s")))
    return Picture(name, title, "size of the array", "time", curves,
                   f"set logscale xy\nset xtics ({marks}) rotate by -30\nset ytics ({times})\n")


def speed_picture(results, name, title):
    curves = []
    for side in SPEED_UP_SIDES:
        points = [(workers, ratio.value) for workers in results.parameters(name)
                  if (ratio := speed_up(results, name, workers, side)) is not None]
        curves.append((side, points))
    most = max(results.parameters(name), default=1)
    return Picture(name, title, "workers", "speed-up against the serial run", curves,
                   f"set xtics 1\nset yrange [0:*]\nset xrange [0.8:{most + 0.2}]\n")


def latency_picture(results):
    name = "round_trip"
    curves = []
    for side in TOPICS[name].sides:
        if not results.measured(name, 1, side):
            continue
        entry = results[name, 1, side]
        points = sorted((entry.counter(key), float(key[1:])) for key in entry.counters if re.fullmatch(r"q[0-9.]+", key))
        curves.append((side, points))
    return Picture(name, "A task's round trip to a sleeping worker: how many took no longer", "time",
                   "share of the round trips", curves,
                   'set logscale x\nset xtics ("5 µs" 5e-6, "10 µs" 1e-5, "20 µs" 2e-5, "50 µs" 5e-5, "100 µs" 1e-4, '
                   '"200 µs" 2e-4, "500 µs" 5e-4, "1 ms" 1e-3, "10 ms" 1e-2)\nset yrange [0:1]\n')


def pictures(results):
    return [
        size_picture(results, "create_fill", "Create an array and fill it", TOPICS["create_fill"].sides),
        size_picture(results, "attach", "Attach by name and read the first element", TOPICS["attach"].sides),
        size_picture(results, "handover_first", "Until a waiting process has seen the first element",
                     TOPICS["handover_first"].sides),
        size_picture(results, "handover_all", "Until it has read all of it once", TOPICS["handover_all"].sides),
        latency_picture(results),
        speed_picture(results, "compute_bound", "Arithmetic: speed-up"),
        speed_picture(results, "memory_bound", "Adding up a large array: speed-up"),
    ]


def draw(picture, folder):
    """Writes NAME.plot, which gnuplot reads, and NAME.svg. False where gnuplot is not installed, or has no point."""
    curves = [(side, points) for side, points in picture.curves if points]
    if not curves or shutil.which("gnuplot") is None:
        return False
    folder.mkdir(exist_ok=True)
    script = [
        "set terminal svg size 900,480 font 'sans-serif,14' background '#ffffff'",
        f"set output '{picture.name}.svg'",
        f"set title {json.dumps(picture.title, ensure_ascii=False)} noenhanced",
        f"set xlabel '{picture.x}'",
        f"set ylabel '{picture.y}'",
        "set encoding utf8",
        "set key outside right top Left reverse noenhanced",
        "set grid lc '#dddddd'",
        "set border 3",
        "set tics nomirror",
        picture.settings,
    ]
    plots = []
    for index, (side, points) in enumerate(curves):
        data = "\n".join(f"{x!r} {y!r}" for x, y in points)
        script.append(f"$data{index} << EOD\n{data}\nEOD")
        width = 3 if side == "ndshm" else 1.6
        plots.append(f"$data{index} using 1:2 with linespoints lc '{COLOURS.get(side, '#999999')}' lw {width} "
                     f"pt {5 + index} ps 0.6 title {json.dumps(LABELS[side])}")
    script.append("plot " + ", \\\n  ".join(plots))
    path = folder / f"{picture.name}.plot"
    path.write_text("\n".join(script) + "\n", encoding="utf-8")
    subprocess.run(["gnuplot", path.name], cwd=folder, check=True)
    return True
