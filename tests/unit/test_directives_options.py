"""spawner/options.py: from the wire to typed options."""

from __future__ import annotations

import dataclasses
from typing import Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apache_module.directives import DIRECTIVES
from apache_module.render_python import default_value
from spawner.options import AppOptions, OptionError, ServerOptions

Options = Union[AppOptions, ServerOptions]


def to_wire(options: Options) -> dict[str, str]:
    """As the module encodes them."""
    fields = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value is not None:
            fields[field.name] = str(int(value)) if isinstance(value, (bool, int)) else value
    return fields


def test_without_any_field_the_defaults_of_the_table_hold() -> None:
    for options in (AppOptions.from_wire({}), ServerOptions.from_wire({})):
        assert options == type(options)()
        defaults = {directive.wire_name: default_value(directive, DIRECTIVES) for directive in DIRECTIVES}
        for name, value in dataclasses.asdict(options).items():
            assert value == defaults.get(name, value)


def test_each_option_that_the_spawner_is_told_is_in_exactly_one_class() -> None:
    app, server = ({field.name for field in dataclasses.fields(kind)} for kind in (AppOptions, ServerOptions))
    assert app == {d.wire_name for d in DIRECTIVES if d.on_wire and not d.server_wide}
    assert server == {d.wire_name for d in DIRECTIVES if d.on_wire and d.server_wide}


def test_every_value_comes_back_from_the_wire() -> None:
    options = AppOptions(
        python="/usr/bin/python3",
        app_env="staging",
        spawn_method="direct",
        load_shell_envvars=False,
        start_timeout=7,
        user="shop",
        group="!STARTUP_FILE!",
        min_instances=0,
        max_instances=3,
        friendly_error_pages=True,
        custom_error_page="/srv/500.html",
        app_log_file="/var/log/shop.log",
        rolling_restarts=False,
    )
    assert AppOptions.from_wire(to_wire(options)) == options
    server = ServerOptions(max_pool_size=65535, default_group="daemon", log_level=7, user_switching=False)
    assert ServerOptions.from_wire(to_wire(server)) == server


def test_other_names_are_left_alone() -> None:
    assert AppOptions.from_wire({"type": "register", "env:A": "b", "max_pool_size": "x"}) == AppOptions()


@pytest.mark.parametrize("value", ["", "-1", "+1", " 1", "1 ", "1_0", "\u0663", "0x10", "1.0", "65536", "9" * 40])
def test_a_number_that_is_none_or_out_of_bounds_is_refused_by_name(value: str) -> None:
    with pytest.raises(OptionError, match="min_instances") as raised:
        AppOptions.from_wire({"min_instances": value})
    assert (raised.value.name, raised.value.value) == ("min_instances", value)


@pytest.mark.parametrize(("value", "fits"), [("0", False), ("1", True), ("2147483647", True), ("2147483648", False)])
def test_bounds_are_part_of_what_is_allowed(value: str, fits: bool) -> None:
    if fits:
        assert AppOptions.from_wire({"start_timeout": value}).start_timeout == int(value)
    else:
        with pytest.raises(OptionError):
            AppOptions.from_wire({"start_timeout": value})


@pytest.mark.parametrize("value", ["", "on", "2", "True", "01"])
def test_a_flag_is_0_or_1(value: str) -> None:
    with pytest.raises(OptionError, match="user_switching"):
        ServerOptions.from_wire({"user_switching": value})


@pytest.mark.parametrize("value", ["", "smart-lv2", "Direct", "x"])
def test_a_choice_is_one_of_the_canonical_words(value: str) -> None:
    with pytest.raises(OptionError, match="spawn_method"):
        AppOptions.from_wire({"spawn_method": value})


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(OptionError, match="python"):
        AppOptions.from_wire({"python": ""})


def test_friendly_error_pages_are_on_in_development_unless_configured() -> None:
    assert not AppOptions.from_wire({}).friendly_error_pages
    assert AppOptions.from_wire({"app_env": "development"}).friendly_error_pages
    assert not AppOptions.from_wire({"app_env": "development", "friendly_error_pages": "0"}).friendly_error_pages


LIMITS = """address_space_limit user_process_limit app_file_descriptor_ulimit cpu_time_limit app_memory_limit
app_cpu_weight app_process_limit no_new_privileges""".split()


@pytest.mark.parametrize(
    "change",
    [
        {"python": "/x"}, {"app_env": "y"}, {"user": "z"}, {"group": "z"}, {"spawn_method": "direct"},
        *[{name: "1"} for name in LIMITS],
    ],
)  # fmt: skip
def test_what_an_app_process_was_started_with_is_in_the_respawn_key(change: dict[str, str]) -> None:
    assert AppOptions.from_wire(change).respawn_key() != AppOptions().respawn_key()


@pytest.mark.parametrize("change", [{"min_instances": "5"}, {"start_timeout": "5"}, {"max_request_queue_size": "5"}])
def test_what_running_processes_do_not_depend_on_is_not_in_the_respawn_key(change: dict[str, str]) -> None:
    assert AppOptions.from_wire(change).respawn_key() == AppOptions().respawn_key()


@given(st.dictionaries(st.sampled_from([field.name for field in dataclasses.fields(AppOptions)]), st.text()))
def test_any_fields_give_options_or_an_option_error(fields: dict[str, str]) -> None:
    try:
        options = AppOptions.from_wire(fields)
    except OptionError:
        return
    assert AppOptions.from_wire(to_wire(options)) == options
