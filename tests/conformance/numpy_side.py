# SPDX-License-Identifier: BSL-1.0
"""The NumPy half of the conformance test: see conformance.cpp, which starts it.

A request is a line of fields between tabs, and so is its answer: "ok", or what is wrong.
"""

import ast
import sys

import numpy as np

fmt = np.lib.format


def struct(*members):
    """A C struct, laid out by NumPy's own rules for C compilers."""
    return np.dtype(list(members), align=True)


POINT = struct(("x", "f4"), ("y", "f4"))
PADDED = struct(("flag", "u1"), ("value", "f8"), ("tail", "i2"))
NESTED = struct(("id", "i4"), ("inner", PADDED), ("corners", POINT, (2,)))
BYTE = struct(("value", "i1"))
WIDE = struct(
    ("the_first_member_of_a_wide_struct", "f8"),
    ("the_second_member_of_a_wide_struct", "f4"),
    ("the_third_member_of_a_wide_struct", "i1"),
    ("the_fourth_member_of_a_wide_struct", "f8"),
    ("the_fifth_member_of_a_wide_struct", "u4", (5,)),
)

# The same types as in types.hpp, said in NumPy's words. What is not here is a type string: "i4".
TYPES = {
    "bool": np.bool_,
    "signed char": np.byte,
    "unsigned char": np.ubyte,
    "short": np.short,
    "unsigned short": np.ushort,
    "int": np.intc,
    "unsigned int": np.uintc,
    "long": "l",
    "unsigned long": "L",
    "long long": np.longlong,
    "unsigned long long": np.ulonglong,
    "_Float16": np.half,
    "float": np.single,
    "double": np.double,
    "long double": np.longdouble,
    "complex float": np.csingle,
    "complex double": np.cdouble,
    "complex long double": np.clongdouble,
    "Byte": BYTE,
    "Point": POINT,
    "Padded": PADDED,
    "Nested": NESTED,
    "Deep": struct(("valid", "?"), ("nested", NESTED, (2,)), ("end", BYTE)),
    "Arrays": struct(("vector", "i2", (3,)), ("matrix", "f4", (2, 2)), ("table", "u1", (3, 2)), ("rows", "f8", (2, 2))),
    "Mixed": struct(
        ("truth", "?"),
        ("number", "i2"),
        ("byte", "u1"),
        ("letter", "i1"),
        ("precise", np.longdouble),
        ("small", np.csingle),
        ("large", np.clongdouble),
    ),
    "Partial": np.dtype({"names": ["seen", "also_seen"], "formats": ["i4", "f8"], "offsets": [0, 8], "itemsize": 16}),
    "Line": np.dtype({"names": ["value"], "formats": ["i4"], "offsets": [0], "itemsize": 64}),
    "Wide": WIDE,
    "Wider": struct(("wide", WIDE, (1,))),
}

# What NumPy can write and C++ cannot, and the versions of the format.
FOREIGN = [
    (np.dtype(">f8"), (3,), (1, 0)),
    (np.dtype(">c16"), (2, 2), (1, 0)),
    (np.dtype("S5"), (2,), (1, 0)),
    (np.dtype("U3"), (4,), (1, 0)),
    (np.dtype(">U3"), (), (1, 0)),
    (np.dtype("V7"), (2,), (1, 0)),
    (np.dtype([("a", ">i2"), ("b", "S3"), ("c", "<U2", (2, 3))]), (3, 0), (1, 0)),
    (np.dtype("<f4"), (5, 3), (2, 0)),
    (np.dtype("<f4"), (5, 3), (3, 0)),
    (np.dtype([("größe", "<f8")]), (2,), (3, 0)),
]


class Difference(Exception):
    pass


def require(condition, otherwise):
    if not condition:
        raise Difference(otherwise)


# ---- the pattern: pattern.hpp computes the same --------------------------------------------------------------------


def mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def scalars_of(dtype, key):
    if dtype.kind == "b":
        return key >> np.uint64(63) != 0
    if dtype.kind in "iu":
        return key.astype(dtype)
    bits = min(np.finfo(dtype).nmant + 1, 64)
    value = np.ldexp((key >> np.uint64(64 - bits)).astype(np.longdouble), -(bits // 2))
    return np.where(key & np.uint64(1) != 0, -value, value).astype(dtype)


def scalar_views(array, dtype):
    """Views of all scalars of the elements, in the order in which they lie in memory."""
    if dtype.subdtype:
        base, shape = dtype.subdtype
        for index in np.ndindex(shape):
            yield from scalar_views(array[(Ellipsis, *index)], base)
    elif dtype.names:
        for name in dtype.names:
            yield from scalar_views(array[name], dtype.fields[name][0])
    elif dtype.kind == "c":
        yield array.real
        yield array.imag
    else:
        yield array


def pattern(array, dtype, seed):
    """Pairs of a view of one scalar of all elements, and what it has to be."""
    count = 1
    for extent in array.shape:
        count *= extent
    element = np.arange(count, dtype=np.uint64).reshape(array.shape)
    start = np.uint64(seed * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
    for number, view in enumerate(scalar_views(array, dtype)):
        key = mix(mix(np.asarray(start + element)) + np.uint64(number))
        yield view, scalars_of(view.dtype, np.asarray(key))


def fill(array, dtype, seed):
    for view, values in pattern(array, dtype, seed):
        view[...] = values


def has_pattern(array, dtype, seed):
    return all(np.array_equal(view, values) for view, values in pattern(array, dtype, seed))


# ---- requests ------------------------------------------------------------------------------------------------------


def same_type(a, b):
    """Item size, and names, offsets and types of the members; == of some versions also asks for the align flag."""
    if a.subdtype and b.subdtype:
        return a.shape == b.shape and same_type(a.base, b.base)
    if a.names and b.names:
        return (
            a.names == b.names
            and a.itemsize == b.itemsize
            and all(a.fields[n][1] == b.fields[n][1] and same_type(a.fields[n][0], b.fields[n][0]) for n in a.names)
        )
    return a == b


def check_header(path, expected):
    """The header, read by NumPy and read as text, is the one that NumPy makes of such an array."""
    with open(path, "rb") as file:
        require(fmt.read_magic(file) == (1, 0), "the format version is not 1.0")
        shape, fortran_order, dtype = fmt.read_array_header_1_0(file)
        end = file.tell()
        file.seek(10)
        text = file.read(end - 10).decode("latin1")
    wanted = fmt.header_data_from_array_1_0(expected)
    require(shape == wanted["shape"], f"shape {shape}")
    require(fortran_order == wanted["fortran_order"], f"fortran_order {fortran_order}")
    require(same_type(dtype, expected.dtype), f"dtype {dtype}, not {expected.dtype}")
    said = ast.literal_eval(text)
    require(said == wanted, f"the header says {said}, not {wanted}")
    require(list(said) == sorted(said), "the keys are not sorted")
    require(text.endswith("\n") and end % 64 == 0, "the header is not padded")


def check_array(key, order, shape, seed, path, file):
    dtype = np.dtype(TYPES.get(key, key))
    shape = tuple(int(n) for n in shape.split(",") if n)
    seed = int(seed)
    expected = np.zeros(shape, dtype, order)
    fill(expected, dtype, seed)
    require(has_pattern(expected, dtype, seed), "the test itself is wrong")
    np.save(file, expected)
    check_header(path, expected)

    for mode in ("r", "r+", "c", None):
        mapped = np.load(path, mmap_mode=mode)
        saved = np.load(file, mmap_mode=mode)
        require(mode is None or isinstance(mapped, np.memmap), f"{mode}: not mapped")
        require(same_type(mapped.dtype, dtype), f"{mode}: {mapped.dtype}, not {dtype}")
        require(mapped.shape == shape, f"{mode}: shape {mapped.shape}")
        require(mapped.strides == saved.strides, f"{mode}: strides {mapped.strides}, not {saved.strides}")
        require(mapped.flags.c_contiguous == expected.flags.c_contiguous, f"{mode}: C order")
        require(mapped.flags.f_contiguous == expected.flags.f_contiguous, f"{mode}: Fortran order")
        require(mapped.flags.aligned, f"{mode}: not aligned")
        require(mapped.flags.writeable == (mode != "r"), f"{mode}: writeable is {mapped.flags.writeable}")
        require(has_pattern(mapped, dtype, seed), f"{mode}: values differ")

    copy = np.load(path, mmap_mode="c")
    fill(copy, dtype, seed + 2)
    require(has_pattern(np.load(path, mmap_mode="r"), dtype, seed), "writing to a copy changed the segment")

    shared = np.load(path, mmap_mode="r+")
    fill(shared, dtype, seed + 1)
    fill(expected, dtype, seed + 1)
    np.save(file, expected)
    return ["ok"]


def save_foreign(number, path):
    if int(number) == len(FOREIGN):
        return ["end"]
    dtype, shape, version = FOREIGN[int(number)]
    array = np.zeros(shape, dtype, "F")
    with open(path, "wb") as file:
        fmt.write_array(file, array, version=version)
    header = fmt.header_data_from_array_1_0(array)
    descr = header["descr"] if isinstance(header["descr"], str) else repr(header["descr"])
    lengths = ",".join(str(n) for n in shape)
    return [str(version), descr, str(dtype.itemsize), str(header["fortran_order"]), f"({lengths})"]


REQUESTS = {"array": check_array, "foreign": save_foreign}


def main():
    np.seterr(over="ignore")  # the pattern is made of products that wrap
    sys.stdout.reconfigure(encoding="utf-8")
    for line in sys.stdin:
        request, *arguments = line.rstrip("\n").split("\t")
        try:
            answer = REQUESTS[request](*arguments)
        except Exception as error:  # the other side reports it, with the array that it is about
            answer = ["differs", f"{type(error).__name__}: {error}"]
        print(*(field.replace("\n", " ").replace("\t", " ") for field in answer), sep="\t", flush=True)


if __name__ == "__main__":
    main()
