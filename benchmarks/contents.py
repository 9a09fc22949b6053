# SPDX-License-Identifier: BSL-1.0
"""What the report shows: the tables, the goals of the library, and the headlines."""

import dataclasses
import os
import statistics

from results import Ratio, bytes_text, number, ratio_of

LABELS = {
    "ndshm": "ndshm", "ndshm_anonymous": "ndshm, anonymous", "ndshm_read_only": "ndshm, read-only",
    "ndshm_warm": "ndshm, mapped already", "ndshm_with_start": "ndshm, with starting the workers",
    "system_calls": "system calls", "system_calls_reserved": "system calls, memory reserved",
    "boost": "Boost managed_shared_memory", "boost_message_queue": "Boost message_queue", "python": "Python",
    "python_pickle": "Python, pickled", "python_shared_memory": "Python SharedMemory", "python_serial": "Python, serial",
    "python_with_start": "Python, with starting the workers", "mpi": "MPI", "pointer": "pointer",
    "xtensor": "xt::xtensor", "pipe": "pipe", "futex": "futex", "threads": "threads", "openmp": "OpenMP",
    "serial": "serial", "heap": "heap", "copies": "a copy each", "nothing": "an empty main", "ndshm_used": "ndshm, used",
    "ndshm_eager_small": "eager, small pages", "ndshm_eager_huge": "eager, huge pages if on",
    "ndshm_lazy_small": "lazy, small pages", "ndshm_lazy_huge": "lazy, huge pages if on",
    "ndshm_eager_small_by_workers": "eager, small, by all workers",
    "ndshm_eager_huge_by_workers": "eager, huge if on, by all workers",
    "ndshm_lazy_small_by_workers": "lazy, small, by all workers",
    "ndshm_lazy_huge_by_workers": "lazy, huge if on, by all workers",
}


@dataclasses.dataclass
class Topic:
    """A table: a row for each parameter, a column for each side, the first of which is the floor."""
    name: str
    title: str
    sides: list
    parameter: str
    note: str = ""
    counter: str = ""  # what is compared in place of the time
    only: dict = dataclasses.field(default_factory=dict)  # side: for which parameters there is one

    def has(self, side, parameter):
        return side not in self.only or self.only[side](parameter)

    def values(self, entry):
        return entry.counters[self.counter] if self.counter else entry.times


FIRST_ROW = {"serial": lambda workers: workers == 1, "python_serial": lambda workers: workers == 1}
UP_TO_256_MIB = {side: lambda count: count <= 256 << 20
                 for side in ("pipe", "boost_message_queue", "python_pickle")}
NOT_16_GIB = {side: lambda count: count < 16 << 30 for side in ("ndshm_warm", "python_shared_memory")}
HANDOVER_SIDES = ["system_calls", "ndshm", "ndshm_warm", "python_shared_memory", "pipe", "boost_message_queue",
                  "python_pickle"]
SPEED_UP_SIDES = ["threads", "ndshm", "openmp", "mpi", "python"]
TOUCH = ["ndshm_eager_small", "ndshm_eager_huge", "ndshm_lazy_small", "ndshm_lazy_huge"]

SECTIONS = {
    "Creating": [
        Topic("create", "Create an array of zeros", ["system_calls", "system_calls_reserved", "ndshm", "ndshm_anonymous",
                                                     "boost", "python", "mpi"], "bytes",
              "The system calls are shm_open, ftruncate and mmap: they take no memory, so that a full /dev/shm is a "
              "SIGBUS later. With posix_fallocate they do. ndshm takes it and maps it, which filling it gains from. Boost "
              "writes its zeros; the others find them."),
        Topic("create_fill", "Create an array and fill it", ["system_calls", "system_calls_reserved", "ndshm",
                                                             "ndshm_anonymous", "boost", "python", "mpi"], "bytes"),
        Topic("first_touch", "Create an anonymous array and fill it: which memory, and by whom",
              ["system_calls", "heap", *TOUCH, *(side + "_by_workers" for side in TOUCH)], "bytes",
              "By all workers: a pool with first_touch, whose start is counted too."),
        Topic("huge_pages", "Create a named array and fill it, in a /dev/shm where huge pages are on",
              ["system_calls", "ndshm_eager_small", "ndshm_eager_huge"], "bytes",
              "A tmpfs that is mounted with huge=advise, in a process of its own. The system calls do not ask for huge "
              "pages."),
    ],
    "Attaching": [
        Topic("attach", "Attach by name and read the first element",
              ["system_calls", "ndshm", "ndshm_read_only", "boost", "python"], "bytes",
              "The system calls are shm_open, fstat, mmap and the read. Boost opens and finds."),
        Topic("detach", "Let go of it", ["system_calls", "ndshm", "ndshm_read_only", "boost", "python"], "bytes",
              "The system calls are munmap and close. ndshm looks whether it was the last one, too."),
        Topic("attach_detach", "Both", ["system_calls", "ndshm", "ndshm_read_only", "boost", "python"], "bytes"),
    ],
    "Handing over": [
        Topic("handover_first", "Until a waiting process has seen the first element",
              HANDOVER_SIDES, "bytes",
              "The system calls send a path and check nothing. ndshm sends a handle; the receiver maps the array, or has "
              "it mapped already. Where bytes are "
              "sent, the first ones count, except for Python, which takes a message whole. The array of 16 GiB is a "
              "sparse one.", only=UP_TO_256_MIB | NOT_16_GIB),
        Topic("handover_all", "Until it has read all of it once", HANDOVER_SIDES, "bytes"),
    ],
    "Using": [
        Topic("operator", "a(i, j) += 1 in two loops", ["xtensor", "ndshm", "pointer"], "bytes"),
        Topic("iteration", "for (double& element : a) element += 1", ["xtensor", "ndshm", "pointer"], "bytes"),
        Topic("sum", "xt::sum(a)()", ["xtensor", "ndshm", "pointer"], "bytes"),
        Topic("axpy", "xt::noalias(b) = 0.5 * a + b", ["xtensor", "ndshm", "pointer"], "bytes"),
        Topic("strided_view", "The sum of every other element of every other row", ["xtensor", "ndshm", "pointer"],
              "bytes"),
        Topic("transposed_copy", "xt::noalias(b) = xt::transpose(a)", ["xtensor", "ndshm", "pointer"], "bytes"),
    ],
    "Pools": [
        Topic("empty_tasks", "An empty task, one of many, two workers", ["threads", "ndshm", "openmp", "python"],
              "workers", "Seconds per task. Threads and OpenMP share an atomic counter and cannot lose a worker."),
        Topic("round_trip", "One task to a worker that sleeps, and back", ["futex", "pipe", "ndshm", "mpi", "python"],
              "workers", "MPI does not sleep: it asks again and again, and uses up a processor."),
        Topic("populate", "2,000 x 10 elements in 20 blocks, two workers",
              ["serial", "threads", "openmp", "ndshm", "ndshm_with_start", "python", "python_with_start", "mpi"], "rows",
              "So little work that no parallel run gains from it: what is seen is what a run costs. Threads are started "
              "for each run."),
        Topic("compute_bound", "Arithmetic, by 1 to 2 x cores workers", SPEED_UP_SIDES + ["serial", "python_serial"],
              "workers", "Python has other tasks: only its speed-up compares.", only=FIRST_ROW),
        Topic("memory_bound", "Adding up a large array, by 1 to 2 x cores workers",
              SPEED_UP_SIDES + ["serial", "python_serial"], "workers",
              "As above. Each process has read all of it once before: its page tables, which are its own, are filled.",
              only=FIRST_ROW),
    ],
    "Memory": [
        Topic("memory", "Processes that all read one array: memory of all of them", ["copies", "ndshm"], "processes",
              "The sum of the proportional set sizes. That of the process that made the shared array is counted too, as "
              "one more.", counter="bytes"),
    ],
    "Compiling": [
        Topic("compile", "Time of the compiler, -O2", ["xtensor", "ndshm", "ndshm_used", "nothing"], "files"),
        Topic("preprocessed", "Lines that the compiler gets to see", ["xtensor", "ndshm", "ndshm_used", "nothing"],
              "files", counter="lines"),
    ],
}
TOPICS = {topic.name: topic for topics in SECTIONS.values() for topic in topics}


def speed_up(results, topic, workers, side):
    """Against the serial run of the same language; None where it was not measured."""
    serial = "python_serial" if side == "python" else "serial"
    if not results.measured(topic, workers, side) or not results.measured(topic, 1, serial):
        return None
    return ratio_of(results[topic, 1, serial].times, results[topic, workers, side].times)


# ---- goals and headlines --------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Line:
    """A figure with what it should be."""
    text: str
    goal: str
    measured: str
    met: str = ""
    ratio: Ratio | None = None


def ratio_between(results, above, below):
    if not (results.measured(*above) and results.measured(*below)):
        return None
    return ratio_of(results[above].times, results[below].times)


def line(text, goal, ratio, is_met, measured="{}"):
    if ratio is None:
        return Line(text, goal, "not measured", "not measured")
    return Line(text, goal, measured.format(ratio), "met" if is_met(ratio.value) else "not met", ratio)


ACCESS = ("operator", "iteration", "sum", "axpy", "strided_view", "transposed_copy")


def access_ratios(results):
    ratios = {(topic, count): ratio_between(results, (topic, count, "ndshm"), (topic, count, "xtensor"))
              for topic in ACCESS for count in results.parameters(topic)}
    return {key: ratio for key, ratio in ratios.items() if ratio is not None}


def access_line(results):
    text, goal = "Access, reductions, assignment against xt::xtensor", "at most 1.03"
    ratios = access_ratios(results)
    if not ratios:
        return Line(text, goal, "not measured", "not measured")
    slowest, ratio = max(ratios.items(), key=lambda item: item[1].value)
    good = sum(each.value <= 1.03 for each in ratios.values())
    middle = statistics.median(each.value for each in ratios.values())
    return Line(f"{text}: the slowest of {len(ratios)} ({slowest[0]}, {bytes_text(slowest[1])})", goal,
                f"{ratio}; median of all {number(middle)}; {good} of {len(ratios)} within the goal",
                "met" if ratio.value <= 1.03 else "not met", ratio)


def goal_lines(results):
    """The numbers that the library is to reach."""
    small = min(results.parameters("attach"), default=0)
    cores = os.cpu_count() or 1
    lines = [access_line(results)]
    lines.append(line(f"Attach by name and first element, {bytes_text(small)}, against open, fstat, mmap, first read, "
                      "munmap, close", "at most 1.5",
                      ratio_between(results, ("attach", small, "ndshm"), ("attach_detach", small, "system_calls")),
                      lambda value: value <= 1.5))
    lines.append(line("The same against Boost's open and find", "at most 1",
                      ratio_between(results, ("attach", small, "ndshm"), ("attach", small, "boost")),
                      lambda value: value <= 1))
    growth, bare_growth = [ratio_between(results, ("handover_first", 16 << 30, side), ("handover_first", 1024, side))
                     for side in ("ndshm", "system_calls")]
    lines.append(line("Handing over 16 GiB against 1 KiB", "1 (at most 1.15)", growth, lambda value: value <= 1.15,
                      "{}" if bare_growth is None else f"{{}}; by bare system calls {bare_growth}"))
    if results.measured("empty_tasks", 2, "ndshm"):
        rates = [1 / seconds for seconds in results["empty_tasks", 2, "ndshm"].times]
        lines.append(line("Empty tasks a second, two workers", "at least 1,000,000", ratio_of(rates, [1, 1]),
                          lambda value: value >= 1e6))
    else:
        lines.append(line("Empty tasks a second, two workers", "at least 1,000,000", None, None))
    lines.append(line("Round trip to a sleeping worker against a futex", "at most 1.5",
                      ratio_between(results, ("round_trip", 1, "ndshm"), ("round_trip", 1, "futex")),
                      lambda value: value <= 1.5))
    lines.append(line(f"Speed-up of arithmetic, {cores} workers, against threads", "at least 0.95",
                      ratio_between(results, ("compute_bound", cores, "threads"), ("compute_bound", cores, "ndshm")),
                      lambda value: value >= 0.95))
    for count in results.parameters("create_fill") or [0]:
        lines.append(line(f"Create and fill, {bytes_text(count)}, against bare mmap and fill", "at most 1 (1.03)",
                          ratio_between(results, ("create_fill", count, "ndshm"), ("create_fill", count, "system_calls")),
                          lambda value: value <= 1.03))
    touched = max(results.parameters("huge_pages"), default=0)
    in_huge_pages = ("huge_pages", touched, "ndshm_eager_huge")
    text = f"Create and fill in huge pages, {bytes_text(touched)}: times faster than bare mmap and fill"
    if in_huge_pages in results and results[in_huge_pages].left_out:
        lines.append(Line(text, "at least 5", results[in_huge_pages].left_out, "left out"))
    else:
        lines.append(line(text, "at least 5", ratio_between(results, ("huge_pages", touched, "system_calls"), in_huge_pages),
                          lambda value: value >= 5))
    return lines


def largest_sent(results):
    """The largest array that went through a pipe more than once."""
    sizes = [count for count in results.parameters("handover_all")
             if results.measured("handover_all", count, "pipe") and len(results["handover_all", count, "pipe"].times) > 1]
    return max(sizes, default=0)


def memory_ratio(results, processes):
    if not results.measured("memory", processes, "ndshm"):
        return None
    return ratio_of(results["memory", processes, "copies"].counters["bytes"],
                    results["memory", processes, "ndshm"].counters["bytes"])


def figure_lines(results):
    """The four figures of the main README: what they mean to a user, without goals."""

    def times(ratio, words):
        return "not measured" if ratio is None else f"{ratio} times {words}"

    ratios = access_ratios(results).values()
    sent = largest_sent(results)
    processes = max(results.parameters("memory"), default=0)
    return [
        Line("Loops, reductions and assignments, compared with the same `xt::xtensor` on the heap", "",
             f"{number(statistics.median(each.value for each in ratios))} times as long (median of {len(ratios)})"
             if ratios else "not measured"),
        Line(f"Handing {bytes_text(sent)} to a process that reads all of it, compared with pickling in Python", "",
             times(ratio_between(results, ("handover_all", sent, "python_pickle"), ("handover_all", sent, "ndshm")),
                   "as fast")),
        Line("Starting and finishing an empty task, compared with Python's `Pool`", "",
             times(ratio_between(results, ("empty_tasks", 2, "python"), ("empty_tasks", 2, "ndshm")), "as fast")),
        Line(f"Memory of {processes} processes that read one array, compared with a copy in each of them", "",
             "not measured" if memory_ratio(results, processes) is None
             else f"1/{number(memory_ratio(results, processes).value)}"),
    ]


def headline_lines(results):
    """What a reader wants to know first: goals, and how peers do."""

    def against(text, above, below, measured):
        return line(text, "", ratio_between(results, above, below), lambda value: True, measured)

    sent = largest_sent(results)
    cores = os.cpu_count() or 1
    small = min(results.parameters("attach"), default=0)
    lines = goal_lines(results)
    lines.append(against(f"Attach by name, {bytes_text(small)}, against Python SharedMemory", ("attach", small, "ndshm"),
                         ("attach", small, "python"), "{}"))
    lines.append(against(f"{bytes_text(sent)} to another process that reads it: pipe against ndshm",
                         ("handover_all", sent, "pipe"), ("handover_all", sent, "ndshm"), "{} times as long"))
    lines.append(against("The same, where the receiver has it mapped already", ("handover_all", sent, "pipe"),
                         ("handover_all", sent, "ndshm_warm"), "{} times as long"))
    lines.append(against(f"{bytes_text(sent)}: Python's pickling against ndshm", ("handover_all", sent, "python_pickle"),
                         ("handover_all", sent, "ndshm"), "{} times as long"))
    lines.append(against("Empty tasks: Python's Pool against ndshm", ("empty_tasks", 2, "python"),
                         ("empty_tasks", 2, "ndshm"), "{} times as long"))
    lines.append(against(f"Speed-up of arithmetic, {cores} workers", ("compute_bound", 1, "serial"),
                         ("compute_bound", cores, "ndshm"), "{}"))
    processes = max(results.parameters("memory"), default=0)
    ratio = memory_ratio(results, processes)
    if ratio is not None:
        lines.append(line(f"Memory of {processes} processes: a copy each against one array", "", ratio, lambda _: True,
                          "{} times as much"))
    return lines
