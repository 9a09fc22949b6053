# SPDX-License-Identifier: BSL-1.0
"""Reads and changes arrays in shared memory, in place. NumPy is all it takes: a segment is a .npy file.

Usage: numpy_neighbour.py MATRIX COLUMNS PARTICLES, the paths that numpy_neighbour prints (it starts this script).
"""

import sys

import numpy as np

matrix_path, columns_path, particles_path = sys.argv[1:]

# "r" maps read-only, "r+" for writing too, "c" copies what is written to. None of them reads the elements in.
matrix = np.load(matrix_path, mmap_mode="r+")
print("Python sees", matrix.dtype, matrix.shape, matrix.tolist())
matrix[1] = [10, 20, 30]

# Fortran order is Fortran order here, too.
columns = np.load(columns_path, mmap_mode="r+")
print("Python sees", columns.dtype, columns.shape, "Fortran order:", columns.flags.f_contiguous)
columns += 100

# A struct is a structured dtype, with the same offsets and padding as in C++.
particles = np.load(particles_path, mmap_mode="r+")
print("Python sees", particles.dtype.names, "of", particles.dtype.itemsize, "bytes, masses", particles["mass"].tolist())
particles["mass"] *= 2
particles["position"][:, 0] = 7
