"""What a start command says: how it is executed, and by which way connections come to its program."""

from __future__ import annotations

import pytest

from spawner.loaders.program.start_command import (
    NoCommand,
    command_of,
    shell_arguments,
    ways_of,
    without_ours,
)


@pytest.mark.parametrize(
    ("command", "executed"),
    [
        ("./server --port $PORT", "exec ./server --port $PORT"),
        ('./server "a && b"', './server "a && b"'),
        ("A=1 B='x y' ./server", "A=1 B='x y' exec ./server"),
        ("cd app && ./server", "cd app && exec ./server"),
        ("a && b && c d", "a && b && exec c d"),
    ],
)
def test_a_program_replaces_the_shell_where_that_changes_nothing(command: str, executed: str) -> None:
    assert shell_arguments(command) == ["/bin/sh", "-c", executed]


@pytest.mark.parametrize(
    "command",
    [
        "./server | logger",
        "./server; ./clean",
        "./server &",
        "cd app",
        "A=1",
        "cd a && if b; then c; fi",
        "a || b",
        "echo 'a && b'",
        "exec ./server",
        "[ -e a ]",
        "x $(y)",
        "./server # here",
    ],
)
def test_what_is_more_than_one_program_is_left_to_the_shell(command: str) -> None:
    assert shell_arguments(command) == ["/bin/sh", "-c", command]


@pytest.mark.parametrize(
    ("command", "port", "own_socket"),
    [
        ("./server", False, False),
        ("./server $PORT", True, False),
        ("./server --port=${PORT:-80}", True, False),
        ("./server $PORTS", False, False),
        ("./server --listen unix:$PASSENGER_SOCKET", False, True),
        ("./server ${PASSENGER_SOCKET} $PORT", True, True),
    ],
)
def test_a_command_names_the_ways_that_its_program_uses(command: str, port: bool, own_socket: bool) -> None:
    ways = ways_of(command)
    assert (ways.port, ways.own_socket, ways.inherited) == (port, own_socket, not port and not own_socket)


def test_a_program_gets_nothing_of_the_loader() -> None:
    assert without_ours({"HOME": "/srv", "JUMPSEAT_SAVED_1": "x"}) == {"HOME": "/srv"}


def test_a_passengerfile_names_the_command() -> None:
    assert command_of('{"app_start_command": "./server", "other": 1}', "Passengerfile.json") == "./server"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"app_start_command": 3}', '{"app_start_command": " "}'])
def test_a_passengerfile_without_a_command_is_named(text: str) -> None:
    with pytest.raises(NoCommand, match=r"Passengerfile\.json"):
        command_of(text, "Passengerfile.json")
