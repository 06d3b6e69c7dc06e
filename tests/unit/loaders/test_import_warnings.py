"""What an import leaves that forks cannot share is named, with file and line; what is harmless is not."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from tests.unit.loaders.conftest import Starter

APP = "\napplication = print\n"
ROOT = Path(__file__).parents[3]
SOURCES = ("fork_hazards", "left_threads", "inherited_descriptors", "random_state")
EXPECTED = {
    "threads", "native-threads", "connections", "sqlalchemy", "django", "redis-py", "sqlite", "listening-sockets",
    "pipes-to-processes", "event-loops-and-watchers", "grpc", "clients-and-sessions", "random-numbers",
}  # fmt: skip


def warnings(starter: Starter, source: str) -> list[str]:
    return [text.partition(" ")[2] for text in starter.import_warnings(source + APP)]


def the_warning(starter: Starter, source: str) -> str:
    (warning,) = warnings(starter, source)
    return warning


def entry(starter: Starter, line: int) -> str:
    return f"{starter.folder}/passenger_wsgi.py:{line}"


def test_an_ordinary_app_brings_no_warning(starter: Starter) -> None:
    source = "import logging, socket, threading, json, ssl, random, asyncio, subprocess, urllib.request"
    assert warnings(starter, source) == []


# Threads


def test_a_thread_is_named_with_who_started_it_and_what_it_runs(starter: Starter) -> None:
    source = (
        "import threading, time\n"
        "def refresh_prices():\n"
        "    time.sleep(1000)\n"
        "thread = threading.Thread(target=refresh_prices, name='price-feed', daemon=True)\n"
        "thread.start()\n"
    )
    warning = the_warning(starter, source)
    assert warning.startswith("the thread 'price-feed', which runs refresh_prices")
    assert f"({entry(starter, 2)})" in warning
    assert f"started during the import at {entry(starter, 5)}. The workers do not have it" in warning


def test_a_thread_class_is_named_with_the_place_of_its_run(starter: Starter) -> None:
    source = (
        "import threading, time\n"
        "class Feed(threading.Thread):\n"
        "    daemon = True\n"
        "    def run(self):\n"
        "        time.sleep(1000)\n"
        "Feed(name='feed').start()\n"
    )
    warning = the_warning(starter, source)
    assert f"Feed.run ({entry(starter, 4)})" in warning
    assert entry(starter, 6) in warning


def test_a_thread_that_a_library_starts_is_named_with_the_line_of_the_app_that_led_there(starter: Starter) -> None:
    library = starter.write(
        "import threading\ndef begin():\n    threading.Thread(target=threading.Event().wait, daemon=True).start()\n",
        "site-packages/scheduler.py",
    )
    source = f"import sys; sys.path.append({str(library.parent)!r})\nimport scheduler\nscheduler.begin()\n"
    assert f"at {entry(starter, 3)} (through {library}:3)" in the_warning(starter, source)


def test_a_thread_of_the_low_level_module_is_named(starter: Starter) -> None:
    source = "import _thread, time\ndef poll(): time.sleep(1000)\n_thread.start_new_thread(poll, ())\n"
    warning = the_warning(starter, source)
    assert re.match("a thread, which runs poll .*, was started during the import at ", warning)
    assert entry(starter, 3) in warning


def test_a_thread_that_has_ended_is_not_named(starter: Starter) -> None:
    source = "import threading\nthread = threading.Thread(target=int)\nthread.start()\nthread.join()\n"
    assert warnings(starter, source) == []


def test_a_native_thread_is_counted(starter: Starter) -> None:
    source = (
        "import ctypes, threading\n"
        "libc = ctypes.CDLL(None)\n"
        "pthread = libc if hasattr(libc, 'pthread_create') else ctypes.CDLL('libpthread.so.0')\n"
        "thread = ctypes.c_ulong()\n"
        "pause = ctypes.cast(libc.pause, ctypes.c_void_p)\n"
        "assert pthread.pthread_create(ctypes.byref(thread), None, pause, None) == 0\n"
    )
    warning = the_warning(starter, source)
    text = "1 native thread of extension modules was started during the import. The workers do not have it: "
    assert warning.startswith(text)


def test_nothing_stays_replaced_after_loading(starter: Starter) -> None:
    source = """
        import _thread, json, socket, sys, threading
        from _thread import start_new_thread as kept
        import module_that_keeps_it
        def application(environ, start_response):
            start_response("200 OK", [])
            starters = [kept, module_that_keeps_it.start_new_thread, _thread.start_new_thread]
            starters += [v for n, v in vars(threading).items() if n.startswith("_start_") and callable(v)]
            names = ("connect", "connect_ex", "listen")
            told = [type(each).__name__ for each in starters if type(each).__name__ == "function"]
            told += [name for name in names if name in vars(socket.socket)]
            told += [type(each).__name__ for each in sys.meta_path if type(each).__name__ == "ImportTracer"]
            return [json.dumps(told).encode()]
        """
    starter.write("from _thread import *\nfrom _thread import start_new_thread\n", "module_that_keeps_it.py")
    preloader = starter.start(source)
    preloader.load()
    assert preloader.fork().get().text == "[]"


def test_a_wrapped_start_works_on_after_loading(starter: Starter) -> None:
    """Instrumentation wraps what it finds while it is imported."""
    source = """
        import threading
        started = threading.Thread.start
        def start(self):
            note.append(self.name)
            started(self)
        note = []
        threading.Thread.start = start
        def application(environ, start_response):
            thread = threading.Thread(name="later", target=note.append, args=("ran",))
            thread.start()
            thread.join()
            start_response("200 OK", [])
            return [repr(note).encode()]
        """
    preloader = starter.start(source)
    preloader.load()
    assert preloader.fork().get().text == "['later', 'ran']"


# Threads that a worker has


def test_a_thread_that_after_fork_starts_again_is_not_named(starter: Starter) -> None:
    source = """
        import threading
        def poll():
            threading.Event().wait()
        def after_fork():
            threading.Thread(target=poll, daemon=True).start()
        after_fork()
        application = print
        """
    assert starter.import_warnings(source) == []


def test_a_thread_that_its_library_starts_again_in_a_fork_is_not_named(starter: Starter) -> None:
    source = """
        import os, threading
        class Exporter:
            def run(self): threading.Event().wait()
            def start(self): threading.Thread(target=self.run, daemon=True).start()
        class Other(Exporter): pass
        exporter, other = Exporter(), Other()
        exporter.start(), other.start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=exporter.start)
        else:
            after_fork = exporter.start
        application = print
        """
    (warning,) = starter.import_warnings(source)
    assert warning.startswith("thread:passenger_wsgi"), "the other one, which runs the same function, is missing"
    assert "Exporter.run" in warning


@pytest.mark.parametrize("target", ["self.work", "lambda: self.work()"])
def test_a_thread_whose_owner_has_noted_its_process_is_not_named(starter: Starter, target: str) -> None:
    source = f"""
        import os, threading
        class Transport:
            def __init__(self):
                self._thread_for_pid = os.getpid()
                threading.Thread(target={target}, daemon=True).start()
            def work(self): threading.Event().wait()
        transport = Transport()
        application = print
        """
    assert starter.import_warnings(source) == []


def test_a_thread_that_ends_before_the_fork_is_not_named(starter: Starter) -> None:
    source = """
        import os, threading
        def warm_up():
            while not os.path.exists("enough"): pass
            open("done", "w").close()
        threading.Thread(target=warm_up, name="warm-up").start()
        application = print
        """
    preloader = starter.start(source)
    preloader.load()
    assert "warm-up" in " ".join(preloader.fork().import_warnings)
    starter.write("", "enough")
    deadline = time.monotonic() + 30
    while thread_count(preloader.pid) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert preloader.fork().import_warnings == []


def thread_count(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_the_threads_of_a_pool_are_one_warning_with_the_same_text_each_time(starter: Starter) -> None:
    source = """
        import threading
        pool = [threading.Thread(target=threading.Event().wait, daemon=True, name="pool-7-%d" % n) for n in range(3)]
        [thread.start() for thread in pool]
        application = print
        """
    (warning,) = starter.import_warnings(source)
    assert "the thread 'pool-N-N', which runs " in warning


def test_an_event_loop_that_after_fork_replaces_is_not_named(starter: Starter) -> None:
    source = """
        import asyncio
        loop = asyncio.new_event_loop()
        def after_fork():
            global loop
            loop.close()
            loop = asyncio.new_event_loop()
        application = print
        """
    assert starter.import_warnings(source) == []


def test_a_warning_names_itself_without_what_changes_with_each_import(starter: Starter) -> None:
    source = (
        "import threading, concurrent.futures\n"
        "threading.Thread(target=threading.Event().wait, name='price feed', daemon=True).start()\n"
        "executor = concurrent.futures.ThreadPoolExecutor(1)\n"
        "executor.submit(int)\n"
    )
    names = {text.partition(" ")[0] for text in starter.import_warnings(source + APP)}
    assert names == {"thread:price_feed", "thread:concurrent.futures.thread._worker"}


# Descriptors


@pytest.mark.parametrize("family", ["tcp", "tcp6", "unix"])
def test_a_connection_is_named_with_its_peer_and_who_made_it(starter: Starter, tmp_path: Path, family: str) -> None:
    families = {"tcp": socket.AF_INET, "tcp6": socket.AF_INET6, "unix": socket.AF_UNIX}
    with socket.socket(families[family]) as server:
        server.bind({"tcp": ("127.0.0.1", 0), "tcp6": ("::1", 0), "unix": f"\0{tmp_path}"[:100]}[family])
        server.listen()
        address = server.getsockname()
        source = (
            "import socket\n"
            f"connection = socket.socket({int(families[family])})\n"
            f"connection.connect({address!r})\n"
            "pair = socket.socketpair()\n"
        )
        warning = the_warning(starter, source)
    shown = {"tcp": "127.0.0.1:{}", "tcp6": "[::1]:{}", "unix": f"@{tmp_path}"[:100]}[family].format(address[1])
    where = f"during the import at {entry(starter, 3)}"
    assert warning.startswith(f"a connection to {shown} was opened {where}. All workers share it")


def test_a_connection_by_a_helper_of_the_standard_library_is_the_line_of_the_app(starter: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = f"import socket\nconnection = socket.create_connection({server.getsockname()!r})\n"
        assert f"at {entry(starter, 2)}. All" in the_warning(starter, source)


C_CONNECTION = """
import ctypes, os, struct
class Connection:
    def __init__(self, port):
        libc = ctypes.CDLL(None, use_errno=True)
        self.number = libc.socket(2, 1, 0)
        address = struct.pack("=HH4s8x", 2, (port & 255) << 8 | port >> 8, bytes([127, 0, 0, 1]))
        assert libc.connect(self.number, address, 16) == 0
    {method}
"""


def test_a_connection_of_a_c_library_is_named_with_the_global_that_holds_it(starter: Starter) -> None:
    starter.write(C_CONNECTION.format(method="def fileno(self): return self.number"), "driver.py")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        starter.write(f"import driver\n\ndatabase = None\ndatabase = driver.Connection({port})\n", "shop_db.py")
        warning = the_warning(starter, "import shop_db\n")
    assert f"a connection to 127.0.0.1:{port} was opened during the import" in warning
    assert f"(held by 'database' of {starter.folder}/shop_db.py:3)" in warning


def test_a_connection_of_a_c_library_that_nothing_names_is_told_by_its_protocol(starter: Starter) -> None:
    starter.write(C_CONNECTION.format(method=""), "driver.py")
    with listening_at_one_of(11211, 4222, 9042, 27017) as server:
        port = server.getsockname()[1]
        warning = the_warning(starter, f"import driver\nCONNECTION = driver.Connection({port})\n")
    assert re.match(rf"a connection to 127.0.0.1:{port} \((memcached|NATS|Cassandra|MongoDB)\) was opened", warning)


def listening_at_one_of(*ports: int) -> socket.socket:
    """A server at the first of these ports that no other process, and no other test at this moment, listens at."""
    for port in ports:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
    raise AssertionError(f"something listens at each of {ports}")


ENGINE = """
    import collections, driver
    class Pool:
        def __init__(self, *connections):
            self.free = collections.deque(connections)
        {method}
    class Engine:
        def __init__(self, pool): self.pool = pool
    """


def test_a_connection_in_the_pool_of_an_engine_is_named_with_the_engine_and_its_recipe(starter: Starter) -> None:
    starter.write(C_CONNECTION.format(method="def fileno(self): return self.number"), "driver.py")
    starter.write(ENGINE.format(method=""), "sqlalchemy.py")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = f"import driver, sqlalchemy\nengine = sqlalchemy.Engine(sqlalchemy.Pool(driver.Connection({port})))\n"
        warning = the_warning(starter, source)
    assert f"(held by 'engine' of {entry(starter, 2)}). All workers share it: call dispose(close=False)" in warning
    assert warning.endswith(" See docs/preloading.md#sqlalchemy.")


def test_a_connection_that_after_fork_lets_go_of_is_not_named(starter: Starter) -> None:
    starter.write(C_CONNECTION.format(method="def fileno(self): return self.number"), "driver.py")
    starter.write(ENGINE.format(method=""), "sqlalchemy.py")
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = f"""
            import driver, sqlalchemy
            engine = sqlalchemy.Engine(sqlalchemy.Pool(driver.Connection({server.getsockname()[1]})))
            def after_fork():
                engine.pool = sqlalchemy.Pool()
            application = print
            """
        assert starter.import_warnings(source) == []


def test_a_connection_that_only_a_pool_holds_which_notices_forks_is_not_named(starter: Starter) -> None:
    starter.write(C_CONNECTION.format(method="def fileno(self): return self.number"), "driver.py")
    starter.write(ENGINE.format(method="def _checkpid(self): pass"), "redis.py")
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = (
            "import driver, redis\n"
            f"connections = redis.Pool(driver.Connection({server.getsockname()[1]}))\n"
            "client = redis.Engine(connections)\n"
        )
        assert warnings(starter, source) == []
        warning = the_warning(starter, source + "subscription = redis.Engine(connections.free[0])\n")
    assert f"(held by 'subscription' of {entry(starter, 4)})" in warning
    assert warning.endswith(" See docs/preloading.md#redis-py.")


def test_copies_of_our_own_descriptors_are_no_findings(starter: Starter) -> None:
    source = "import os\ncopies = [os.dup(int(name)) for name in os.listdir('/proc/self/fd') if int(name) > 2 and " + (
        "os.path.exists('/proc/self/fd/' + name)]\n"
    )
    assert warnings(starter, source) == []


def test_what_multiprocessing_shares_with_forks_is_no_finding(starter: Starter) -> None:
    source = "import multiprocessing\nlock = multiprocessing.get_context('spawn').Lock()\n"
    source += "manager = multiprocessing.Manager()\nopen('manager', 'w').write(str(manager._process.pid))\n"
    try:
        assert warnings(starter, source) == []
    finally:  # it outlives a process that is killed
        os.kill(int((starter.folder / "manager").read_text()), signal.SIGKILL)


def test_looking_for_a_holder_wakes_no_lazy_object(starter: Starter) -> None:
    starter.write(C_CONNECTION.format(method=""), "driver.py")
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = f"""
            import driver, os
            class Lazy:
                def __getattribute__(self, name):
                    os._exit(9)
            LAZY = Lazy()
            CONNECTION = driver.Connection({server.getsockname()[1]})
            application = print
            """
        assert len(starter.import_warnings(source)) == 1


def test_a_listening_socket_is_told_apart(starter: Starter) -> None:
    source = "import socket\nserver = socket.socket()\nserver.bind(('127.0.0.1', 0))\nserver.listen(1)\n"
    warning = the_warning(starter, source)
    assert warning.startswith("a socket that listens at 127.0.0.1:")
    assert f"at {entry(starter, 4)}. All workers share it: open it in after_fork(), with an address for each" in warning


def test_the_systems_log_may_be_connected(starter: Starter) -> None:
    source = "import logging.handlers\nhandler = logging.handlers.SysLogHandler('/dev/log')\n"
    assert [text for text in warnings(starter, source) if "/dev/log" in text] == []


def test_an_event_loop_is_told_by_its_global(starter: Starter) -> None:
    warning = the_warning(starter, "import asyncio\n\nLOOP = asyncio.new_event_loop()\n")
    assert warning.startswith("an event loop's epoll descriptor was opened during the import")
    assert f"(held by 'LOOP' of {entry(starter, 3)})" in warning


def test_an_inotify_descriptor_is_told_apart(starter: Starter) -> None:
    source = "import ctypes\nNUMBER = ctypes.CDLL(None).inotify_init()\n"
    warning = the_warning(starter, source)
    assert warning.startswith("an inotify descriptor (a watcher of files) was opened during the import")


def test_a_pipe_to_another_process_is_told_with_its_name(starter: Starter) -> None:
    source = "import subprocess\nchild = subprocess.Popen(['sleep', '30'], stdin=subprocess.PIPE)\n"
    warning = the_warning(starter, source + "import atexit; atexit.register(child.kill)\n")
    assert re.match(r"a pipe to (a process of 'sleep'|another process) was opened during the import", warning)


def test_a_pipe_whose_ends_are_both_the_apps_own_is_passed_over(starter: Starter) -> None:
    assert warnings(starter, "import os\npipe = os.pipe()\n") == []


def test_an_sqlite_database_opened_at_import_is_named(starter: Starter) -> None:
    database = starter.folder / "shop.db"
    connection = sqlite3.connect(database)
    connection.execute("create table t (x)")
    connection.commit()
    connection.close()
    source = (
        "import sqlite3\nconnection = sqlite3.connect('shop.db')\nconnection.execute('select * from t').fetchall()\n"
    )
    warning = the_warning(starter, source)
    held = f"(held by 'connection' of {entry(starter, 2)})"
    assert f"the SQLite database {database} was opened during the import {held}. All workers share its locks" in warning


# Modules that do not survive a fork


def test_an_unsafe_module_is_named_with_the_import_that_brought_it(starter: Starter) -> None:
    starter.write("", "grpc/__init__.py")
    starter.write("import json\nimport grpc\n", "site-packages/cloud.py")
    path = str(starter.folder / "site-packages")
    source = f"import sys; sys.path.append({path!r})\nimport cloud\n"
    warning = the_warning(starter, source)
    assert f"grpc was imported at {entry(starter, 2)} (through {path}/cloud.py:2)" in warning
    assert "after_fork()" in warning
    assert "PassengerSpawnMethod direct" in warning


def test_an_unsafe_module_that_is_not_there_is_not_named(starter: Starter) -> None:
    assert warnings(starter, "try:\n    import grpc\nexcept ImportError:\n    pass\n") == []


def test_an_app_that_breaks_the_search_for_warnings_is_served_all_the_same(starter: Starter) -> None:
    preloader = starter.start("import threading\nthreading.enumerate = None\n" + APP)
    preloader.load()
    assert preloader.fork().import_warnings == []
    assert "cannot find out what forks cannot share" in preloader.output.wait_for("forks cannot share")


def test_many_warnings_are_cut_to_what_fits(starter: Starter) -> None:
    source = (
        "import threading\n"
        "for number in range(60):\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True, name='y' * number + 'x' * 5000).start()\n"
    )
    told = warnings(starter, source)
    assert told[-1] == "There are 10 more warnings of this kind."
    assert all(len(text) <= 1000 for text in told)


def test_every_recipe_that_a_warning_leads_to_is_there() -> None:
    """The headings as GitHub makes anchors of them."""
    headings = re.findall("^#+ (.*)$", (ROOT / "docs/preloading.md").read_text(), re.MULTILINE)
    anchors = {re.sub("[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
    folder = ROOT / "spawner/loaders/python/fork_safety"
    sources = "".join((folder / f"{name}.py").read_text() for name in SOURCES)
    led_to = set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', sources)) & (anchors | EXPECTED)
    assert led_to >= EXPECTED
    assert anchors >= EXPECTED
