"""What a Node.js app finds, and how it comes up and goes, from `load` on."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Iterator

import pytest

from spawner.loaders import program
from spawner.shared import start_steps
from tests.conformance.harness.httpd_side import Exchange
from tests.conformance.harness.loader_process import Group, Preloader

START = str(Path(str(program.__file__)).with_name("start.py"))
LOAD = {"slot": "0", "threads": "0", "interpreter": "node"}


class Apps:
    """Starts apps in one app root; they end with the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack

    def begin(self, source: str, name: str = "app.js") -> Preloader:
        """Start a process; it has said hello, and is not told yet what to load."""
        (self.folder / name).write_text(source)
        group = Group("", framed=False, http=True)
        self._stack.callback(group.close)
        process = Preloader([sys.executable, START], self.folder, group, {}, LOAD)
        self._stack.callback(process.close)
        return process

    def start(self, source: str, name: str = "app.js") -> Preloader:
        """Start an app; it is ready."""
        process = self.begin(source, name)
        process.serve(name)
        return process

    def failure(self, source: str, name: str = "app.js") -> dict[str, str]:
        """Return why an app does not come up."""
        return self.begin(source, name).load_failure(name)


@pytest.fixture
def apps(tmp_path: Path) -> Iterator[Apps]:
    with ExitStack() as stack:
        yield Apps(tmp_path, stack)


def ask(process: Preloader) -> str:
    return process.get().text


def test_an_app_of_modules_may_await_before_it_listens(apps: Apps) -> None:
    source = """
        import http from 'node:http';
        await new Promise((resolve) => setTimeout(resolve, 10));
        http.createServer((request, response) => response.end('a module')).listen({ port: 80, host: '::1' });
    """
    assert ask(apps.start(source, "app.mjs")) == "a module"


def test_it_runs_as_the_main_module_with_its_own_arguments_and_sees_an_address(apps: Apps) -> None:
    source = """
        const server = require('http').createServer((request, response) => response.end(JSON.stringify([
            require.main === module, process.argv.slice(1), server.address(),
            request.socket.remoteAddress, Object.keys(process.env).filter((name) => name.startsWith('JUMPSEAT')),
            Object.keys(require.cache).length, process.listenerCount('exit') > 0,
        ])));
        server.listen(3000, '127.0.0.1');
    """
    told = ask(apps.start(source))
    address = '{"address":"127.0.0.1","family":"IPv4","port":3000}'
    assert told == f'[true,["{apps.folder}/app.js"],{address},"127.0.0.1",[],1,true]'


def test_the_first_server_that_listens_serves_and_others_only_believe_it(apps: Apps) -> None:
    source = """
        const http = require('http');
        const first = http.createServer((request, response) => response.end(`first ${told}`));
        const second = http.createServer((request, response) => response.end('second'));
        let told;
        first.listen(3000, () => second.listen({ port: 3000, host: '::1' }, () => {
            told = `${second.listening} ${second.address().port}`;
            second.close(() => console.log('closed'));
        }));
    """
    process = apps.start(source)
    process.output.wait_for("closed")
    assert ask(process) == "first true 3000"


def test_an_app_that_knows_passenger_says_which_server_is_meant(apps: Apps) -> None:
    source = """
        PhusionPassenger.configure({ autoInstall: false });
        const http = require('http');
        const other = http.createServer((request, response) => response.end('other'));
        other.listen(0, '127.0.0.1', () => {
            const port = other.address().port;
            const meant = http.createServer((request, response) => {
                const relay = (answer) => answer.on('data', (data) => response.end(`meant, ${data}`));
                http.get({ port, agent: false }, relay);
            });
            meant.listen('passenger');
        });
    """
    assert ask(apps.start(source)) == "meant, other"


def test_an_app_that_would_fork_workers_finds_that_it_is_one(apps: Apps) -> None:
    source = """
        const cluster = require('node:cluster');
        if (cluster.isPrimary) {
            cluster.fork();
        } else {
            require('http').createServer((request, response) => {
                try {
                    cluster.fork();
                } catch (error) {
                    response.end(`${cluster.isMaster} ${cluster.worker.id} ${error.message}`);
                }
            }).listen(3000);
        }
    """
    assert ask(apps.start(source)).startswith("false 1 cluster.fork() is not for apps behind Apache")


@pytest.mark.parametrize(
    ("name", "source", "step", "summary"),
    [
        ("app.js", "require('https').createServer({}).listen(1)", start_steps.IMPORT, "an HTTPS server cannot listen"),
        ("app.js", "require('http2').createServer().listen(1)", start_steps.IMPORT, "an HTTP/2 server cannot listen"),
        ("app.mjs", "await new Promise(() => {})", start_steps.IMPORT, "waits for what never comes"),
        ("app.mjs", "let = ;", start_steps.COMPILE, "SyntaxError"),
        ("app.js", "Promise.reject(new Error('refused'))", start_steps.IMPORT, "Error: refused"),
        ("app.js", "setTimeout(() => {}, 1)", start_steps.FIND, "without a server that listens"),
    ],
    ids=["https", "http2", "await", "syntax", "rejection", "no-server"],
)
def test_an_app_that_cannot_be_served_is_told_why(apps: Apps, name: str, source: str, step: str, summary: str) -> None:
    failure = apps.failure(source, name)
    assert failure["step"] == step
    assert summary in failure["summary"]
    assert failure["runtime"].startswith("Node.js ")
    assert failure["executable"].endswith("/node")
    assert "loaders/node/" not in failure["traceback"]


#: An app that fails, with the files that it needs: what it says it throws, and the places, the innermost first.
SHOWN = {
    "thrown": (
        {
            "app.js": "const price = require('./price');\n\nprice.of('tea');\n",
            "price.js": "exports.of = (name) => {\n  throw new TypeError(`no ${name}`);\n};\n",
        },
        "TypeError: no tea",
        [("price.js", 2, "exports.of"), ("app.js", 3, "Object.<anonymous>")],
    ),
    "syntax": ({"app.js": "const a = 1;\nlet = ;\n"}, "SyntaxError: Unexpected token ';'", [("app.js", 2, "")]),
    "syntax of a module": (
        {"app.mjs": "import http from 'http';\nimport './lib/price.mjs';\n", "lib/price.mjs": "\n\nlet = ;\n"},
        "SyntaxError: Unexpected strict mode reserved word",
        [("lib/price.mjs", 3, "")],
    ),
    "missing": (
        {"app.js": "\nrequire('no-such');\n"},
        "Cannot find module 'no-such'",
        [("app.js", 2, "Object.<anonymous>")],
    ),
    "missing of a module": (
        {"app.mjs": "\nimport x from 'no-such/x';\n"},
        "Cannot find package 'no-such'",
        [("app.mjs", 2, "")],
    ),
    "missing file": (
        {"app.mjs": "import 'fs';\nexport * from './no.mjs';\n"},
        "no.mjs' imported from",
        [("app.mjs", 2, "")],
    ),
    "await": (
        {"app.mjs": "async function open() {\n  await null;\n  throw new Error('late');\n}\nawait open();\n"},
        "Error: late",
        [("app.mjs", 3, "open"), ("app.mjs", 5, "")],
    ),
    "https": (
        {"app.js": "\nrequire('https').createServer().listen(1);\n"},
        "an HTTPS server cannot",
        [("app.js", 2, "Object.<anonymous>")],
    ),
    "exit": ({"app.js": "\nprocess.exit(0);\n"}, "is ended with status 0", [("app.js", 2, "Object.<anonymous>")]),
}


def raised_by(apps: Apps, files: dict[str, str]) -> tuple[dict[str, str], list[Any]]:
    """Return what an app tells of its failure, and the exceptions in it."""
    for name, source in files.items():
        (apps.folder / name).parent.mkdir(exist_ok=True)
        (apps.folder / name).write_text(source)
    entry = next(iter(files))
    failure = apps.begin(files[entry], entry).load_failure(entry, friendly="1")
    return failure, json.loads(failure.get("exceptions", "[]"))


@pytest.mark.parametrize("name", SHOWN)
def test_a_failure_is_told_with_the_lines_of_source_that_it_came_from(apps: Apps, name: str) -> None:
    files, title, places = SHOWN[name]
    _, (raised,) = raised_by(apps, files)
    assert title in raised["title"]
    assert "loaders/" not in json.dumps(raised)
    found = [
        (os.path.relpath(one["file"], apps.folder.resolve()), one["line"], one["function"]) for one in raised["frames"]
    ]
    assert found[::-1] == places
    innermost, text = raised["frames"][-1], files[places[0][0]]
    assert innermost["of_app"]
    assert innermost["source"] == text.split("\n")[:-1]


def test_a_failure_is_told_with_its_causes_and_without_secrets(apps: Apps) -> None:
    source = """
        process.env.TEA_TOKEN = 'oolong';
        const secret = `oolong`;
        const cause = new RangeError('first', { cause: 'postgres://shop:oolong@db/shop' });
        throw new AggregateError([new Error('a part')], 'last', { cause });
    """
    failure, raised = raised_by(apps, {"app.js": source})
    assert [(one["link"], one["title"]) for one in raised] == [
        ("cause", "thrown: postgres://shop:[hidden]@db/shop"),
        ("cause", "RangeError: first"),
        ("", "AggregateError: last"),
        ("part", "Error: a part"),
    ]
    assert failure["env:TEA_TOKEN"] == "[hidden]"
    assert "oolong" not in failure["exceptions"]
    assert failure["search_path"] == "/usr/lib/node" or failure["search_path"].startswith("/")


def test_calls_of_packages_are_told_without_source(apps: Apps) -> None:
    files = {"app.js": "require('tea')", "node_modules/tea.js": "throw new Error('bitter')"}
    (apps.folder / "node_modules").mkdir()
    _, (raised,) = raised_by(apps, files)
    assert [(one["of_app"], len(one["source"])) for one in raised["frames"]] == [(True, 1), (False, 1)]


def test_only_a_friendly_page_is_told_what_the_source_and_the_environment_are(apps: Apps) -> None:
    failure = apps.failure("throw new Error('odd')")
    assert "Error: odd" in failure["traceback"]
    assert not [name for name in failure if name.startswith(("env:", "exceptions"))]
    assert failure["search_path"]


def test_a_failure_that_is_too_long_to_tell_is_told_in_short(apps: Apps) -> None:
    source = """
        for (let number = 0; number < 30; number += 1) {
            process.env[`LONG_${number}`] = '\u4e00'.repeat(500);
        }
        const error = new Error('odd', { cause: new Error('first') });
        error.stack = error.cause.stack = '\u4e00'.repeat(40000);
        throw error;
    """
    failure = apps.begin(source).load_failure("app.js", friendly="1")
    assert (failure["step"], failure["summary"]) == (start_steps.IMPORT, "Error: odd")
    assert sorted(failure) == ["step", "summary", "traceback", "type"]


def test_an_interpreter_that_is_not_there_is_named(apps: Apps) -> None:
    failure = apps.begin("").load_failure("app.js", interpreter="/nowhere/node")
    assert failure["step"] == start_steps.EXECUTE
    assert failure["summary"] == "/nowhere/node could not be executed: No such file or directory"


@pytest.mark.parametrize("listener", ["process.on('message', ", "PhusionPassenger.on('exit', "])
def test_an_app_that_hears_of_the_end_ends_itself(apps: Apps, listener: str) -> None:
    source = f"""
        require('http').createServer().listen(3000);
        {listener}(...words) => {{ console.log('told', ...words); process.exit(3); }});
    """
    process = apps.start(source)
    process.retire()
    assert process.child.wait(20) == 3
    assert process.output.wait_for_end() == ("told shutdown\n" if "message" in listener else "told\n")


KEEPS = """
    const server = require('http').createServer((request, response) => {
        if (request.url === '/open') {
            response.write('begun');
            console.log('open');
        } else {
            response.end('ok');
        }
    });
    server.on('connection', () => console.log('connected'));
    server.keepAliveTimeout = 60000;
    server.listen(3000);
    setInterval(() => {}, 1000);
"""


def wait_until_connected(process: Preloader, count: int) -> None:
    deadline = time.monotonic() + 20
    while process.output.text().count("connected") < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_kept_connections_hold_nobody_up_and_a_deadline_ends_open_responses(apps: Apps) -> None:
    process = apps.start(KEEPS)
    client = process.group.client()
    with client.connect() as kept, client.open(path="/open") as begun, client.connect() as fresh:
        kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        kept.read_until(b"ok")
        process.output.wait_for("open")
        wait_until_connected(process, 3)
        process.retire()
        assert kept.read(1 << 16) == b""
        fresh.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (fresh.answer().text, process.is_alive()) == ("ok", True)
        process.retire(("deadline", str(time.monotonic_ns() + 1_100_000_000)))
        assert begun.read_until(b"begun")
        assert process.child.wait(20) == 0


def test_no_more_requests_come_at_a_time_than_the_app_may_have(apps: Apps) -> None:
    process = apps.begin(KEEPS)
    process.serve("app.js", threads="1")
    client = process.group.client()
    with client.open(path="/open") as first, client.connect() as second:
        process.output.wait_for("open")
        second.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        second.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            second.socket.recv(1)
        second.socket.settimeout(20)
        first.close()
        assert b"Connection: close" in second.read(1 << 16)
    process.retire()
    assert process.child.wait(20) == 0


WAITS = """
    const fs = require('fs');
    require('http').createServer((request, response) => {
        console.log('called', request.url, request.rawHeaders.filter((name) => name.startsWith('Jumpseat')).length);
        if (request.url === '/wait') {
            response.on('close', () => console.log('over'));
        } else if (request.url === '/block') {
            while (!fs.existsSync('gate'));
            response.end();
        } else {
            response.end('ok');
        }
    }).listen(3000);
"""


def acknowledged(process: Preloader, path: str = "/", **headers: str) -> Exchange:
    exchange = process.group.client().connect()
    lines = [f"GET {path} HTTP/1.1", "Host: a", "Connection: close", "Jumpseat-Acknowledge: 1"]
    lines += [f"Jumpseat-{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
    exchange.send("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
    return exchange


def test_a_request_is_acknowledged_before_the_app_has_it_unless_it_is_too_late(apps: Apps) -> None:
    process = apps.start(WAITS)
    with acknowledged(process, start_before=str(time.monotonic_ns() + 10**10)) as exchange:
        assert exchange.read_until(b"\r\n\r\n") == b"HTTP/1.1 102 Processing\r\n\r\n"
        assert exchange.answer().text == "ok"
    with acknowledged(process, start_before="1") as late:
        assert late.read(1000) == b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Too Late\r\n\r\n"
    with acknowledged(process, time_limit="soon") as bad:
        assert bad.answer().status == "400 Bad Request"
    process.retire()
    assert process.child.wait(20) == 0
    assert process.output.wait_for_end() == "called / 0\n"
    assert process.group.slot(0).requests == 1


def test_a_request_has_a_deadline_and_can_be_ended(apps: Apps) -> None:
    process = apps.start(WAITS)
    before = time.monotonic_ns()
    with acknowledged(process, "/wait", time_limit="2000") as exchange:
        process.output.wait_for("called /wait")
        cell = process.group.cell(0)
        assert before + 2 * 10**9 < cell.deadline < time.monotonic_ns() + 2 * 10**9
        process.line.send("cancel", ("cell", "0"), ("since", str(cell.since - 1)))
        process.line.send("cancel", ("cell", "1"), ("since", str(cell.since)))
        process.line.send("cancel", ("cell", "0"), ("since", str(cell.since)))
        process.output.wait_for("over")
        assert exchange.read(1000) == b"HTTP/1.1 102 Processing\r\n\r\n"
    assert ask(process) == "ok"


def test_a_deadline_is_seen_although_the_app_holds_its_event_loop_up(apps: Apps) -> None:
    process = apps.start(WAITS)
    with acknowledged(process, "/block", time_limit="2000") as exchange:
        process.group.wait_for(lambda group: group.cell(0).deadline)
        assert process.group.slot(0).running == 1
        (apps.folder / "gate").touch()
        exchange.read_until(b"\r\n\r\n")
        assert exchange.answer().status == "200 OK"


def test_all_that_wait_at_its_own_socket_are_served_before_it_goes(apps: Apps) -> None:
    process = apps.begin(WAITS)
    own = process.group.own_socket("0123456789abcdef")
    process.serve("app.js", own=own)
    assert process.ready["route"] == "0123456789abcdef"
    with acknowledged(process, "/block") as busy, ExitStack() as stack:
        busy.read_until(b"Route: 0123456789abcdef\r\n\r\n")
        waiting = [stack.enter_context(own.client.open()) for _ in range(5)]
        own.remove()
        process.retire()
        (apps.folder / "gate").touch()
        assert [exchange.answer().text for exchange in waiting] == ["ok"] * 5
        assert busy.answer().status == "200 OK"
    assert process.child.wait(20) == 0


def test_an_error_after_the_start_ends_the_app_as_it_does_without_us(apps: Apps) -> None:
    process = apps.start("require('http').createServer(() => { throw new Error('late'); }).listen(3000)")
    assert not process.get().complete
    assert process.child.wait(20) == 1
    assert "Error: late" in process.output.wait_for_end()
    assert process.line.receive() == []
