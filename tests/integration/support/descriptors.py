"""Counting the descriptors that a process holds, by kind."""

from __future__ import annotations

import collections
import os
import re
from typing import Counter


def open_descriptors(pid: int, ignored_folder: str = "/none") -> Counter[str]:
    """How many descriptors of each kind `pid` holds, without files of one folder; empty when it has ended."""
    folder = f"/proc/{pid}/fd"
    kinds: Counter[str] = collections.Counter()
    try:
        numbers = os.listdir(folder)
    except (FileNotFoundError, PermissionError):
        return kinds
    for number in numbers:
        try:
            target = os.readlink(f"{folder}/{number}")
        except FileNotFoundError:
            continue
        if not target.startswith(ignored_folder):
            kinds[_kind(target)] += 1
    return kinds


def _kind(target: str) -> str:
    return re.sub(r":\[\d+\]$", "", target)


def growth(before: Counter[str], now: Counter[str], allowed: int = 0) -> list[str]:
    """One line per kind that has grown, when the sum has grown by more than `allowed`; otherwise nothing."""
    if not now or sum(now.values()) <= sum(before.values()) + allowed:
        return []
    return [f"{kind}: {before[kind]} -> {count}" for kind, count in sorted(now.items()) if count > before[kind]]
