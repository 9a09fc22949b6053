#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Python's ways of sharing arrays, measured inside Python. Each line of standard input is `WHAT ARGUMENT... ITERATIONS`;
each is answered by a line with the seconds that the iterations took, see Peer in measure.hpp."""

import itertools
import multiprocessing
import os
import sys
import time
from multiprocessing import shared_memory

import numpy as np

clock = time.perf_counter  # CLOCK_MONOTONIC on Linux: the same in every process
context = multiprocessing.get_context("fork")
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)


class LeftOut(Exception):
    """Cannot be measured on this machine."""


def available_memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 // 10 * 9
    return sys.maxsize


def require_memory(count):
    available = available_memory()
    if count > available:
        raise LeftOut(f"takes {count >> 20} MiB, and {available >> 20} MiB are available")


def let_others_fall_asleep():
    start = clock()
    while clock() - start < 50e-6:
        pass


def array_in(memory, count):
    return np.ndarray((count,), dtype=np.float64, buffer=memory.buf)


# ---- segments -------------------------------------------------------------------------------------------------------

def sum_of(iterations, iteration):
    """The seconds that all iterations return, but for one before them that does not count, unless it takes long."""
    first = iteration()
    if first < 0.1:
        first = iteration()
    return first + sum(iteration() for _ in range(iterations - 1))


def create(count, iterations, fill=False):
    def once():
        start = clock()
        memory = shared_memory.SharedMemory(create=True, size=count)
        array = array_in(memory, count // 8)
        if fill:
            array.fill(1.0)
        seconds = clock() - start
        del array
        memory.close()
        memory.unlink()
        return seconds

    return sum_of(iterations, once)


def create_fill(count, iterations):
    return create(count, iterations, True)


def attach_and_detach(count, iterations, choose):
    """What `choose` makes of the seconds of attaching and of detaching."""
    owner = shared_memory.SharedMemory(create=True, size=count)
    array_in(owner, count // 8).fill(1.0)

    def once():
        start = clock()
        memory = shared_memory.SharedMemory(owner.name)
        array = array_in(memory, count // 8)
        array[0]
        middle = clock()
        del array
        memory.close()
        return choose(middle - start, clock() - middle)

    try:
        return sum_of(iterations, once)
    finally:
        owner.close()
        owner.unlink()


def attach(count, iterations):
    return attach_and_detach(count, iterations, lambda attached, _: attached)


def detach(count, iterations):
    return attach_and_detach(count, iterations, lambda _, detached: detached)


def attach_detach(count, iterations):
    return attach_and_detach(count, iterations, lambda attached, detached: attached + detached)


# ---- handing over ---------------------------------------------------------------------------------------------------

def receive(connection, get, read_all):
    """The other process: `get(message)` is the array of a message, which is None at the end."""
    while (message := connection.recv()) is not None:
        array, keep = get(message)
        array.sum() if read_all else array[0]
        end = clock()
        del array, message
        if keep is not None:
            keep.close()
        connection.send(end)


def hand_over(message, get, read_all, iterations):
    here, there = context.Pipe()
    process = context.Process(target=receive, args=(there, get, read_all))
    process.start()

    def once():
        let_others_fall_asleep()
        start = clock()
        here.send(message)
        return here.recv() - start

    seconds = sum_of(iterations, once)
    here.send(None)
    process.join()
    return seconds


def hand_over_pickle(count, read_all, iterations):
    require_memory(4 * count)  # here, as bytes, there as bytes and as an array
    return hand_over(np.ones(count // 8), lambda array: (array, None), read_all, iterations)


def hand_over_shared_memory(count, read_all, iterations):
    require_memory(count)
    memory = shared_memory.SharedMemory(create=True, size=count)
    array_in(memory, count // 8).fill(1.0)

    def get(message):
        other = shared_memory.SharedMemory(message[0])
        return array_in(other, message[1]), other

    try:
        return hand_over((memory.name, count // 8), get, read_all, iterations)
    finally:
        memory.close()
        memory.unlink()


def handover_first_pickle(count, iterations):
    return hand_over_pickle(count, False, iterations)


def handover_all_pickle(count, iterations):
    return hand_over_pickle(count, True, iterations)


def handover_first_shared_memory(count, iterations):
    return hand_over_shared_memory(count, False, iterations)


def handover_all_shared_memory(count, iterations):
    return hand_over_shared_memory(count, True, iterations)


# ---- pools ----------------------------------------------------------------------------------------------------------

def nothing(_):
    return None


def empty_tasks(workers, iterations):
    count = 20_000
    with context.Pool(workers) as pool:
        pool.map(nothing, range(count), chunksize=1)
        start = clock()
        for _ in range(iterations):
            pool.map(nothing, range(count), chunksize=1)
        return clock() - start, {"per": float(count)}


def round_trip(iterations):
    times = []
    with context.Pool(1) as pool:
        pool.apply(nothing, (0,))
        for _ in range(iterations):
            let_others_fall_asleep()
            start = clock()
            pool.apply(nothing, (0,))
            times.append(clock() - start)
    total = sum(times)
    times.sort()
    shares = {f"q{q:g}": times[int(q * (len(times) - 1) + 0.5)] for q in QUANTILES}
    return total, shares


ROWS, COLUMNS, ROWS_PER_BLOCK = 2000, 10, 100
table = None


def share_table(buffer):
    global table
    table = np.frombuffer(buffer, dtype=np.float64).reshape(ROWS, COLUMNS)


def fill_block(begin):
    table[begin:begin + ROWS_PER_BLOCK] = begin


def table_pool(workers):
    buffer = context.RawArray("d", ROWS * COLUMNS)
    return context.Pool(workers, initializer=share_table, initargs=(buffer,))


def populate(workers, iterations):
    with table_pool(workers) as pool:
        pool.map(fill_block, range(0, ROWS, ROWS_PER_BLOCK), chunksize=1)
        start = clock()
        for _ in range(iterations):
            pool.map(fill_block, range(0, ROWS, ROWS_PER_BLOCK), chunksize=1)
        return clock() - start


def populate_with_start(workers, iterations):
    start = clock()
    for _ in range(iterations):
        with table_pool(workers) as pool:
            pool.map(fill_block, range(0, ROWS, ROWS_PER_BLOCK), chunksize=1)
    return clock() - start


def run(task, count, workers, iterations):
    """By that many workers, or by this process alone."""
    if workers == 0:
        start = clock()
        for _ in range(iterations):
            for i in range(count):
                task(i)
        return clock() - start
    with context.Pool(workers, initializer=do_all, initargs=(task, count)) as pool:
        pool.map(task, range(count), chunksize=1)
        start = clock()
        for _ in range(iterations):
            pool.map(task, range(count), chunksize=1)
        return clock() - start


def do_all(task, count):
    for i in range(count):
        task(i)


def compute(task):
    x = float(task)
    for _ in itertools.repeat(None, 10_000):
        x = x * 0.999999 + 1.0
    return x


def compute_bound(workers, iterations):
    return run(compute, 64, workers, iterations)


blocks = None


def add_up(task):
    return float(blocks[task].sum())


def memory_bound(workers, iterations):
    global blocks
    count = 64
    memory = shared_memory.SharedMemory(create=True, size=count << 20)
    blocks = np.ndarray((count, 1 << 17), dtype=np.float64, buffer=memory.buf)
    blocks.fill(1.0)
    try:
        return run(add_up, count, workers, iterations)
    finally:
        blocks = None
        memory.close()
        memory.unlink()


REQUESTS = {function.__name__: function for function in (
    create, create_fill, attach, detach, attach_detach, handover_first_pickle, handover_all_pickle,
    handover_first_shared_memory, handover_all_shared_memory, empty_tasks, round_trip, populate, populate_with_start,
    compute_bound, memory_bound)}


def answer(line):
    what, *numbers = line.split()
    try:
        result = REQUESTS[what](*map(int, numbers))
    except LeftOut as reason:
        return f"left out: {reason}"
    except Exception as error:  # pylint: disable=broad-except
        return f"error: {type(error).__name__}: {error}".replace("\n", " ")
    seconds, counters = result if isinstance(result, tuple) else (result, {})
    return " ".join([repr(seconds), *(f"{name}={value!r}" for name, value in counters.items())])


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")  # what forked workers print does not get in between
    os.dup2(2, 1)
    for line in sys.stdin:
        if line.strip() == "end":
            return
        print(answer(line), file=answers, flush=True)


if __name__ == "__main__":
    main()
