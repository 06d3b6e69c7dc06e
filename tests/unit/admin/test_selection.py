"""Which apps a command means, and what another user may know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from spawner.admin.command import BadCommand, Caller, NotFound, choice_argument, flag_argument, pid_argument
from spawner.admin.selection import AppSelection, is_below
from spawner.options import ServerOptions
from spawner.pool.pool import Pool
from spawner.pool.registry import Registry
from spawner.pool.states import GroupState

ROOT, SHOP = Caller(0, True), Caller(1001, False)


def selection(**apps: int) -> AppSelection:
    """Apps below /srv, each with the uid that it runs as, and one process whose pid is that uid."""
    registry: Any = Registry()
    for name, uid in apps.items():
        root = SimpleNamespace(app_root="/srv/" + name)
        registry.groups.enter(name, SimpleNamespace(key=name, state=GroupState.SERVING, registration=root))
        registry.groups.attach(name, SimpleNamespace(uid=uid))
        registry.processes.enter(uid, SimpleNamespace(pid=uid, key=name))
        registry.processes.set_pid(uid, uid)
    return AppSelection(Pool(ServerOptions()), registry)


@pytest.mark.parametrize(
    ("root", "path", "below"),
    [
        ("/srv/a", "/srv/a", True),
        ("/srv/a", "/srv/a/", True),
        ("/srv/a", "/srv", True),
        ("/srv/a", "/", True),
        ("/srv/a", "/srv/x/..", True),
        ("/srv/ab", "/srv/a", False),
        ("/srv", "/srv/a", False),
    ],
)
def test_a_path_means_folders_not_text(root: str, path: str, below: bool) -> None:
    assert is_below(root, path) is below


def test_root_means_every_app_and_a_user_those_that_run_as_them() -> None:
    apps = selection(shop=1001, blog=1002)
    assert apps.select({}, ROOT) == ["shop", "blog"]
    assert apps.select({}, SHOP) == ["shop"]
    assert apps.select({"app": "/"}, SHOP) == ["shop"]
    assert apps.select({"name": ["blog", "shop", "blog"]}, ROOT) == ["blog", "shop"]


@pytest.mark.parametrize("arguments", [{"name": "{}"}, {"app": "/srv/{}"}])
def test_another_s_app_is_as_absent_as_none(arguments: dict[str, str]) -> None:
    apps = selection(shop=1001, blog=1002)
    words = []
    for name in ("blog", "none"):
        with pytest.raises(NotFound) as refused:
            apps.select({field: text.format(name) for field, text in arguments.items()}, SHOP)
        words.append(str(refused.value).replace(name, "X"))
    assert words[0] == words[1]


def test_another_s_process_is_as_absent_as_none() -> None:
    apps = selection(shop=1001, blog=1002)
    assert apps.find_process(1001, SHOP).key == "shop"
    for pid in (1002, 4711):
        with pytest.raises(NotFound, match="^no app has a process %d$" % pid):
            apps.find_process(pid, SHOP)


def test_an_app_that_ends_is_not_meant() -> None:
    apps = selection(shop=1001)
    apps._registry.groups.entries["shop"].state = GroupState.CLOSING
    assert apps.select({}, ROOT) == []


@pytest.mark.parametrize(
    "arguments", [{"app": "/", "name": "shop"}, {"app": 1}, {"name": []}, {"name": [1]}, {"app": "srv"}]
)
def test_fields_that_are_not_what_they_have_to_be_are_a_bad_command(arguments: dict[str, Any]) -> None:
    with pytest.raises(BadCommand):
        selection(shop=1001).select(arguments, ROOT)


@pytest.mark.parametrize("value", ["1", True, 0, -1, 1.5, []])
def test_a_pid_is_a_positive_number(value: Any) -> None:
    with pytest.raises(BadCommand):
        pid_argument({"pid": value}, "pid")


def test_choices_and_flags_are_checked() -> None:
    assert choice_argument({}, "method", ["rolling"]) is None
    assert flag_argument({"wait": True}, "wait") is True
    for arguments in ({"method": "fast"}, {"method": 1}):
        with pytest.raises(BadCommand):
            choice_argument(arguments, "method", ["rolling"])
    with pytest.raises(BadCommand):
        flag_argument({"wait": 1}, "wait")
