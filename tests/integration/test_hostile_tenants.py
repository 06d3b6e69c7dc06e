"""A tenant is an attacker that runs as its user: what it does to its own processes costs nobody else anything."""

from __future__ import annotations

import pwd

import psutil
import pytest

from support.applications import AppFolder, AppFolders, give_all
from support.serving import CheckedHttpd
from support.waiting import eventually

pytestmark = pytest.mark.needs_root

TENANT, OTHER = "daemon", "backup"

#: The descriptors that the loader has got from the spawner, found by their kind.
FIND = """
    import array, fcntl, os, select, socket, struct, sys, time

    def sockets():
        for name in os.listdir("/proc/self/fd"):
            try:
                found = socket.socket(fileno=os.dup(int(name)))
            except OSError:
                continue
            yield found

    def is_listening(found):
        return found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)

    listeners = [found for found in sockets() if is_listening(found)]
    lines = [found for found in sockets() if found.type == socket.SOCK_SEQPACKET and not is_listening(found)]

    def say(fields):
        data = b"".join(name + b"\\0" + value + b"\\0" for name, value in fields)
        return b"%d:%s," % (len(data), data)
"""
ANSWERS = """
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(os.getuid()).encode()]
"""


@pytest.fixture
def neighbour(httpd: CheckedHttpd, apps: AppFolders) -> AppFolder:
    """Another tenant's app on the same server."""
    app = apps.create("probe", "neighbour", owner=OTHER)
    httpd.site("neighbour.example", app.public)
    return app


def attack(httpd: CheckedHttpd, apps: AppFolders, program: str) -> AppFolder:
    """Serve an app that has the loader's descriptors in its hands."""
    app = apps.create(name="tenant", entry=FIND + program, owner=TENANT)
    httpd.site("tenant.example", app.public)
    httpd.logs.allow("JS")
    httpd.start()
    return app


def check_neighbour(httpd: CheckedHttpd, spawner: int) -> None:
    """The spawner is the same and starts the other tenant's app."""
    assert httpd.get("/process", host="neighbour.example").json()["user"] == OTHER
    assert httpd.spawner_pid() == spawner
    assert httpd.logs.count("JS1031") == 0


def test_one_that_makes_its_listening_socket_block_and_fails_its_start_holds_nobody_up(
    httpd: CheckedHttpd, apps: AppFolders, neighbour: AppFolder
) -> None:
    attack(httpd, apps, """
    for found in listeners:
        flags = fcntl.fcntl(found, fcntl.F_GETFL)
        fcntl.fcntl(found, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)
    raise RuntimeError("fails")
    """)  # fmt: skip
    assert httpd.get("/", host="tenant.example").status == 500
    check_neighbour(httpd, httpd.spawner_pid())
    assert httpd.get("/", host="tenant.example").status == 500


#: A socket whose last close blocks for an hour.
LINGERS = """
    def lingering():
        server = socket.create_server(("127.0.0.1", 0))
        sender = socket.create_connection(server.getsockname())
        silent = server.accept()
        if os.fork() == 0:  # it reads nothing, and holds nothing else
            os.dup2(silent[0].fileno(), 0)
            os.closerange(1, 1000)
            time.sleep(60)
            os._exit(0)
        sender.setblocking(False)
        try:
            while True:
                sender.send(bytes(1 << 20))
        except BlockingIOError:
            pass
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
        return sender
"""


def test_one_that_sends_a_socket_that_lingers_over_its_control_line_holds_nobody_up(
    httpd: CheckedHttpd, apps: AppFolders, neighbour: AppFolder
) -> None:
    attack(httpd, apps, LINGERS + """
    sender = lingering()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sender.fileno()]))]
    for line in lines:
        try:
            line.sendmsg([say([(b"type", b"warning"), (b"text", b"x")])], rights)
        except PermissionError:  # the kernel does not let it
            continue
        sender.close()
    """ + ANSWERS)  # fmt: skip
    httpd.get("/", host="tenant.example")
    check_neighbour(httpd, httpd.spawner_pid())


@pytest.mark.parametrize("answer", ["in a frame of a file", "behind the end", "before the head"])
def test_one_that_sends_sockets_that_linger_in_its_responses_holds_no_thread_of_httpd_up(
    httpd: CheckedHttpd, apps: AppFolders, neighbour: AppFolder, answer: str
) -> None:
    httpd.add("ServerLimit 1\nStartServers 1\nThreadsPerChild 8\nMaxRequestWorkers 8\nThreadLimit 8")
    httpd.logs.allow("AH10159")
    attack(httpd, apps, LINGERS + f"""
    ANSWER = {answer!r}
    """ + """
    def application(environ, start_response):
        head = b"Status: 200 OK\\r\\n\\r\\n"
        last = {"in a frame of a file": head + struct.pack("!IQQ", 0xFFFFFFFF, 0, 1), "behind the end": b"more",
                "before the head": b"x"}[ANSWER]
        if os.fork():  # whoever ends does not wait for what lingers: it waits for whoever closes last
            time.sleep(0.2)
            os._exit(0)
        sender = lingering()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sender.fileno()]))]
        for found in sockets():
            if found.family == socket.AF_UNIX and found.type == socket.SOCK_STREAM and not is_listening(found):
                if ANSWER == "behind the end":
                    found.send(head + struct.pack("!I", 0))
                found.sendmsg([last], rights)
        os._exit(0)
    """)  # fmt: skip
    for _ in range(12):
        assert httpd.get("/", host="tenant.example").status in (200, 502)
    check_neighbour(httpd, httpd.spawner_pid())


def test_one_that_reports_the_same_child_again_and_again_costs_the_spawner_no_descriptors(
    httpd: CheckedHttpd, apps: AppFolders, neighbour: AppFolder
) -> None:
    attack(httpd, apps, """
    import threading

    def report():
        child = os.fork()
        if not child:
            time.sleep(600)
        message = say([(b"type", b"forked"), (b"slot", b"99"), (b"pid", str(child).encode())])
        for _ in range(3000):
            for line in lines:
                try:
                    line.send(message)
                except OSError:
                    pass
        open("events/reported", "w").close()

    threading.Timer(0.5, report).start()
    """ + ANSWERS)  # fmt: skip
    assert httpd.get("/", host="tenant.example").status == 200
    spawner = httpd.spawner_pid()
    apps_folder = apps.folder / "tenant" / "events" / "reported"
    eventually(apps_folder.exists, "all reports", 60)
    check_neighbour(httpd, spawner)
    assert psutil.Process(spawner).num_fds() < 150


def test_one_that_says_very_much_about_its_failure_holds_nobody_up(
    httpd: CheckedHttpd, apps: AppFolders, neighbour: AppFolder
) -> None:
    httpd.add("PassengerFriendlyErrorPages on")
    attack(httpd, apps, """
    text = b"PermissionError: " * 12000
    for line in lines:
        line.send(say([(b"type", b"failed"), (b"step", b"import"), (b"summary", text)]))
    raise RuntimeError("fails")
    """)  # fmt: skip
    answer = httpd.get("/", host="tenant.example")
    assert (answer.status, len(answer.body) < 100_000) == (500, True)
    check_neighbour(httpd, httpd.spawner_pid())


@pytest.mark.parametrize("sticky", ["off", "on"])
def test_a_former_user_gets_no_request_any_more(httpd: CheckedHttpd, apps: AppFolders, sticky: str) -> None:
    app = apps.create(name="tenant", entry=FIND + """
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        open("events/kept", "w").close()
        while not os.path.exists("events/gate-steal"):
            time.sleep(0.01)
        while True:
            select.select(listeners, [], [])
            try:
                connection, _ = listeners[0].accept()
            except BlockingIOError:
                continue
            open("events/stolen", "w").close()
    """ + ANSWERS, owner=TENANT)  # fmt: skip
    httpd.site("tenant.example", app.public, f"PassengerStickySessions {sticky}")
    httpd.logs.allow("JS")
    httpd.start()
    first = httpd.get("/", host="tenant.example")
    cookie = (first.header("Set-Cookie") or "").partition(";")[0]
    assert (first.text, bool(cookie)) == (str(pwd.getpwnam(TENANT).pw_uid), sticky == "on")
    sockets = set((httpd.instance_folder() / "apps").iterdir())
    app.wait_for_event("kept")
    app.write("passenger_wsgi.py", FIND + ANSWERS)
    give_all(app.root, OTHER)
    app.touch_restart()
    uid = str(pwd.getpwnam(OTHER).pw_uid)
    eventually(lambda: httpd.get("/", host="tenant.example").text == uid, "the new user's process")
    app.open_gate("steal")
    assert {httpd.get("/", host="tenant.example", cookie=cookie).text for _ in range(50)} == {uid}
    assert not sockets & set((httpd.instance_folder() / "apps").iterdir())
    assert "stolen" not in app.event_names()
    assert httpd.logs.count("JS3026: the user of an app has changed: ") == 1


def test_what_a_restart_replaces_is_ended_with_all_that_it_has_started(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    app = apps.create(name="tenant", entry=FIND + """
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        open("events/kept-%d" % os.getpid(), "w").close()
        time.sleep(600)
    """ + ANSWERS, owner=TENANT)  # fmt: skip
    httpd.site("tenant.example", app.public)
    httpd.logs.allow("JS3011")
    httpd.start()
    httpd.get("/", host="tenant.example")
    kept = eventually(lambda: [int(name[5:]) for name in app.event_names() if name.startswith("kept-")], "one")[0]
    app.write("passenger_wsgi.py", FIND + ANSWERS)
    app.touch_restart()
    eventually(lambda: not psutil.pid_exists(kept), "its end", 40)
    assert httpd.get("/", host="tenant.example").status == 200


def test_a_failed_start_that_multiplies_by_forks_and_sessions_leaves_nothing(
    httpd: CheckedHttpd, apps: AppFolders, neighbour: AppFolder
) -> None:
    attack(httpd, apps, """
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            while True:
                time.sleep(0.001)
                if os.fork():
                    os._exit(0)
                os.setsid()
    raise RuntimeError("fails")
    """)  # fmt: skip
    uid = pwd.getpwnam(TENANT).pw_uid
    assert httpd.get("/", host="tenant.example").status == 500
    check_neighbour(httpd, httpd.spawner_pid())

    def left() -> list[psutil.Process]:
        spawner = psutil.Process(httpd.spawner_pid())
        return [one for one in spawner.children(recursive=True) if one.uids().real == uid]

    eventually(lambda: not left(), "the end of all", 40)
