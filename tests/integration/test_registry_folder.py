"""The folder of the instances: one where everybody may make names, and one in which no spawner can run."""

from __future__ import annotations

import os
import stat

import pytest

from support.applications import AppFolder
from support.serving import CheckedHttpd
from support.status import run_command, status
from support.waiting import eventually


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
def test_in_a_folder_where_everybody_may_make_names_only_the_true_instance_is_believed(
    httpd: CheckedHttpd, probe: AppFolder
) -> None:
    httpd.run_folder.mkdir(exist_ok=True)
    httpd.run_folder.chmod(0o1777)
    httpd.site(document_root=probe.public)
    httpd.start()
    assert httpd.get("/pid").status == 200
    folder = httpd.instance_folder()
    assert folder.name.startswith(f"httpd-{httpd.pid}-")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    false = httpd.run_folder / f"httpd-{httpd.pid}"  # the name that could be guessed
    false.mkdir()
    (false / "instance.json").write_text((folder / "instance.json").read_text())
    os.chown(false, 65534, 65534)
    assert status(httpd)["instance"]["name"] == folder.name
    assert run_command(httpd, "list-instances").stdout.count("httpd-") == 1
    assert run_command(httpd, "status", str(httpd.pid)).returncode == 0
    (false / "instance.json").unlink()
    false.rmdir()


@pytest.mark.deadline(90)
def test_while_no_spawner_can_run_visitors_read_so_and_the_log_says_what_to_repair(
    httpd: CheckedHttpd, probe: AppFolder
) -> None:
    settings = httpd.folder / "spawner.conf"
    settings.write_text("[apps]\nparallel_starts = many\n")
    httpd.add(f'PassengerSpawnerConfigFile "{settings}"')
    httpd.site(document_root=probe.public)
    httpd.logs.expect("JS3050: the spawner cannot run: .*parallel_starts")
    httpd.logs.expect("JS1034: the spawner .* cannot run until somebody has repaired what its line JS3050 names")
    httpd.logs.expect("JS2084: the spawner cannot be reached at .*: no app can be started; .* what to repair")
    httpd.start()
    answer = httpd.get("/pid")
    assert answer.status == 503
    assert "The application cannot be started at the moment" in answer.text
    assert "too busy" not in answer.text
    settings.write_text("")
    httpd.graceful()
    eventually(lambda: httpd.get("/pid").status == 200, "the app, when the file is repaired")
