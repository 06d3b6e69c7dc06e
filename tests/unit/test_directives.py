"""The option table: that it is sane, and that what is generated from it is current."""

from __future__ import annotations

import keyword
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apache_module import generate
from apache_module.directives import DIRECTIVES
from apache_module.ignored_directives import IGNORED
from apache_module.option import Directive, Kind, Scope
from apache_module.render_python import default_value

#: Configurations use them: none may be removed. A new one need not be added here.
RELEASED = """
Enabled AppRoot BaseURI AppType StartupFile Python AppEnv AppGroupName RestartDir SpawnMethod MinInstances MaxPoolSize
MaxInstances MaxInstancesPerApp PoolIdleTime MaxPreloaderIdleTime StartTimeout MaxRequestQueueSize RollingRestarts User
Group DefaultUser DefaultGroup UserSwitching LoadShellEnvvars BufferUpload FriendlyErrorPages CustomErrorPage LogFile
AppLogFile LogLevel DisableLogPrefix InstanceRegistryDir DataBufferDir AllowEncodedSlashes ShowVersionInHeader
SocketBacklog StatThrottleRate PreStart SpawnerConfigFile ConcurrencyModel ThreadCount ErrorOverride MaxRequests
ForceMaxConcurrentRequestsPerProcess MemoryLimit HardMemoryLimit MaxRequestTime MaxRequestQueueTime StickySessions
StickySessionsCookieName StickySessionsCookieAttributes ResistDeploymentErrors ResponseBufferHighWatermark Ctl
""".split()

by_name = {directive.name: directive for directive in DIRECTIVES}
each_directive = pytest.mark.parametrize("directive", DIRECTIVES, ids=lambda directive: str(directive.name))


def test_no_released_directive_is_removed() -> None:
    assert set(RELEASED) - set(by_name) == set()


def test_a_directive_has_one_row() -> None:
    assert len(by_name) == len(DIRECTIVES)


def test_no_directive_both_works_and_is_ignored() -> None:
    working = [name for directive in DIRECTIVES for name in (directive.directive, *directive.aliases)]
    assert len(set(working)) == len(working)
    assert not set(working) & set(IGNORED)
    assert len(set(IGNORED)) == len(IGNORED)


@each_directive
def test_wire_names_are_snake_case_and_no_keywords_of_c_or_python(directive: Directive) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", directive.wire_name)
    assert not keyword.iskeyword(directive.wire_name)
    assert directive.wire_name not in ("register", "struct", "default", "int", "type")


@pytest.mark.parametrize(
    ("name", "wire_name"),
    [("BaseURI", "base_uri"), ("MaxInstancesPerApp", "max_instances_per_app"), ("PreStart", "pre_start")],
)
def test_a_capital_begins_a_word_of_the_wire_name(name: str, wire_name: str) -> None:
    assert by_name[name].wire_name == wire_name


@each_directive
def test_a_default_is_of_the_kind_and_within_the_bounds(directive: Directive) -> None:
    if directive.kind is Kind.FLAG:
        assert isinstance(directive.default, bool) or directive.default_condition is not None
    elif directive.kind is Kind.INTEGER:
        assert type(directive.default) is int
        assert directive.minimum <= directive.default <= directive.maximum
    elif directive.choices is not None and directive.default is not None:
        assert directive.default in directive.choices.values()
    else:
        assert directive.default is None or isinstance(directive.default, str)


@each_directive
def test_a_default_that_is_not_a_value_is_described(directive: Directive) -> None:
    assert (directive.default is None) == bool(directive.default_text)


@each_directive
def test_a_default_that_hangs_on_another_option_names_one_that_has_a_default(directive: Directive) -> None:
    if directive.default_condition is not None:
        other, value = directive.default_condition
        default = default_value(by_name[other], DIRECTIVES)
        assert default is not None
        assert type(value) is type(default)
        assert directive.on_when is None or directive.off_when is None


@each_directive
def test_only_options_that_the_spawner_is_told_bring_a_respawn(directive: Directive) -> None:
    facts = {"AppType", "StartupFile"}  # fields of their own in every registration
    assert directive.on_wire or not directive.respawn or directive.name in facts


@each_directive
def test_nothing_that_concerns_the_spawner_can_be_set_by_a_tenant(directive: Directive) -> None:
    if directive.scope in (Scope.LOCATION, Scope.OPTIONS):
        assert not directive.on_wire
        assert directive.kind is Kind.FLAG, "settings.c checks nothing else without touching shared state"


@each_directive
def test_only_what_says_which_app_is_here_is_for_tenants_whom_the_administrator_allows_it(directive: Directive) -> None:
    what = {"AppRoot", "BaseURI", "AppType", "StartupFile", "Python", "Ruby", "Nodejs", "AppLogFile"}
    assert directive.htaccess == (directive.name in what)
    if directive.htaccess:
        assert directive.scope is Scope.APPLICATION
        assert directive.kind not in (Kind.FLAG, Kind.INTEGER, Kind.SETTINGS), "settings.c does not note such lines"


@each_directive
def test_a_meaning_is_whole_sentences(directive: Directive) -> None:
    assert directive.meaning.lstrip("`")[0].isalpha()
    assert directive.meaning.endswith(".")


def test_the_generated_files_are_current() -> None:
    assert generate.outdated() == []


def test_check_fails_and_names_a_file_that_is_not_current(tmp_path: Path) -> None:
    generate.write(tmp_path)
    assert generate.outdated(tmp_path) == []
    (tmp_path / "docs" / "directives.md").write_text("something else")
    assert generate.outdated(tmp_path) == ["docs/directives.md"]


def test_the_command_writes_what_is_missing_and_checks_without_writing(tmp_path: Path) -> None:
    checkout = Path(generate.CHECKOUT)
    for name in ("apache_module", "spawner"):
        (tmp_path / name).mkdir()
    for source in (checkout / "apache_module").glob("*.py"):
        shutil.copy(source, tmp_path / "apache_module")
    command = [sys.executable, "-m", "apache_module.generate"]
    failed = subprocess.run([*command, "--check"], cwd=tmp_path, capture_output=True, text=True)
    assert failed.returncode == 1
    assert "spawner/options.py is not current" in failed.stderr
    assert not (tmp_path / "spawner" / "options.py").exists()
    assert subprocess.run(command, cwd=tmp_path).returncode == 0
    assert subprocess.run([*command, "--check"], cwd=tmp_path).returncode == 0


def test_the_page_of_directives_names_every_one() -> None:
    page = generate.generated_files()["docs/directives.md"]
    working = [name for directive in DIRECTIVES for name in (directive.directive, *directive.aliases)]
    for name in [*working, *IGNORED]:
        assert name in page
