"""PassengerErrorOverride: httpd's answer in place of the body of an app's error."""

from __future__ import annotations

import re

import pytest

from support.applications import AppFolder, AppFolders
from support.client import Answer, Wire
from support.serving import CheckedHttpd

ENTRY = """\
    import os, time

    def note(name):
        open("events/" + name, "a").close()

    def body(kind):
        try:
            if kind == "long":
                for _ in range(100000):
                    yield b"app's own words " * 1000
            elif kind == "slow":
                yield b"app's own words"
                while not os.path.exists("events/gate-slow"):
                    time.sleep(0.01)
                yield b"end"
            else:
                yield b"app's own words"
        finally:
            note("closed")

    def application(environ, start_response):
        status, _, kind = environ["PATH_INFO"].strip("/").partition("/")
        headers = [
            ("Content-Type", "text/x-app"), ("ETag", '"app"'), ("Content-Language", "eo"), ("X-App", "kept"),
            ("Content-Security-Policy", "default-src 'self'"),
            ("Set-Cookie", "one=1"), ("Set-Cookie", "two=2"), ("Retry-After", "7"), ("Allow", "GET, BREW"),
            ("WWW-Authenticate", 'Basic realm="app"'),
        ]
        start_response(status + " Own Reason", headers)
        return body(kind)
    """


@pytest.fixture
def app(apps: AppFolders) -> AppFolder:
    app = apps.create(name="failing", entry=ENTRY)
    app.write("public/errors/page.html", "httpd's page")
    return app


def started(httpd: CheckedHttpd, app: AppFolder, lines: str) -> CheckedHttpd:
    httpd.site(document_root=app.public, body=f"PassengerAppRoot {app.root}\nPassengerMinInstances 1\n{lines}")
    httpd.logs.allow("AH0")
    httpd.start()
    return httpd


def documents(*statuses: int) -> str:
    lines = [f"ErrorDocument {status} /errors/page.html" for status in statuses]
    return "\n".join(["PassengerErrorOverride on", *lines])


STATUSES = (400, 401, 403, 404, 405, 429, 451, 500, 502, 503, 504)
TELLING = 'PassengerErrorOverride on\nErrorDocument 500 "id=%{reqenv:PASSENGER_ERROR_ID}"'
#: What the sites of the same app say.
SITES = {
    "documents": documents(*STATUSES),
    "httpds-own": "PassengerErrorOverride on",
    "text": 'PassengerErrorOverride on\nErrorDocument 404 "not to be found"',
    "off": "ErrorDocument 404 /errors/page.html",
    "apps-page": "PassengerErrorOverride on\nErrorDocument 404 /200",
    "failing-page": "PassengerErrorOverride on\nErrorDocument 404 /500\nErrorDocument 500 /errors/page.html",
    "telling": TELLING,
}


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> CheckedHttpd:
    """One app behind all SITES."""
    app = shared_apps.create(name="failing", entry=ENTRY)
    app.write("public/errors/page.html", "httpd's page")
    for name, lines in SITES.items():
        shared_httpd.site(f"{name}.example", app.public, f"PassengerAppRoot {app.root}\n{lines}")
    return shared_httpd.start()


def ask(server: CheckedHttpd, site: str, target: str) -> Answer:
    server.logs.allow("AH0")
    return server.get(target, f"{site}.example")


@pytest.mark.parametrize("status", STATUSES)
def test_the_error_document_answers_with_the_apps_status(server: CheckedHttpd, status: int) -> None:
    answer = ask(server, "documents", f"/{status}")
    assert (answer.status, answer.text, answer.header("Content-Type")) == (status, "httpd's page", "text/html")


def test_what_the_app_says_beside_the_body_stays(server: CheckedHttpd) -> None:
    answer = ask(server, "documents", "/401")
    assert answer.all("Set-Cookie") == ["one=1", "two=2"]
    assert answer.header("WWW-Authenticate") == 'Basic realm="app"'
    assert (answer.header("Retry-After"), answer.header("Allow")) == ("7", "GET, BREW")
    assert answer.header("X-App") == "kept"
    assert answer.header("Content-Security-Policy") == "default-src 'self'"


def test_what_the_app_says_of_its_body_goes(server: CheckedHttpd) -> None:
    answer = ask(server, "documents", "/404")
    assert answer.header("ETag") != '"app"'
    assert answer.header("Content-Language") is None
    assert answer.header("Content-Length") == str(len("httpd's page"))


def httpds_own(answer: Answer, status: int) -> bool:
    return (answer.status, answer.header("Content-Type")) == (status, "text/html; charset=iso-8859-1")


@pytest.mark.parametrize("status", [404, 500, 503])
def test_without_an_error_document_httpds_own_page_appears(server: CheckedHttpd, status: int) -> None:
    answer = ask(server, "httpds-own", f"/{status}")
    assert httpds_own(answer, status)
    assert "app's own words" not in answer.text
    assert answer.all("Set-Cookie") == ["one=1", "two=2"]


def test_httpds_own_page_names_the_methods_that_the_app_allows(server: CheckedHttpd) -> None:
    answer = ask(server, "httpds-own", "/405")
    assert httpds_own(answer, 405)
    allowed = {name.strip() for name in (answer.header("Allow") or "").split(",")}
    assert {"GET", "BREW"} <= allowed
    assert "POST" not in allowed


def test_an_error_document_may_be_a_text(server: CheckedHttpd) -> None:
    answer = ask(server, "text", "/404")
    assert (answer.status, answer.text) == (404, "not to be found")


def test_head_has_the_same_status_and_no_body(server: CheckedHttpd) -> None:
    server.logs.allow("AH0")
    with server.client("documents.example") as client:
        answer = client.request("HEAD", "/404")
        assert (answer.status, answer.body, answer.header("Content-Type")) == (404, b"", "text/html")
        assert client.get("/200").text == "app's own words"


def test_success_and_redirects_are_the_apps(server: CheckedHttpd) -> None:
    for status in (200, 302, 399):
        answer = ask(server, "documents", f"/{status}")
        assert (answer.status, answer.text, answer.reason) == (status, "app's own words", "Own Reason")


def test_off_by_default_the_app_answers(server: CheckedHttpd) -> None:
    answer = ask(server, "off", "/404")
    assert (answer.status, answer.text) == (404, "app's own words")


def test_the_error_document_may_be_the_apps_own_page(server: CheckedHttpd) -> None:
    answer = ask(server, "apps-page", "/404")
    assert (answer.status, answer.text) == (404, "app's own words")


def test_an_error_document_that_fails_itself_is_not_replaced_again(server: CheckedHttpd) -> None:
    answer = ask(server, "failing-page", "/404")
    assert (answer.status, answer.text) == (500, "app's own words")


def test_in_htaccess(httpd: CheckedHttpd, app: AppFolder) -> None:
    app.write("public/.htaccess", documents(404))
    answer = started(httpd, app, f"<Directory {app.public}>\nAllowOverride All\n</Directory>").get("/404")
    assert (answer.status, answer.text) == (404, "httpd's page")


def test_the_page_of_an_app_that_does_not_start_is_replaced(httpd: CheckedHttpd, apps: AppFolders) -> None:
    app = apps.create(name="broken", entry="raise RuntimeError('never')\n")
    app.write("public/errors/page.html", "httpd's page")
    httpd.logs.allow("JS|RuntimeError|Traceback|File|raise")
    answer = started(httpd, app, documents(500)).get("/")
    assert (answer.status, answer.text) == (500, "httpd's page")
    assert answer.header("Content-Security-Policy") is None


def test_of_an_app_that_fails_a_request_too(httpd: CheckedHttpd, apps: AppFolders) -> None:
    app = apps.create(name="raising", entry="def application(environ, start_response):\n    raise RuntimeError('no')\n")
    app.write("public/errors/page.html", "httpd's page")
    answer = started(httpd, app, documents(500)).get("/")
    assert (answer.status, answer.text) == (500, "httpd's page")
    assert answer.header("Content-Security-Policy") is None
    assert answer.header("Cache-Control") == "no-store"


def test_the_error_document_about_an_app_that_fails_a_request_knows_the_id_of_the_log(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    app = apps.create(name="raising", entry="def application(environ, start_response):\n    raise RuntimeError('no')\n")
    answer = started(httpd, app, TELLING).get("/")
    assert answer.status == 500
    assert re.fullmatch("id=[0-9a-f]{8}", answer.text)
    httpd.logs.wait_for(f"the app failed .error id {answer.text[3:]}.", "site.example.log")


def test_the_error_document_about_an_app_that_does_not_start_knows_it_too(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    app = apps.create(name="broken", entry="raise RuntimeError('never')\n")
    httpd.logs.allow("JS|RuntimeError|Traceback|File|raise")
    answer = started(httpd, app, TELLING).get("/")
    assert answer.status == 500
    assert re.fullmatch("id=[0-9a-f]{8}", answer.text)
    httpd.logs.wait_for(f"RuntimeError: never .error id {answer.text[3:]}.")


def test_an_error_that_the_app_answers_itself_has_no_id(server: CheckedHttpd) -> None:
    assert ask(server, "telling", "/500").text == "id="


def test_the_id_does_not_reach_the_client_as_a_header(httpd: CheckedHttpd, apps: AppFolders) -> None:
    app = apps.create(name="raising", entry="def application(environ, start_response):\n    raise RuntimeError('no')\n")
    httpd.add(f'CustomLog "{httpd.folder}/logs/ids.log" "%U %{{passenger-error-id}}n"')
    answer = started(httpd, app, "").get("/")
    found = re.search(r"<code>([0-9a-f]{8})</code>", answer.text)
    assert found
    assert not any("error id" in name.lower() or found.group(1) in value for name, value in answer.headers)
    httpd.logs.wait_for(f"^/ {found.group(1)}$", "ids.log")


@pytest.mark.parametrize("kind", ["long", "slow"])
def test_a_body_that_would_take_long_is_not_waited_for_and_closed(
    httpd: CheckedHttpd, app: AppFolder, kind: str
) -> None:
    server = started(httpd, app, documents(500))
    answer = server.get(f"/500/{kind}")
    assert (answer.status, answer.text) == (500, "httpd's page")
    assert kind != "slow" or "closed" not in app.event_names()
    app.open_gate("slow")
    app.wait_for_event("closed")
    assert server.get("/200").text == "app's own words"


def test_the_connection_goes_on_afterwards(server: CheckedHttpd) -> None:
    server.logs.allow("AH0")
    with Wire(server.port) as wire:
        for _ in range(3):
            wire.head("GET /404 HTTP/1.1", host="documents.example")
            assert wire.answer().text == "httpd's page"


def test_an_error_of_the_module_keeps_its_own_answer(httpd: CheckedHttpd, apps: AppFolders) -> None:
    app = apps.create(name="dying", entry="import os\ndef application(environ, start_response):\n    os._exit(1)\n")
    httpd.logs.allow("JS")
    answer = started(httpd, app, "PassengerErrorOverride on").get("/")
    assert (answer.status, answer.header("Content-Type")) == (502, "text/html; charset=utf-8")
