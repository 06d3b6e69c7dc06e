"""Configuration files of Puma and Unicorn: finding them, and what they say when Ruby evaluates them."""

from __future__ import annotations

import json
import os
import pwd
import subprocess  # nosec B404  # Ruby, with a program of ours
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

from spawner.cli.program import CommandFailed

_PROGRAM = Path(__file__).with_name("record.rb")
_TIMEOUT = 60  # seconds
_ENVIRONMENT_VARIABLES = ("APP_ENV", "RACK_ENV", "RAILS_ENV")  # in the order in which Puma looks at them
_DEFAULT_FILES = (
    "config/puma/{environment}.rb",
    "config/puma.rb",
    "puma.rb",
    "config/unicorn/{environment}.rb",
    "config/unicorn.rb",
    "unicorn.rb",
)


@dataclass(frozen=True)
class Call:
    """One word of a file, as it was said.

    :ivar parameters: how many its block has; None: it has no block.
    :ivar place: file and line: `config/puma.rb:3`.
    """

    word: str
    arguments: tuple[Any, ...]
    parameters: Optional[int]
    file: Path
    place: str

    @property
    def source(self) -> str:
        """The word with its arguments, on one line."""
        written = ", ".join(json.dumps(argument) for argument in self.arguments)
        return " ".join(filter(None, [self.word, written, "{ ... }" if self.parameters is not None else ""]))


@dataclass(frozen=True)
class Recording:
    """What the files say.

    :ivar missing: calls of `require` for libraries that are not installed.
    :ivar ruby: the version of the Ruby that has evaluated them, and `executable` its path.
    """

    files: tuple[Path, ...]
    calls: tuple[Call, ...]
    missing: tuple[Call, ...]
    ruby: str
    executable: str


def environment_of(variables: Mapping[str, str]) -> str:
    """The name of the environment that Puma would use, were it not started by hand."""
    return next((variables[name] for name in _ENVIRONMENT_VARIABLES if variables.get(name)), "production")


def find_files(app_root: Path, environment: str) -> list[Path]:
    """The file that Puma or Unicorn would read; of several the first one.

    :raises CommandFailed: there is none.
    """
    names = [name.format(environment=environment) for name in _DEFAULT_FILES]
    found = [app_root / name for name in names if (app_root / name).is_file()]
    if not found:
        raise CommandFailed("%s has none of %s. Name the file." % (app_root, ", ".join(names)))
    return found[:1]


def app_root_of(file: Path) -> Path:
    """The folder of the app whose configuration a file is: the parent of `config`."""
    folders = file.absolute().parents
    config = next((folder for folder in folders[:2] if folder.name == "config"), None)
    return config.parent if config else folders[0]


def evaluate(files: Sequence[Path], app_root: Path, environment: str, ruby: str) -> Recording:
    """Have Ruby evaluate the files, one after the other, in the app root.

    :raises CommandFailed: they are another user's, there is no Ruby, or one of them fails.
    """
    if os.geteuid() == 0:
        _refuse_files_of_others([app_root, *files])
    variables = {**os.environ, **dict.fromkeys(_ENVIRONMENT_VARIABLES, environment)}
    command = [ruby, str(_PROGRAM), *(str(file.absolute()) for file in files)]
    try:
        done = subprocess.run(  # nosec B603
            command, cwd=app_root, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_TIMEOUT
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except OSError as error:
        raise CommandFailed("%s cannot be executed: %s. Name a Ruby with --ruby." % (ruby, error.strerror)) from None
    except subprocess.TimeoutExpired:
        raise CommandFailed("The file has not been evaluated within %d seconds." % _TIMEOUT) from None
    except ValueError:
        raise CommandFailed(
            "%s has ended with status %d before it had read the file." % (ruby, done.returncode)
        ) from None
    if "error" in answer:
        place = "%s:%s" % (_shown(answer["file"], app_root), answer["line"]) if answer["file"] else str(files[0])
        raise CommandFailed("%s: %s" % (place, answer["error"]))
    calls, missing = (_calls(answer[name], app_root) for name in ("calls", "missing"))
    return Recording(tuple(files), calls, missing, answer["ruby"], answer["executable"])


def _refuse_files_of_others(paths: Sequence[Path]) -> None:
    """A file is a program: who could write it would have root's rights."""
    for path in paths:
        owner = _owner_of(path)
        if owner != 0:
            raise CommandFailed(
                "%s belongs to another user, and this command runs what it says. Run it as this user: "
                "sudo -u %s jumpseat migrate ..." % (path, _name_of_user(owner))
            )


def _owner_of(path: Path) -> int:
    try:
        return path.stat().st_uid
    except OSError as error:
        raise CommandFailed("%s: %s" % (path, error.strerror)) from None


def _name_of_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "'#%d'" % uid


def _calls(told: list[dict[str, Any]], app_root: Path) -> tuple[Call, ...]:
    return tuple(
        Call(
            one["word"],
            tuple(one["arguments"]),
            one["parameters"],
            Path(one["file"]),
            "%s:%d" % (_shown(one["file"], app_root), one["line"]),
        )
        for one in told
    )


def _shown(file: str, app_root: Path) -> str:
    """The path as people write it: relative to the app root if it is in there."""
    path, root = Path(file), app_root.absolute()
    return str(path.relative_to(root)) if path.is_relative_to(root) else file
