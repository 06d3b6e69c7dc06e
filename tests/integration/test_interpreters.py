"""Which interpreter runs an app: the one that is named, the app's own environment, the system's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.applications import AppFolder, give_all
from support.serving import CheckedHttpd
from tests.interpreters import find_interpreters, usable_by_apps

INTERPRETERS = find_interpreters()


@pytest.mark.deadline(300)  # the first test of one may copy it
@pytest.mark.parametrize("name", INTERPRETERS)
def test_an_app_runs_under_each_interpreter_that_is_found(httpd: CheckedHttpd, probe: AppFolder, name: str) -> None:
    interpreter = usable_by_apps(INTERPRETERS[name])
    httpd.site(document_root=probe.public, body=f'PassengerPython "{interpreter}"')
    httpd.start()
    told = httpd.get("/process").json()
    assert told["version"] == version_of(interpreter)
    assert httpd.post("/echo", b"echoed").body == b"echoed"


def version_of(interpreter: Path) -> list[int]:
    script = "import sys; print(*sys.version_info[:3])"
    words = subprocess.run([str(interpreter), "-c", script], capture_output=True, text=True, check=True).stdout.split()
    return [int(word) for word in words]


@pytest.mark.parametrize("folder", ["venv", ".venv"])
def test_an_environment_in_the_apps_folder_is_used(httpd: CheckedHttpd, probe: AppFolder, folder: str) -> None:
    subprocess.run(
        ["/usr/bin/python3", "-m", "venv", "--without-pip", str(probe.root / folder)], check=True, timeout=100
    )
    give_all(probe.root / folder, probe.owner)
    httpd.site(document_root=probe.public)
    httpd.start()
    assert httpd.get("/process").json()["prefix"] == str(probe.root / folder)


def test_without_an_environment_the_systems_interpreter_is_used(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public)
    httpd.start()
    assert httpd.get("/process").json()["prefix"] == "/usr"


def test_packages_of_the_apps_environment_are_importable(httpd: CheckedHttpd, probe: AppFolder) -> None:
    subprocess.run(
        ["/usr/bin/python3", "-m", "venv", "--without-pip", str(probe.root / "venv")], check=True, timeout=100
    )
    packages = next((probe.root / "venv" / "lib").glob("python3.*")) / "site-packages"
    (packages / "only_here.py").write_text("word = 'from the environment'\n")
    probe.write(
        "passenger_wsgi.py",
        """
        import only_here

        def application(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [only_here.word.encode()]
        """,
    )
    give_all(probe.root, probe.owner)
    httpd.site(document_root=probe.public)
    httpd.start()
    assert httpd.get("/").text == "from the environment"
