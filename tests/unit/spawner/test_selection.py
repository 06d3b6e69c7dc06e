"""Which apps a question means, and what another user may know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from spawner.admin.commands import fields
from spawner.admin.commands.command import Caller
from spawner.admin.commands.refusals import BadCommand, NotFound
from spawner.admin.commands.selection import find_process, lies_below, select
from spawner.pool.states import GroupState

ROOT, SHOP = Caller(0, True), Caller(1001, False)


def world(**apps: int) -> Any:
    """A world of apps below /srv, each with the uid that it runs as, and one process whose pid is that uid."""
    entries = {
        name: SimpleNamespace(
            key=name, state=GroupState.SERVING, registration=SimpleNamespace(app_root="/srv/" + name)
        )
        for name in apps
    }
    processes = {uid: SimpleNamespace(pid=uid, key=name) for name, uid in apps.items()}
    groups = {name: SimpleNamespace(uid=uid) for name, uid in apps.items()}
    return SimpleNamespace(pool=SimpleNamespace(groups=entries, processes=processes), groups=groups)


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
    assert lies_below(root, path) is below


def test_root_means_every_app_and_a_user_those_that_run_as_them() -> None:
    apps = world(shop=1001, blog=1002)
    assert select(apps, {}, ROOT) == ["shop", "blog"]
    assert select(apps, {}, SHOP) == ["shop"]
    assert select(apps, {"app": "/"}, SHOP) == ["shop"]
    assert select(apps, {"name": ["blog", "shop", "blog"]}, ROOT) == ["blog", "shop"]


@pytest.mark.parametrize("question", [{"name": "{}"}, {"app": "/srv/{}"}])
def test_another_s_app_is_as_absent_as_none(question: dict[str, str]) -> None:
    apps = world(shop=1001, blog=1002)
    words = []
    for name in ("blog", "none"):
        with pytest.raises(NotFound) as refused:
            select(apps, {field: text.format(name) for field, text in question.items()}, SHOP)
        words.append(str(refused.value).replace(name, "X"))
    assert words[0] == words[1]


def test_another_s_process_is_as_absent_as_none() -> None:
    apps = world(shop=1001, blog=1002)
    assert find_process(apps, 1001, SHOP).key == "shop"
    for pid in (1002, 4711):
        with pytest.raises(NotFound, match="^no app has a process %d$" % pid):
            find_process(apps, pid, SHOP)


def test_an_app_that_ends_is_not_meant() -> None:
    apps = world(shop=1001)
    apps.pool.groups["shop"].state = GroupState.CLOSING
    assert select(apps, {}, ROOT) == []


@pytest.mark.parametrize(
    "question", [{"app": "/", "name": "shop"}, {"app": 1}, {"name": []}, {"name": [1]}, {"app": "srv"}]
)
def test_fields_that_are_not_what_they_have_to_be_are_a_bad_command(question: dict[str, Any]) -> None:
    with pytest.raises(BadCommand):
        select(world(shop=1001), question, ROOT)


@pytest.mark.parametrize("value", ["1", True, 0, -1, 1.5, []])
def test_a_pid_is_a_positive_number(value: Any) -> None:
    with pytest.raises(BadCommand):
        fields.process_number({"pid": value}, "pid")


def test_choices_and_flags_are_checked() -> None:
    assert fields.choice({}, "method", ["rolling"]) is None
    assert fields.flag({"wait": True}, "wait") is True
    for question in ({"method": "fast"}, {"method": 1}):
        with pytest.raises(BadCommand):
            fields.choice(question, "method", ["rolling"])
    with pytest.raises(BadCommand):
        fields.flag({"wait": 1}, "wait")
