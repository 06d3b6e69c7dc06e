"""What httpd's configuration may say of ours: values, places, and the words when something is wrong."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from apache_module.ignored_directives import IGNORED
from support.applications import AppFolder
from support.serving import CheckedHttpd
from support.status import group

ConfigTest = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def configtest(httpd: CheckedHttpd) -> ConfigTest:
    """Answers `httpd -t` for a configuration with the text added."""

    def ask(text: str) -> subprocess.CompletedProcess[str]:
        httpd.configuration.globals = [text]
        return httpd.test_configuration()

    return ask


def line_of(httpd: CheckedHttpd, text: str) -> int:
    """The line of httpd.conf that holds the text."""
    lines = (httpd.folder / "httpd.conf").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


BAD_VALUES = [
    ("PassengerEnabled maybe", "must be On or Off"),
    ("PassengerUserSwitching 1", "must be On or Off"),
    ("PassengerMaxPoolSize 0", "from 1 to 65535, not '0'"),
    ("PassengerMaxPoolSize 65536", "from 1 to 65535"),
    ("PassengerMaxPoolSize -1", "from 1 to 65535"),
    ("PassengerMaxPoolSize 6x", "from 1 to 65535"),
    ('PassengerMaxPoolSize ""', "takes one argument"),
    ("PassengerStartTimeout 0", "from 1 to 2147483647"),
    ("PassengerStartTimeout 2147483648", "from 1 to 2147483647"),
    ("PassengerStartTimeout 99999999999999999999", "from 1 to 2147483647"),
    ("PassengerLogLevel 8", "from 0 to 7"),
    ("PassengerSpawnMethod fork", "one of smart, smart-lv2, direct, conservative, not 'fork'"),
    ("PassengerAppType meteor", "one of wsgi, python, rack, ruby, node, nodejs, program, generic, not 'meteor'"),
    ("PassengerUser no-such-user", "there is no user 'no-such-user'"),
    ("PassengerUser root", "never run as 'root'"),
    ("PassengerUser 0", "never run as '0'"),
    ("PassengerDefaultUser no-such-user", "there is no user"),
    ("PassengerGroup no-such-group", "there is no group 'no-such-group'"),
    ("PassengerGroup 0", "never run in group"),
    ("PassengerDefaultGroup !STARTUP_FILE!", "there is no group"),
    ("PassengerPython /no/such/python", "no program /no/such/python"),
    ("PassengerPython no-such-python", "no program 'no-such-python' in PATH"),
    ("PassengerPython /usr", "no program /usr"),
    ("PassengerPython /etc/passwd", "no program /etc/passwd that can be executed"),
    ("PassengerAppRoot /no/such/folder", "No such file or directory"),
    ("PassengerAppRoot /etc/passwd", "not a folder"),
    ("PassengerDataBufferDir /no/such/folder", "No such file or directory"),
    ("PassengerCustomErrorPage /no/such/page.html", "No such file or directory"),
    ("PassengerCustomErrorPage /etc", "not a regular file"),
    ("PassengerLogFile /no/such/folder/log", "No such file or directory"),
    ("PassengerAppLogFile /etc", "is a folder"),
    ("PassengerSpawnerConfigFile /no/such/file", "No such file or directory"),
    ("PassengerInstanceRegistryDir /no/such/folder/run", "No such file or directory"),
    ("PassengerInstanceRegistryDir /etc/passwd", "not a folder"),
    ("PassengerStartupFile /srv/app.py", "below the app root"),
    ("PassengerStartupFile ../app.py", "below the app root"),
    ("PassengerStartupFile app/", "below the app root"),
    ('PassengerAppEnv ""', "takes one argument"),
    ('PassengerAppGroupName ""', "takes one argument"),
    ('PassengerAppGroupName "a\tb"', "control characters"),
    ("PassengerAppGroupName " + "g" * 1025, "longer than 1024"),
    ('PassengerRestartDir ""', "takes one argument"),
    ("PassengerBaseURI shop", "must begin with a slash"),
    ("PassengerBaseURI /shop/", "must not end with a slash"),
    ("PassengerBaseURI /shop//x", "plain path"),
    ("PassengerBaseURI /shop/../x", "plain path"),
    ("RackBaseURI shop", "must begin with a slash"),
    ("RailsBaseURI shop", "must begin with a slash"),
    ("RailsSpawnMethod fork", "one of smart, smart-lv2, direct, conservative, not 'fork'"),
    ("RailsMaxPoolSize 0", "from 1 to 65535, not '0'"),
    ("RailsMaxInstancesPerApp -1", "from 0 to 65535"),
    ("RailsPoolIdleTime -1", "from 0"),
    ("RailsAppSpawnerIdleTime -1", "from 0"),
    ("RailsUserSwitching 1", "must be On or Off"),
    ("RailsDefaultUser root", "never run as 'root'"),
    ("PassengerDebugLogFile /no/such/folder/log", "No such file or directory"),
    ("PassengerPreStart shop.example", "must be a URL"),
    ("PassengerPreStart ftp://shop.example/", "must be a URL"),
    ("PassengerPreStart http:///x", "must be a URL"),
    ("PassengerAppRoot", "takes one argument"),
]


@pytest.mark.parametrize(("line", "words"), BAD_VALUES, ids=lambda text: str(text)[:60])
def test_a_bad_value_stops_the_configtest_with_directive_file_and_line(
    httpd: CheckedHttpd, configtest: ConfigTest, line: str, words: str
) -> None:
    answer = configtest(line)
    assert answer.returncode != 0
    assert words in answer.stdout
    assert f"on line {line_of(httpd, line)} of {httpd.folder}/httpd.conf" in answer.stdout
    assert line.split()[0] in answer.stdout.partition("httpd.conf")[2]


GOOD_VALUES = [
    "PassengerEnabled off",
    "PassengerMaxPoolSize 1",
    "PassengerMaxPoolSize 65535",
    "PassengerPoolIdleTime 0",
    "PassengerStartTimeout 2147483647",
    "PassengerSpawnMethod conservative",
    "PassengerSpawnMethod Smart-LV2",
    "PassengerAppType python",
    "PassengerUser www-data",
    "PassengerUser 33",
    "PassengerGroup !STARTUP_FILE!",
    "PassengerGroup www-data",
    "PassengerPython python3",
    "PassengerPython /usr/bin/python3",
    "PassengerAppRoot /usr/",
    "PassengerStartupFile config/wsgi.py",
    "PassengerRestartDir /var/restart",
    "PassengerLogFile /dev/null",
    "PassengerBaseURI /",
    "PassengerBaseURI /shop",
    "PassengerBaseURI /shop/inner",
    'PassengerBaseURI "/with space"',
    "PassengerPreStart https://user:secret@shop.example:8443/x?y",
    'PassengerAppGroupName "shop (production)"',
]


@pytest.mark.parametrize("line", GOOD_VALUES)
def test_a_value_that_can_be_right_is_accepted(configtest: ConfigTest, line: str) -> None:
    answer = configtest(line)
    assert answer.stdout.strip() == "Syntax OK"
    assert answer.returncode == 0


def test_a_relative_path_is_below_the_server_root(httpd: CheckedHttpd, configtest: ConfigTest) -> None:
    (httpd.folder / "shop").mkdir()
    assert "Syntax OK" in configtest("PassengerAppRoot shop").stdout
    assert f"{httpd.folder}/store: No such" in configtest("PassengerAppRoot store").stdout


def test_an_interpreter_that_nobody_may_execute_is_none(httpd: CheckedHttpd, configtest: ConfigTest) -> None:
    program = httpd.folder / "python"
    program.write_text("#!/bin/sh\n")
    assert "no program" in configtest(f"PassengerPython {program}").stdout
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert "Syntax OK" in configtest(f"PassengerPython {program}").stdout


def test_the_registry_may_be_made_later_but_must_leave_room_for_socket_names(
    httpd: CheckedHttpd, configtest: ConfigTest
) -> None:
    room = 107 - len("/httpd-4194304/apps/0123456789abcdef.0123456789abcdef.sock")
    fits = f"{httpd.folder}/".ljust(room, "r")
    assert "Syntax OK" in configtest(f"PassengerInstanceRegistryDir {fits}").stdout
    answer = configtest(f"PassengerInstanceRegistryDir {fits}r")
    assert answer.returncode != 0
    assert f"PassengerInstanceRegistryDir: {fits}r has {room + 1} bytes" in answer.stdout


def test_a_registry_that_others_could_rename_stops_the_configtest(httpd: CheckedHttpd, configtest: ConfigTest) -> None:
    above = httpd.folder / "above"
    (above / "registry").mkdir(parents=True)
    line = f"PassengerInstanceRegistryDir {above}/registry"
    assert "Syntax OK" in configtest(line).stdout
    for path in (above, above / "registry"):
        path.chmod(0o777)
        answer = configtest(line)
        assert f"{path} has mode 0777, so that other users could rename what is in it" in answer.stdout
        assert f"on line {line_of(httpd, line)} of {httpd.folder}/httpd.conf" in answer.stdout
        assert answer.returncode != 0
        path.chmod(0o1777)
        assert "Syntax OK" in configtest(line).stdout
    if os.geteuid() == 0:
        os.chown(above, 65534, 65534)
        assert f"{above} belongs to user nobody, who could replace what is below it" in configtest(line).stdout


def test_a_registry_behind_a_link_of_another_user_stops_the_configtest(
    httpd: CheckedHttpd, configtest: ConfigTest
) -> None:
    (httpd.folder / "real" / "registry").mkdir(parents=True)
    link = httpd.folder / "link"
    link.symlink_to("real")
    assert "Syntax OK" in configtest(f"PassengerInstanceRegistryDir {link}/registry").stdout
    assert f"{link} is a link and not a folder" in configtest(f"PassengerInstanceRegistryDir {link}").stdout
    if os.geteuid() == 0:
        os.lchown(link, 65534, 65534)
        answer = configtest(f"PassengerInstanceRegistryDir {link}/registry")
        assert f"{link} belongs to user nobody" in answer.stdout


def test_a_registry_that_cannot_be_made_stops_the_configtest(configtest: ConfigTest) -> None:
    answer = configtest("PassengerInstanceRegistryDir /proc/registry")
    assert "cannot make a folder in /proc: " in answer.stdout
    assert answer.returncode != 0


FORBIDDEN_PLACES = [
    ("<Files x>\nPassengerAppRoot /usr\n</Files>", "PassengerAppRoot cannot occur within <Files> section"),
    ("<FilesMatch x>\nPassengerUser www-data\n</FilesMatch>", "PassengerUser cannot occur within <FilesMatch> section"),
    ("<If true>\nPassengerPython python3\n</If>", "PassengerPython cannot occur within <If> section"),
    ("<Directory /usr>\n<If true>\nPassengerAppEnv x\n</If>\n</Directory>", "PassengerAppEnv cannot occur within <If>"),
    ("<Directory /usr>\nPassengerMaxPoolSize 3\n</Directory>", "PassengerMaxPoolSize not allowed in <Directory>"),
    ("<Location />\nPassengerUserSwitching off\n</Location>", "PassengerUserSwitching not allowed in <Location>"),
    ("<Files x>\nPassengerLogLevel 3\n</Files>", "PassengerLogLevel not allowed in <Files>"),
]


@pytest.mark.parametrize(("text", "words"), FORBIDDEN_PLACES, ids=lambda text: str(text).replace("\n", " ")[:50])
def test_a_directive_in_a_place_that_is_not_its_own_stops_the_configtest(
    configtest: ConfigTest, text: str, words: str
) -> None:
    answer = configtest(text)
    assert answer.returncode != 0
    assert words in answer.stdout


@pytest.mark.parametrize("section", ["<VirtualHost *:1>", "<Directory /usr>", "<Location /x>", "<LocationMatch x>"])
def test_what_concerns_an_app_may_stand_in_every_section_that_selects_one(configtest: ConfigTest, section: str) -> None:
    end = "</" + re.split(r"[ >]", section[1:])[0] + ">"
    lines = "PassengerAppRoot /usr\nPassengerEnabled on\nPassengerBaseURI /x\nPassengerAllowEncodedSlashes on"
    assert configtest(f"{section}\n{lines}\n{end}").stdout.strip() == "Syntax OK"


def test_what_concerns_a_location_may_stand_in_files_and_if(configtest: ConfigTest) -> None:
    answer = configtest("<Files x>\nPassengerEnabled off\n</Files>\n<If false>\nPassengerBufferUpload off\n</If>")
    assert answer.stdout.strip() == "Syntax OK"


def test_a_server_wide_directive_in_a_virtual_host_brings_one_warning_with_file_and_line(
    httpd: CheckedHttpd, configtest: ConfigTest
) -> None:
    answer = configtest("<VirtualHost *:1>\nPassengerMaxPoolSize 9\n</VirtualHost>")
    assert answer.returncode == 0
    place = f"({httpd.folder}/httpd.conf:{line_of(httpd, 'PassengerMaxPoolSize')})"
    warning = "PassengerMaxPoolSize stands in a <VirtualHost> but holds for the whole server " + place
    assert answer.stdout.count(warning) == 1


def test_every_directive_without_effect_is_accepted_anywhere_with_one_warning_each(configtest: ConfigTest) -> None:
    lines = "\n".join(f'{name} some "quoted value" 3' for name in IGNORED)
    answer = configtest(f"{lines}\n<VirtualHost *:1>\n{lines}\n</VirtualHost>\n<Directory /usr>\n{lines}\n</Directory>")
    assert answer.returncode == 0
    assert re.findall(r"JS1001: (\w+) has no effect", answer.stdout) == list(IGNORED)


@pytest.mark.parametrize("name", ["RackEnv", "RailsEnv"])
def test_an_older_name_of_a_directive_has_the_effect_of_the_newer_one(
    httpd: CheckedHttpd, probe: AppFolder, name: str
) -> None:
    httpd.site(document_root=probe.public, body=f"{name} staging\nRailsSpawnMethod direct")
    httpd.start()
    assert httpd.get("/").status == 200
    found = group(httpd)
    assert (found["environment"], found["spawn_method"]) == ("staging", "direct")


def test_without_one_of_them_nothing_is_warned_of(configtest: ConfigTest) -> None:
    assert configtest("").stdout.strip() == "Syntax OK"


@pytest.mark.parametrize("line", ["SetEnv NAME value", "PassEnv HOME", "UnsetEnv NAME"])
def test_the_directives_of_mod_env_are_refused_without_it(
    httpd: CheckedHttpd, configtest: ConfigTest, line: str
) -> None:
    assert configtest(line).returncode == 0
    httpd.configuration.modules.remove("env")
    answer = configtest(line)
    assert answer.returncode != 0
    assert f"{line.split()[0]} needs mod_env, which is not loaded" in answer.stdout


def test_a_configtest_starts_nothing(httpd: CheckedHttpd, configtest: ConfigTest) -> None:
    configtest("PassengerPreStart http://127.0.0.1/")
    assert os.listdir(httpd.run_folder) == []


def test_warnings_are_said_once_when_httpd_starts(httpd: CheckedHttpd) -> None:
    httpd.add("PassengerTurbocaching on\nPassengerTurbocaching off")
    httpd.logs.expect(r"PassengerTurbocaching has no effect")
    httpd.start()
    assert httpd.logs.count("PassengerTurbocaching has no effect") == 1


def site_with_htaccess(httpd: CheckedHttpd, htaccess: str, allow_override: str) -> Path:
    """A site of one file in a folder with that .htaccess."""
    public = httpd.folder / "public"
    public.mkdir()
    (public / "file.txt").write_text("here")
    (public / ".htaccess").write_text(htaccess)
    body = f'<Directory "{public}">\nAllowOverride {allow_override}\n</Directory>'
    httpd.site("site.example", public, body)
    return public


@pytest.mark.parametrize("line", ["PassengerUser www-data", "PassengerMaxPoolSize 3"])
def test_what_would_let_a_tenant_take_from_others_is_refused_in_htaccess(httpd: CheckedHttpd, line: str) -> None:
    public = site_with_htaccess(httpd, line + "\n", "All")
    httpd.start()
    httpd.logs.expect(rf"{public}/\.htaccess: {line.split()[0]} not allowed here")
    assert httpd.get("/file.txt").status == 500


@pytest.mark.parametrize(
    ("line", "allow_override"),
    [
        ("PassengerEnabled off", "Limit"),
        ("PassengerBufferUpload off", "FileInfo"),
        ("PassengerAllowEncodedSlashes on", "Options"),
        ("PassengerTurbocaching off", "Indexes"),
    ],
)
def test_htaccess_may_hold_what_concerns_a_location(httpd: CheckedHttpd, line: str, allow_override: str) -> None:
    site_with_htaccess(httpd, line + "\n", allow_override)
    httpd.start()
    assert httpd.get("/file.txt").text == "here"


def test_htaccess_may_let_encoded_slashes_pass_only_under_allowoverride_options(httpd: CheckedHttpd) -> None:
    site_with_htaccess(httpd, "PassengerAllowEncodedSlashes on\n", "FileInfo")
    httpd.start()
    httpd.logs.expect(r"PassengerAllowEncodedSlashes not allowed here")
    assert httpd.get("/file.txt").status == 500
