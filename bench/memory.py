"""`make bench-memory`: what one more worker of a Django site costs, with and without preloading, beside peers.

The memory of an app is the sum of the proportional set sizes (PSS) of all its processes: shared pages count once.
A worker's cost is (memory with all workers - memory with one) / (workers - 1), after as many requests per worker.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Optional

import click
import psutil
from rich.console import Console
from rich.table import Table

from bench.measure import run_round
from bench.private_httpd import wait_until
from bench.run import warm_up
from bench.servers import PYTHON, Gunicorn, Jumpseat, MeasuredServer, ModWsgi

HERE = Path(__file__).parent
SITE = HERE / "django_site"
PACKAGES = HERE.parent / "build" / "bench-django"
MEGABYTE = 1_000_000
ROUND_SECONDS = 5


def download_django() -> Path:
    """The folder in the checkout that holds Django and what it needs, which is made once."""
    if not PACKAGES.exists():
        requirements = HERE.parent / "tests" / "requirements-apps.txt"
        pip = [sys.executable, "-m", "pip", "--python", PYTHON, "--quiet"]
        subprocess.run([*pip, "install", "--target", str(PACKAGES), "-r", str(requirements)], check=True)
    return PACKAGES


def install_django(environment: Path) -> Path:
    """Make a virtual environment that holds Django, and return the folder of its packages.

    The app's user can read it: the checkout itself may lie where only its owner can enter.
    """
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(environment)], check=True)
    packages = next((environment / "lib").glob("python3*/site-packages"))
    # Compiled files count only beside sources that are as old as they say.
    copy = ["cp", "-r", "--no-preserve=mode", "--preserve=timestamps"]
    subprocess.run([*copy, "%s/." % download_django(), str(packages)], check=True)
    return packages


class DjangoSite(MeasuredServer):
    """A server that serves the Django site in place of hello world.

    :param objects: megabytes of objects that the site holds beside Django.
    """

    def __init__(self, workers: int, objects: int) -> None:
        super().__init__(workers)
        for source in SITE.glob("*.py"):
            shutil.copyfile(source, self.app_root / source.name)
        (self.app_root / "large_objects.txt").write_text(str(objects))
        self.environment_folder = self.app_root / "venv"
        self.packages = install_django(self.environment_folder)

    def app_processes(self) -> list[psutil.Process]:
        """The processes that hold the app."""
        raise TypeError("%s does not say which processes hold the app" % self.name)


class PreloadedJumpseat(DjangoSite, Jumpseat):
    """Workers are forked from one process that has imported the site."""

    name = "Jumpseat, preloaded (the default)"
    spawn_method = "smart"

    def more(self) -> str:
        interpreter = self.environment_folder / "bin" / "python"
        return "PassengerPython %s\nPassengerSpawnMethod %s" % (interpreter, self.spawn_method)

    def app_processes(self) -> list[psutil.Process]:
        owner = psutil.Process(self.httpd.pid)
        return [process for process in owner.children(recursive=True) if _mentions(process, "jumpseat: ")]


class DirectJumpseat(PreloadedJumpseat):
    """Each worker imports the site."""

    name = "Jumpseat, PassengerSpawnMethod direct"
    spawn_method = "direct"


class DjangoGunicorn(DjangoSite, Gunicorn):
    """gunicorn as it comes."""

    name = "gunicorn"
    flags = ""

    def start(self) -> None:
        self.environment = {"PYTHONPATH": str(self.packages), "GUNICORN_CMD_ARGS": self.flags}
        super().start()

    def app_processes(self) -> list[psutil.Process]:
        helper = psutil.Process(self.helpers[0].pid)
        return [helper, *helper.children(recursive=True)]


class PreloadedGunicorn(DjangoGunicorn):
    """gunicorn that imports the app before it forks."""

    name = "gunicorn --preload"
    flags = "--preload"


class DjangoModWsgi(DjangoSite, ModWsgi):
    """mod_wsgi has no preloading."""

    name = "mod_wsgi daemon, 1 thread"

    def configuration(self) -> str:
        folders = "%s:%s" % (self.app_root, self.packages)
        named = "WSGIDaemonProcess hello display-name=%%{GROUP} python-path=%s" % folders
        return super().configuration().replace("WSGIDaemonProcess hello", named)

    def app_processes(self) -> list[psutil.Process]:
        owner = psutil.Process(self.httpd.pid)
        return [process for process in owner.children(recursive=True) if _mentions(process, "(wsgi:hello)")]


ALL: list[type[DjangoSite]] = [PreloadedJumpseat, DirectJumpseat, PreloadedGunicorn, DjangoGunicorn, DjangoModWsgi]


def _mentions(process: psutil.Process, word: str) -> bool:
    return any(word in argument for argument in process.cmdline())


def proportional_size(processes: list[psutil.Process]) -> float:
    """The sum of their PSS, in bytes."""
    return float(sum(process.memory_full_info().pss for process in processes))


def measure(kind: type[DjangoSite], workers: int, requests: int, objects: int) -> tuple[float, float, int]:
    """Memory of an app after a tenth of so many requests and after all of them.

    :returns: bytes after the tenth, bytes after all, requests that failed.
    """
    server = kind(workers, objects)
    try:
        server.start()
        warm_up(server)
        wait_until(lambda: len(server.app_processes()) >= workers, "%s has not all workers" % kind.name)
        url = "http://127.0.0.1:%d/page" % server.httpd.port
        failed = _load(url, server.pids(), requests // 10, 2 * workers)
        early = proportional_size(server.app_processes())
        failed += _load(url, server.pids(), requests - requests // 10, 2 * workers)
        return early, proportional_size(server.app_processes()), failed
    finally:
        server.stop()


def _load(url: str, pids: list[int], requests: int, connections: int) -> int:
    done, failed = 0.0, 0
    while done < requests:
        figures = run_round(url, pids, connections, ROUND_SECONDS)
        done += figures.requests * ROUND_SECONDS
        failed += figures.errors
    return failed


@click.command()
@click.option("--workers", default=16, show_default=True, help="App processes.")
@click.option("--requests", default=20_000, show_default=True, help="Requests before the second measurement.")
@click.option("--objects", default=0, show_default=True, help="Megabytes of objects that the site holds beside Django.")
@click.option("--only", default="", help="Run only servers whose name contains this.")
def bench(workers: int, requests: int, objects: int, only: str) -> None:
    """Compare the servers. Those whose Debian package is not installed are named and left out."""
    console = Console(width=120)
    download_django()
    found = Table(title="Django and %d MB, %d workers, %d requests: megabytes (PSS)" % (objects, workers, requests))
    for heading in ("server", "1 worker", "%d workers" % workers, "each added worker", "after a tenth", "failed"):
        found.add_column(heading, justify="left" if heading == "server" else "right")
    for kind in [kind for kind in ALL if only.lower() in kind.name.lower()]:
        if kind.missing():
            console.print("left out: %s (apt-get install %s)" % (kind.name, kind.missing()))
            continue
        found.add_row(kind.name, *_row(kind, workers, requests, objects, console.print))
    console.print(found)


def _row(
    kind: type[DjangoSite], workers: int, requests: int, objects: int, tell: Callable[[str], Optional[object]]
) -> list[str]:
    early_one, one, failed = measure(kind, 1, max(10, requests // workers), objects)
    early_all, all_of_them, failed_too = measure(kind, workers, requests, objects)
    added, early = ((total - single) / (workers - 1) for total, single in ((all_of_them, one), (early_all, early_one)))
    tell("%s: %.1f MB for each added worker" % (kind.name, added / MEGABYTE))
    sizes = ["%.1f" % (value / MEGABYTE) for value in (one, all_of_them, added, early)]
    return [*sizes, str(failed + failed_too)]


if __name__ == "__main__":
    sys.exit(bench())
