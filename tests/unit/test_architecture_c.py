"""Which folder of the Apache module may use which: kept by reading the `#include` lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "apache_module" / "src"

#: Each folder, from the bottom up, and the folders that its files may include, beside its own. The files beside the
#: folders (mod_passenger.c) connect everything and may include all.
ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "config": {"core"},
    "parent": {"config", "core"},
    "errors": {"config", "core"},
    "output": {"config", "core"},
    "proxy": {"config", "core", "errors", "output"},
    "request": {"config", "core", "errors", "output", "proxy"},
}

#: What core/ may include of others: APR. A header of httpd would keep it out of the plain test programs of tests/c.
OF_APR = re.compile(r"apr_\w+\.h")
OF_THE_SYSTEM = {"errno.h", "fcntl.h", "limits.h", "stddef.h", "stdint.h", "stdlib.h", "string.h", "strings.h"}
OF_THE_SYSTEM |= {"time.h", "pthread.h", "signal.h", "sys/socket.h", "sys/uio.h", "sys/un.h", "unistd.h"}
OF_THE_SYSTEM |= {"linux/sockios.h", "stdatomic.h", "sys/ioctl.h", "sys/mman.h", "sys/stat.h"}


def files() -> list[Path]:
    """All sources and headers, relative to the folder of the sources."""
    return sorted(path.relative_to(SOURCES) for path in SOURCES.rglob("*.[ch]"))


def included(path: Path, opening: str) -> Iterator[str]:
    """What the file includes: with `"` our own headers, with `<` those of others."""
    for found in re.findall(r'^#\s*include ([<"])([^>"]+)', (SOURCES / path).read_text(encoding="utf-8"), re.MULTILINE):
        if found[0] == opening:
            yield found[1]


def folder_of(path: Path) -> str:
    """The folder that the file is in, or an empty string for a file beside the folders."""
    return path.parts[0] if len(path.parts) > 1 else ""


def forbidden(path: Path, name: str) -> bool:
    """Whether the file may not include our header of that name."""
    mine, other = folder_of(path), folder_of(Path(name))
    return mine != "" and other != mine and other not in ALLOWED[mine]


def test_each_folder_has_its_place() -> None:
    assert {folder_of(path) for path in files()} == {"", *ALLOWED}


def test_a_folder_is_used_by_those_above_it_only() -> None:
    order = list(ALLOWED)
    assert [(name, used) for name in order for used in ALLOWED[name] if order.index(used) >= order.index(name)] == []


@pytest.mark.parametrize("path", files(), ids=str)
def test_a_file_includes_only_what_its_folder_may_use(path: Path) -> None:
    assert [name for name in included(path, '"') if forbidden(path, name)] == []


@pytest.mark.parametrize("path", files(), ids=str)
def test_a_header_of_ours_is_named_from_the_folder_of_the_sources(path: Path) -> None:
    assert [name for name in included(path, '"') if Path(name) not in files()] == []


def test_no_headers_include_each_other_in_a_circle() -> None:
    graph = {str(path): list(included(path, '"')) for path in files() if path.suffix == ".h"}
    while graph:
        ready = [name for name, needs in graph.items() if not any(need in graph for need in needs)]
        assert ready, "a circle among %s" % sorted(graph)
        for name in ready:
            del graph[name]


def test_no_sources_use_each_other_in_a_circle() -> None:
    """A source and its header are one module; one module uses another whose header it includes."""
    modules: dict[str, set[str]] = {}
    for path in files():
        needs = {str(Path(name).with_suffix("")) for name in included(path, '"')}
        modules.setdefault(str(path.with_suffix("")), set()).update(needs - {str(path.with_suffix(""))})
    while modules:
        ready = [name for name, needs in modules.items() if not needs & set(modules)]
        assert ready, "a circle among %s" % sorted(modules)
        for name in ready:
            del modules[name]


@pytest.mark.parametrize("path", [path for path in files() if folder_of(path) == "core"], ids=str)
def test_the_core_includes_no_header_of_httpd(path: Path) -> None:
    assert [name for name in included(path, "<") if name not in OF_THE_SYSTEM and not OF_APR.fullmatch(name)] == []
