"""What an operator sees of a process from outside: the stacks of its threads, and its name in `ps`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.unit.loaders.conftest import Starter

APP = (Path(__file__).parent / "apps" / "hooks.py").read_text()
SIGNAL = str(int(signal.SIGUSR2))


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def test_a_process_that_hangs_while_it_loads_shows_where(starter: Starter) -> None:
    preloader = starter.start("import time\ndef hang():\n    print('hanging')\n    time.sleep(600)\nhang()\n")
    preloader.send_load(backtrace_signal=SIGNAL)
    preloader.output.wait_for("hanging")
    preloader.signal(signal.SIGUSR2)
    preloader.output.wait_for(" in hang\n")
    assert preloader.is_alive()


def test_a_worker_shows_where_it_is_although_the_app_has_replaced_stderr(starter: Starter) -> None:
    preloader = starter.start("import io, sys\nsys.stderr = sys.__stderr__ = io.StringIO()\n" + APP)
    preloader.load(backtrace_signal=SIGNAL)
    worker = preloader.fork()
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        worker.signal(signal.SIGUSR2)
        worker.output.wait_for(" in application\n")
        starter.write("", "gate")
        assert exchange.answer().text == "ok"
    assert " in application\n" not in preloader.output.text()


def test_the_stacks_of_all_threads_are_shown(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load(backtrace_signal=SIGNAL, threads="2")
    worker = preloader.fork()
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        worker.signal(signal.SIGUSR2)
        worker.output.wait_for(" in application\n")
        worker.output.wait_for(" in _accept_connections\n")
        starter.write("", "gate")
        assert exchange.answer().text == "ok"


def test_an_idle_worker_goes_on_waiting_after_it_has_shown_its_stack(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load(backtrace_signal=SIGNAL)
    worker = preloader.fork()
    worker.signal(signal.SIGUSR2)
    worker.output.wait_for(" in _serve\n")
    assert worker.get().text == "ok"


def test_each_process_is_named_by_what_it_is(starter: Starter) -> None:
    waiting = "print('loading')\nimport os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
    preloader = starter.start(waiting + APP)
    preloader.send_load(group="/srv/shop (production)")
    preloader.output.wait_for("loading")
    assert title(preloader.pid) == "jumpseat: loading /srv/shop (production)"
    starter.write("", "go")
    preloader.line.expect("loaded")
    assert title(preloader.pid) == "jumpseat: preloader of /srv/shop (production)"
    worker = preloader.fork()
    assert title(worker.pid) == "jumpseat: worker of /srv/shop (production)"
    assert Path(f"/proc/{worker.pid}/comm").read_text() == "jumpseat-worker\n"
    assert title(preloader.pid) == "jumpseat: preloader of /srv/shop (production)"


def test_the_name_leaves_the_apps_own_view_alone(starter: Starter) -> None:
    worker = starter.worker("import sys\n" + APP)
    seen = worker.get("/?repr((sys.argv[0][-23:], environ is not None)).encode()").text
    assert seen == "('loaders/python/start.py', True)"
    environment = Path(f"/proc/{worker.pid}/environ").read_bytes().split(b"\0")
    assert b"PATH=" + os.environb[b"PATH"] in environment


def test_a_name_that_is_too_long_is_cut(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load(group="/" + "x" * 5000)
    assert title(preloader.pid).startswith("jumpseat: preloader of /xxx")
    assert preloader.fork().get().text == "ok"
