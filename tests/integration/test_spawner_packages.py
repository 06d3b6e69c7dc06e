"""The spawner runs on its own packages, whatever else is installed on the machine."""

from __future__ import annotations

from pathlib import Path

from support.httpd import Httpd


def test_the_spawner_loads_no_extension_module_of_the_systems_python_packages(httpd: Httpd) -> None:
    httpd.start()
    mapped = Path(f"/proc/{httpd.spawner_pid()}/maps").read_text()
    files = {line.split()[-1] for line in mapped.splitlines() if line.endswith(".so")}
    assert any("_cffi_backend" in name for name in files)
    assert not [name for name in files if "/dist-packages/" in name]
