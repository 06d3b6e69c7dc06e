"""Of which type an app is: by directive, by the name of its entry file, or by the entry file that is there."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import pytest

from support.background import Background
from support.scripted_loader import ScriptedLoader
from support.serving import CheckedHttpd


class Case(NamedTuple):
    """Which files an app root has and what the virtual host says of it; the type and the entry file that follow."""

    files: str
    directives: str
    app_type: str
    startup_file: str


CASES = {
    "python": Case("passenger_wsgi.py", "", "wsgi", "passenger_wsgi.py"),
    "ruby": Case("config.ru", "", "rack", "config.ru"),
    "node": Case("app.js", "", "node", "app.js"),
    "file": Case("Passengerfile.json", "", "program", "Passengerfile.json"),
    "python-first": Case("Passengerfile.json app.js config.ru passenger_wsgi.py", "", "wsgi", "passenger_wsgi.py"),
    "ruby-before-node": Case("Passengerfile.json app.js config.ru", "", "rack", "config.ru"),
    "type": Case("passenger_wsgi.py", "PassengerAppRoot {root}\nPassengerAppType ruby", "rack", "config.ru"),
    "type-and-file": Case(
        "", "PassengerAppRoot {root}\nPassengerAppType node\nPassengerStartupFile a.py", "node", "a.py"
    ),
    "js": Case("server.mjs passenger_wsgi.py", "PassengerStartupFile server.mjs", "node", "server.mjs"),
    "ru": Case("shop.ru", "PassengerStartupFile shop.ru", "rack", "shop.ru"),
    "wsgi": Case("trac.wsgi", "PassengerStartupFile trac.wsgi", "wsgi", "trac.wsgi"),
    "no-ending": Case("trac", "PassengerStartupFile trac", "wsgi", "trac"),
    "command": Case("passenger_wsgi.py", 'PassengerAppStartCommand "./run --port $PORT"', "program", "."),
}


@pytest.fixture(scope="module")
def loader(shared_httpd: CheckedHttpd) -> Iterator[ScriptedLoader]:
    for name, case in CASES.items():
        root = shared_httpd.folder / "apps" / name
        (root / "public").mkdir(parents=True)
        for file in case.files.split():
            (root / file).touch()
        shared_httpd.site(f"{name}.example", root / "public", case.directives.format(root=root))
    shared_httpd.start()
    loader = ScriptedLoader(shared_httpd)
    yield loader
    loader.close()


@pytest.mark.parametrize("name", CASES)
def test_an_app_has_the_type_that_is_configured_or_that_its_files_say(
    shared_httpd: CheckedHttpd, loader: ScriptedLoader, name: str
) -> None:
    answer = Background(lambda: shared_httpd.get("/", f"{name}.example"))
    loader.accept().answer()
    assert answer.result().status == 200
    told = loader.registrations[-1]
    assert (told["app_type"], told["startup_file"]) == CASES[name][2:]
