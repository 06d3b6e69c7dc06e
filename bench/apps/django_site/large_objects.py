"""Stands for a large code base: large_objects.txt says how many megabytes of objects live as long as the process."""

import os

_ROW_BYTES = 555  # of one row below, as measured with CPython 3.11

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "large_objects.txt")) as amount:
    rows = [
        {"name": "row %d" % number, "values": [number, number * 1.5, "text %d" % number], "tags": ("a", number)}
        for number in range(int(amount.read()) * 1_000_000 // _ROW_BYTES)
    ]
