"""What is measured: an app, a page of it, and what that page must look like."""

from __future__ import annotations

import enum
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

APPS = Path(__file__).parent / "apps"


class Runtime(enum.Enum):
    """What runs an app."""

    PYTHON = "Python"
    RUBY = "Ruby"


@dataclass(frozen=True)
class Scenario:
    """One app and one page of it.

    When a request has a header X-Worker, the app waits for 2 ms, and the answer has a header X-Worker, too: the process
    that the app runs in.

    :ivar name: for SCENARIO=.
    :ivar title: for people.
    :ivar app: the folder below bench/apps.
    :ivar path: of the page.
    :ivar expected: what the page's body holds.
    :ivar times: how often it holds that, or `None`: the body is exactly that.
    :ivar packages: Debian's, of which the versions are told beside the figures.
    :ivar report: the page below docs/bench that shows the figures.
    :ivar requirements: what pip installs for the app.
    """

    name: str
    title: str
    runtime: Runtime
    app: str
    path: str
    expected: bytes
    times: Optional[int]
    packages: tuple[str, ...]
    report: str
    requirements: Optional[str] = None

    @property
    def needs_environment(self) -> bool:
        """Whether the app runs in a virtual environment of its own."""
        return self.requirements is not None

    def is_right(self, status: int, body: bytes) -> bool:
        """Whether an answer is what the page must look like."""
        right = body == self.expected if self.times is None else body.count(self.expected) == self.times
        return status == 200 and right

    def copy_app(self, app_root: Path) -> None:
        """Put the app into a folder, with a database where it has an SQL file."""
        shutil.copytree(APPS / self.app, app_root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        for script in app_root.glob("*.sql"):
            with sqlite3.connect(script.with_suffix(".sqlite3")) as database:
                database.executescript(script.read_text(encoding="utf-8"))


HELLO = b"Hello, World!"
RAILS = ("ruby", "ruby-rack", "ruby-rails", "ruby-sqlite3")

_ALL = (
    #        name      title                       runtime         app            path      expected        times
    Scenario("wsgi",   "hello world, WSGI",        Runtime.PYTHON, "hello_wsgi",  "/hello", HELLO,          None,
             ("python3",), "python"),
    Scenario("django", "a page of a Django site",  Runtime.PYTHON, "django_site", "/page",  b"<li>",        200,
             ("python3",), "python", "tests/requirements-apps.txt"),
    Scenario("rack",   "hello world, Rack",        Runtime.RUBY,   "hello_rack",  "/hello", HELLO,          None,
             ("ruby", "ruby-rack"), "ruby"),
    Scenario("rails",  "a page of a Rails app",    Runtime.RUBY,   "rails_page",  "/books", b"<tr class=",  20,
             RAILS, "ruby"),
)  # fmt: skip

SCENARIOS = {scenario.name: scenario for scenario in _ALL}
