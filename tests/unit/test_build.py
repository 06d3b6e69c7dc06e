"""The build of mod_passenger.so: what is in it, and what is said when something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from apache_module import build


def test_the_module_exports_its_record_only_and_is_never_unloaded(tmp_path: Path) -> None:
    module = build.build(tmp_path)
    assert module == tmp_path / "mod_passenger.so"
    assert os.listdir(tmp_path) == ["mod_passenger.so"]
    symbols = subprocess.run(["nm", "-D", "--defined-only", str(module)], capture_output=True, text=True, check=True)
    assert [line.split()[-1] for line in symbols.stdout.splitlines()] == ["passenger_module"]
    dynamic = subprocess.run(["readelf", "-d", str(module)], capture_output=True, text=True, check=True)
    assert "NODELETE" in dynamic.stdout
    assert sysconfig.get_config_var("INSTSONAME") in dynamic.stdout


#: What httpd has since this version in the place of what it has no more, for the headers of a released version.
DEVELOPMENT_VERSION = """\
#include <httpd.h>
#include <util_filter.h>
#pragma GCC poison data_in_input_filters data_in_output_filters
AP_DECLARE(int) ap_filter_should_yield(ap_filter_t *f);
AP_DECLARE_NONSTD(int) ap_filter_output_pending(conn_rec *c);
"""


def test_the_module_can_be_built_for_an_httpd_whose_connections_do_not_tell_of_waiting_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = tmp_path / "development.h"
    header.write_text(DEVELOPMENT_VERSION)
    monkeypatch.setenv("CFLAGS", f"-DMODULE_MAGIC_NUMBER_MAJOR=20180720 -include {header}")
    assert build.build(tmp_path / "module").exists()


def test_the_configuration_loads_the_module_by_its_absolute_path(tmp_path: Path) -> None:
    (tmp_path / "mod_passenger.so").touch()
    assert build.module_config_lines(tmp_path) == [f'LoadModule passenger_module "{tmp_path}/mod_passenger.so"']


def test_without_a_built_module_there_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(build.BuildError, match="mod_passenger.so is missing"):
        build.module_config_lines(tmp_path)


def command_line(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "apache_module.build", "--output", str(tmp_path)]
    environment = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=build.CHECKOUT)


@pytest.mark.parametrize(
    ("variable", "words"),
    [("APXS", "/no/such/program is missing: install apache2-dev"), ("CC", "/no/such/program is missing: install gcc")],
)
def test_a_missing_tool_is_named_in_one_line_with_how_to_get_it(tmp_path: Path, variable: str, words: str) -> None:
    answer = command_line(tmp_path, **{variable: "/no/such/program"})
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: ")
    assert words in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_python_without_shared_library_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sysconfig.get_config_vars(), "Py_ENABLE_SHARED", 0)
    with pytest.raises(build.BuildError, match="no shared libpython: .*--enable-shared"):
        build.build(tmp_path)


def test_missing_headers_of_python_are_named_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(build.BuildError, match="Python.h is missing: install python3-dev"):
        build.build(tmp_path)


def test_a_failed_compilation_leaves_the_module_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mod_passenger.so").write_text("before")
    monkeypatch.setenv("CFLAGS", "-include /no/such/header.h")
    with pytest.raises(build.BuildError, match="failed"):
        build.build(tmp_path)
    assert (tmp_path / "mod_passenger.so").read_text() == "before"
