"""Sweeps over matrices with numpy, along rows and along columns: matrix.py SIDE ROUNDS. Prints a sum of whole numbers, the same everywhere."""

import sys

import numpy

side, rounds = int(sys.argv[1]), int(sys.argv[2])
a = numpy.arange(side * side, dtype=numpy.int64).reshape(side, side)
a ^= a >> 7
for _ in range(rounds):
    b = a.T.copy()  # reads along columns, writes along rows
    b >>= 1
    a += b
    a %= 1000003
    del b
weights = numpy.arange(side, dtype=numpy.int64)
print(int((a.sum(axis=0) * weights).sum()), int((a.sum(axis=1) * weights).sum()))
