"""`jumpseat validate-install`: what each check finds, and the status that follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest
from click.testing import CliRunner
from instance_registry import Registry
from rich.console import Console

from spawner.cli.checks.apache import Apache, Module
from spawner.cli.checks.confinement import PrivateFolders, SecurityModule
from spawner.cli.checks.findings import ERROR, OK, WARNING, Check, Finding
from spawner.cli.checks.folders import RegistryFolders, SpawnerConfiguration
from spawner.cli.checks.installation import Packages, Permissions
from spawner.cli.checks.running import Running, limits_without_effect
from spawner.cli.commands.validate_install import exit_status, validate
from spawner.cli.main import jumpseat


def levels(check: Check) -> dict[str, str]:
    return {finding.subject: finding.level for finding in check.run()}


@pytest.mark.parametrize(
    ("found", "status"), [([OK], 0), ([], 0), ([OK, WARNING], 2), ([OK, WARNING, ERROR], 1), ([ERROR], 1)]
)
def test_the_worst_finding_decides(found: list[str], status: int) -> None:
    assert exit_status([Finding(level, "x", "y") for level in found]) == status


class Broken:
    def run(self) -> Iterator[Finding]:
        raise ZeroDivisionError


def test_a_check_that_fails_itself_ends_with_9() -> None:
    with pytest.raises(SystemExit) as ended:
        validate([Broken()], False, Console(), True)
    assert ended.value.code == 9


def test_everything_that_is_not_right_has_a_remedy(registry: Registry) -> None:
    result = CliRunner().invoke(jumpseat, ["validate-install", "--json", "--registry", str(registry.folder)])
    told = json.loads(result.stdout)
    assert result.exit_code == told["status"]
    assert len(told["findings"]) > 8
    assert [one for one in told["findings"] if one["level"] != OK and not one["remedy"]] == []


def test_this_interpreter_and_its_packages_are_right() -> None:
    assert set(levels(Packages()).values()) == {OK}


def httpd(folder: Path, configuration: str) -> Path:
    path = folder / "httpd.conf"
    text = 'ServerRoot "%s"\nDefaultRuntimeDir "%s"\nServerName localhost\nListen 127.0.0.1:1\nErrorLog /dev/null\n'
    path.write_text(text % (folder, folder) + configuration)
    return path


EVENT = 'LoadModule mpm_event_module "/usr/lib/apache2/modules/mod_mpm_event.so"\n'


def test_a_configuration_that_loads_the_module_is_right(tmp_path: Path) -> None:
    lines = CliRunner().invoke(jumpseat, ["module-config"]).output
    found = levels(Module(Apache("/usr/sbin/apache2", httpd(tmp_path, EVENT + lines))))
    assert found == {"Apache": OK, "Apache's configuration": OK, "module": OK}


def test_a_configuration_without_the_module_is_an_error(tmp_path: Path) -> None:
    found = levels(Module(Apache("/usr/sbin/apache2", httpd(tmp_path, EVENT))))
    assert found["Apache's configuration"] == ERROR


def test_a_configuration_that_cannot_be_read_is_told_in_apache_s_words(tmp_path: Path) -> None:
    apache = Apache("/usr/sbin/apache2", httpd(tmp_path, EVENT + "PassengerNonsense On\n"))
    (finding,) = [one for one in Module(apache).run() if one.subject == "Apache's configuration"]
    assert finding.level == ERROR
    assert "PassengerNonsense" in finding.told


def test_a_module_that_httpd_cannot_load_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "mod_passenger.so").write_text("no object")
    apache = Apache("/usr/sbin/apache2", httpd(tmp_path, EVENT))
    apache.load()
    assert "mod_passenger.so" in apache.try_module(tmp_path / "mod_passenger.so")


def test_a_registry_that_others_may_write_to_is_an_error(tmp_path: Path) -> None:
    assert levels(RegistryFolders([tmp_path])) == {"registry folder": OK}
    tmp_path.chmod(0o777)
    assert levels(RegistryFolders([tmp_path])) == {"registry folder": ERROR}
    tmp_path.chmod(0o1777)
    assert levels(RegistryFolders([tmp_path])) == {"registry folder": OK}


def test_a_registry_that_is_not_there_yet_needs_the_folder_above(tmp_path: Path) -> None:
    assert levels(RegistryFolders([tmp_path / "new"])) == {"registry folder": OK}
    assert levels(RegistryFolders([tmp_path / "none" / "new"])) == {"registry folder": ERROR}


def test_spawner_conf_is_read_as_the_spawner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "spawner.conf"
    assert levels(SpawnerConfiguration(path)) == {"spawner.conf": OK}
    path.write_text("[apps]\nparallel_starts = 3\n")
    assert levels(SpawnerConfiguration(path)) == {"spawner.conf": OK}
    path.write_text("[apps]\nparallel_starts = many\n")
    (finding,) = SpawnerConfiguration(path).run()
    assert (finding.level, "parallel_starts" in finding.told) == (ERROR, True)


def test_a_spawner_conf_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    (finding,) = SpawnerConfiguration(tmp_path / "absent.conf", needed=True).run()
    assert (finding.level, "there is no " in finding.told) == (ERROR, True)


def test_an_httpd_that_was_named_has_to_be_there() -> None:
    (finding,) = Module(Apache("/nowhere/httpd")).run()
    assert (finding.level, finding.told) == (ERROR, "there is no program /nowhere/httpd")


def test_selinux_that_enforces_is_a_warning(tmp_path: Path) -> None:
    switch = tmp_path / "enforce"
    assert levels(SecurityModule(switch)) == {"SELinux": OK}
    switch.write_text("1")
    assert levels(SecurityModule(switch)) == {"SELinux": WARNING}


@pytest.mark.parametrize(("folder", "level"), [("/run/jumpseat", OK), ("/tmp/x", WARNING), ("/var/tmp/x", WARNING)])
def test_a_registry_below_tmp_is_a_warning(folder: str, level: str) -> None:
    assert levels(PrivateFolders(Path(folder))) == {"PrivateTmp": level}


def test_packages_that_everybody_may_change_are_an_error(tmp_path: Path) -> None:
    for folder in ("loaders/python", "shared"):
        (tmp_path / "spawner" / folder).mkdir(parents=True)
    assert levels(Permissions(tmp_path))["packages' rights"] == OK
    (tmp_path / "spawner").chmod(0o777)
    assert levels(Permissions(tmp_path))["packages' rights"] == ERROR


def test_a_limit_that_the_machine_does_not_enforce_is_a_warning_and_comes_once() -> None:
    limits = {
        "PassengerAppMemoryLimit": {"value": 100, "without_effect": "no controller"},
        "PassengerCpuTimeLimit": {"value": 5, "without_effect": None},
    }
    (finding,) = limits_without_effect("httpd-1", [{"limits": limits}, {"limits": limits}, {"limits": {}}, {}])
    assert (finding.level, finding.subject) == (WARNING, "httpd-1")
    assert finding.told == "PassengerAppMemoryLimit has no effect: no controller"
    assert "docs/shared-hosting.md" in finding.remedy


def test_an_instance_that_does_not_answer_is_an_error(registry: Registry) -> None:
    assert levels(Running([registry.folder])) == {"instances": WARNING}
    registry.add("httpd-1")
    assert levels(Running([registry.folder])) == {"httpd-1": ERROR}
