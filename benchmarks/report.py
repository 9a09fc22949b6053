#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Makes a report of what run.py measured.

    report.py FOLDER                   writes report.md, report.html and the pictures anew
    report.py FOLDER --project FOLDER  puts the headlines into benchmarks/README.md of the project, and four of its
                                       figures into README.md, between two comments each
    report.py FOLDER --compare OTHER   says which headlines of two runs differ; fails where they do, and are not noisy

FOLDER/results has what the programs wrote. results.py reads it, contents.py says what is shown, pictures.py draws.
"""

import argparse
import dataclasses
import datetime
import html
import itertools
import pathlib
import shutil
import statistics
import sys

sys.dont_write_bytecode = True  # nothing is written beside the sources
from contents import (LABELS, SECTIONS, SPEED_UP_SIDES, TOPICS, figure_lines, goal_lines,  # noqa: E402
                      headline_lines, speed_up)
from machine import compiler, machine, output_of, processor, system  # noqa: E402
from pictures import draw, pictures  # noqa: E402
from results import NOISY, Results, bytes_text, name_of, ratio_of, time_text  # noqa: E402

SAME = 0.15  # the change up to which two runs are said to have measured the same


class Text:
    """A report as Markdown and as HTML, written in one go."""

    def __init__(self):
        self.markdown = []
        self.html = []

    def heading(self, level, text):
        self.markdown.append(f"{'#' * level} {text}")
        self.html.append(f"<h{level}>{html.escape(text)}</h{level}>")

    def paragraph(self, text):
        self.markdown.append(text)
        self.html.append(f"<p>{html.escape(text)}</p>")

    def table(self, header, rows):
        self.markdown.append("\n".join(["| " + " | ".join(header) + " |", "|" + "---|" * len(header),
                                        *("| " + " | ".join(row) + " |" for row in rows)]))
        cells = ["<table><thead><tr>", *(f"<th>{html.escape(cell)}</th>" for cell in header), "</tr></thead><tbody>"]
        for row in rows:
            marks = " class=\"bad\"" if "not met" in row else ""
            cells.append(f"<tr{marks}>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>")
        self.html.append("".join(cells) + "</tbody></table>")

    def picture(self, path, title, folder):
        self.markdown.append(f"![{title}]({path})")
        svg = (folder / path).read_text(encoding="utf-8")
        self.html.append(f"<figure>{svg[svg.index('<svg'):]}</figure>")  # so that the page is one file

    def write(self, folder):
        (folder / "report.md").write_text("\n\n".join(self.markdown) + "\n", encoding="utf-8")
        style = ("body{font:16px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
                 "table{border-collapse:collapse;margin:1em 0;font-size:14px}"
                 "td,th{border-bottom:1px solid #ddd;padding:.3em .8em;text-align:left;vertical-align:top}"
                 "th{border-bottom:2px solid #888}.bad{background:#fdecea}figure{margin:1em 0}"
                 "svg{max-width:100%;height:auto}")
        (folder / "report.html").write_text(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>ndshm: benchmarks</title>"
            f"<style>{style}</style><body>\n" + "\n".join(self.html) + "\n</body></html>\n", encoding="utf-8")


def parameter_text(topic, parameter):
    return bytes_text(parameter) if topic.parameter == "bytes" else str(parameter)


def absolute_text(topic, value):
    if not topic.counter:
        return time_text(value)
    return bytes_text(value) if topic.counter == "bytes" else f"{value:,.0f}"


def cell_of(results, topic, parameter, side, floor):
    if not topic.has(side, parameter) or (topic.name, parameter, side) not in results:
        return ""
    entry = results[topic.name, parameter, side]
    if not entry.times:
        return "left out" if entry.left_out else "failed"
    values = topic.values(entry)
    if side == floor:
        return absolute_text(topic, statistics.median(values))
    if not results.measured(topic.name, parameter, floor):
        return absolute_text(topic, statistics.median(values))
    return str(ratio_of(values, topic.values(results[topic.name, parameter, floor])))


def add_topic(text, results, topic):
    text.heading(3, topic.title)
    floor = topic.sides[0]
    header = [topic.parameter if topic.parameter != "bytes" else "size", LABELS[floor],
              *(LABELS[side] for side in topic.sides[1:])]
    rows = [[parameter_text(topic, parameter), *(cell_of(results, topic, parameter, side, floor) for side in topic.sides)]
            for parameter in results.parameters(topic.name)]
    text.table(header, rows)
    if topic.note:
        text.paragraph(topic.note)
    reasons = {results[key].left_out for key in results if key[0] == topic.name and results[key].left_out}
    for reason in sorted(reasons):
        sides = sorted({LABELS[key[2]] for key in results if key[0] == topic.name and results[key].left_out == reason})
        text.paragraph(f"Left out: {', '.join(sides)}: {reason}.")
    for key in sorted(results):
        if key[0] == topic.name and results[key].error:
            text.paragraph(f"Failed: {LABELS.get(key[2], key[2])}, {parameter_text(topic, key[1])}: {results[key].error}")


def add_speed_ups(text, results, name):
    rows = []
    for workers in results.parameters(name):
        ratios = [speed_up(results, name, workers, side) for side in SPEED_UP_SIDES]
        rows.append([str(workers), *(str(ratio) if ratio is not None else "" for ratio in ratios)])
    text.paragraph("The same as speed-up against the serial run:")
    text.table(["workers", *(LABELS[side] for side in SPEED_UP_SIDES)], rows)


@dataclasses.dataclass
class Written:
    """A report that was written, and what it lacks."""
    results: Results
    goals: list
    drawn: dict

    def rows(self):
        return len(self.results.run["wanted"]) + len(self.goals) + len(self.drawn)

    def summary(self):
        width = max(len(goal.text) for goal in self.goals)
        return "\n".join(f"{goal.text:{width}}  {goal.goal:18} {goal.measured}: {goal.met}" for goal in self.goals)

    def missing(self):
        """Every row has to be there, with a number or with a reason that is true."""
        lines = []
        wanted = {name_of(name) for name in self.results.run["wanted"]}
        for name in sorted(wanted):
            text = "/".join(map(str, name))
            if name not in self.results:
                lines.append(f"{text} was not run")
            elif self.results[name].error:
                lines.append(f"{text} failed: {self.results[name].error}")
            elif not self.results[name].times and is_installed(self.results[name].left_out):
                lines.append(f"{text} was left out, but: {is_installed(self.results[name].left_out)}")
            if name[0] not in TOPICS or name[2] not in TOPICS[name[0]].sides:
                lines.append(f"{text} has no place in the report")
        for topic in TOPICS.values():
            parameters = {parameter for name, parameter, _ in wanted if name == topic.name}
            if not parameters:
                lines.append(f"{topic.name} is not measured by any program")
            for parameter in sorted(parameters):
                for side in topic.sides:
                    if topic.has(side, parameter) and (topic.name, parameter, side) not in wanted:
                        lines.append(f"{topic.name}/{parameter}/{side} is not measured by any program")
        lines += [f"goal: {goal.text}" for goal in self.goals if goal.met == "not measured"]
        if shutil.which("gnuplot"):
            lines += [f"picture {name}" for name, there in self.drawn.items() if not there]
        return lines


def is_installed(reason):
    """What was found of a peer that is said not to be installed; empty when there is nothing."""
    if "MPI" in reason and shutil.which("mpiexec") and shutil.which("mpicxx"):
        return "mpiexec and mpicxx are there"
    if "NumPy" in reason and output_of("/usr/bin/python3", "-c", "import numpy; print(numpy.__file__)"):
        return "/usr/bin/python3 has NumPy"
    if "OpenMP" in reason and output_of("c++", "-fopenmp", "-dumpversion"):
        return "the compiler takes -fopenmp"
    return "" if reason else "no reason is given"


def write(folder):
    results = Results(folder / "results")
    text = Text()
    drawn = {}
    quick = results.run["quick"]
    goals = goal_lines(results)

    text.heading(1, "ndshm: benchmarks")
    kind = "a quick run, whose figures say little, of" if quick else "a full run of"
    text.paragraph(f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {kind} {results.run['seconds'] / 60:.1f} minutes. Each "
                   "figure is a median. The first column of a table is the floor, as a time; the others are ratios to "
                   "it, measured in the same run in random order, with half the "
                   f"interquartile range; above {round(100 * NOISY)} % a figure is called noisy. What takes very long is done "
                   "once. Less is better, except for speed-ups.")
    text.heading(2, "Machine")
    text.table(["", ""], machine(results.context))
    text.heading(2, "Goals")
    text.table(["", "goal", "measured", ""], [[goal.text, goal.goal, goal.measured, goal.met] for goal in goals])
    to_draw = {picture.name: picture for picture in pictures(results)}
    for title, topics in SECTIONS.items():
        text.heading(2, title)
        for topic in topics:
            add_topic(text, results, topic)
            if topic.name in ("compute_bound", "memory_bound"):
                add_speed_ups(text, results, topic.name)
            if topic.name in to_draw:
                picture = to_draw[topic.name]
                drawn[topic.name] = draw(picture, folder / "pictures")
                if drawn[topic.name]:
                    text.picture(f"pictures/{topic.name}.svg", picture.title, folder)
    if shutil.which("gnuplot") is None:
        text.paragraph("Pictures are left out: gnuplot is not installed.")
    text.write(folder)
    (folder / "headlines.md").write_text(headlines(results), encoding="utf-8")
    (folder / "figures.md").write_text(figures(results), encoding="utf-8")
    return Written(results, goals, drawn)


def measured_on(results):
    return f"Measured {datetime.date.today()} on {processor()}, {system()}, {compiler(results.context)}:"


def headlines(results):
    lines = [measured_on(results), "", "| | goal | measured | |", "|---|---|---|---|"]
    lines += [f"| {each.text} | {each.goal} | {each.measured} | {each.met if each.goal else ''} |"
              for each in headline_lines(results)]
    return "\n".join(lines) + "\n"


def figures(results):
    lines = [measured_on(results), "", "| | |", "|---|---|"]
    lines += [f"| {each.text} | {each.measured} |" for each in figure_lines(results)]
    return "\n".join(lines) + "\n"


def put_into(path, what, contents):
    """Replaces what stands between the comments `what` and `end of what`."""
    text = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {what} -->\n", f"<!-- end of {what} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        sys.exit(f"{path} has no place for the {what}, between {begin.strip()} and {end}")
    before, rest = text.split(begin)
    path.write_text(before + begin + contents + end + rest.split(end)[1], encoding="utf-8")


def compare(folder, other):
    """The headlines of two runs on one machine: those that differ by more than SAME, and that neither run calls noisy."""
    runs = [headline_lines(Results(each / "results")) for each in (folder, other)]
    differ = 0
    for lines in itertools.zip_longest(*runs):
        first, second = (each and each.ratio for each in lines)
        if first is None and second is None:
            continue  # left out
        if first is None or second is None:
            sys.exit("The two runs have not measured the same.")
        change = second.value / first.value - 1
        noisy = first.noisy or second.noisy
        differ += abs(change) > SAME and not noisy
        print(f"{change:+7.1%} {'noisy' if noisy else '     '} {first}; {second}: {lines[0].text}")
    print(f"{differ} headlines differ by more than {SAME:.0%}, and are not noisy")
    return 1 if differ else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="the report's folder")
    parser.add_argument("--project", type=pathlib.Path, help="the project whose documents are to have the headlines")
    parser.add_argument("--compare", type=pathlib.Path, help="the folder of another report: only compares the headlines")
    arguments = parser.parse_args()
    if arguments.compare:
        sys.exit(compare(arguments.folder, arguments.compare))
    print(write(arguments.folder).summary())
    if arguments.project:
        for path, what in (("benchmarks/README.md", "headlines"), ("README.md", "figures")):
            put_into(arguments.project / path, what, (arguments.folder / f"{what}.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
