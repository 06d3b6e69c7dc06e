"""The table of app types: httpd relies on what it says of a loader before a process of it exists."""

from __future__ import annotations

import pytest

from apache_module import directives
from spawner.app_types import APP_TYPES, CAPABILITIES, capabilities_of
from spawner.errors import OperatorError
from spawner.loaders.python.worker import CAPABILITIES as PYTHON_CAPABILITIES


def test_every_loader_has_known_capabilities_only() -> None:
    assert not [name for name, loader in APP_TYPES.items() if loader.capabilities - CAPABILITIES.keys()]


def test_the_python_loader_says_what_the_table_says_of_it() -> None:
    assert frozenset(PYTHON_CAPABILITIES) == APP_TYPES["wsgi"].capabilities


def test_the_table_names_directives_that_the_spawner_is_told() -> None:
    of_apps = {one.wire_name for one in directives.DIRECTIVES if one.on_wire and not one.server_wide}
    of_server = {one.wire_name for one in directives.DIRECTIVES if one.on_wire and one.server_wide}
    types = APP_TYPES.values()
    named = {name for one in types for name in (one.interpreter, *(option for _, option in one.load_fields))}
    assert named - of_apps - {""} == set()
    assert {one.default_interpreter for one in types} - of_server - {""} == set()


def test_what_is_disabled_is_not_used() -> None:
    assert capabilities_of("wsgi", {"frames", "cancel"}) == APP_TYPES["wsgi"].capabilities - {"frames"}


def test_a_type_without_a_loader_is_an_error_that_names_those_that_there_are() -> None:
    with pytest.raises(OperatorError) as raised:
        capabilities_of("meteor")
    assert str(raised.value) == "PassengerAppType meteor is not supported; supported: node, program, rack, wsgi"
