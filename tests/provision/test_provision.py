"""vagrant/provision.sh in a bare Debian 12 tree, up to the answer over HTTP."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from typing import Iterator

import pytest
from bare_debian import BareDebian, running_tree

from support.ports import Port


class Machine:
    """A provisioned tree.

    :ivar files_before: the paths in it before it was provisioned.
    """

    def __init__(self, tree: BareDebian, port: int) -> None:
        self.tree = tree
        self.port = port
        self.files_before = tree.files()

    def provision(self) -> str:
        """What the script prints."""
        return self.tree.run("/vagrant/vagrant/provision.sh", LISTEN="127.0.0.1:%d" % self.port)

    def get(self, path: str) -> str:
        """The body of the answer to a GET.

        :raises AssertionError: it is an error; with Apache's error log.
        """
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.port, path), timeout=60) as answer:
                body: bytes = answer.read()
        except urllib.error.URLError as error:
            raise AssertionError("%s\n%s" % (error, self.tree.run("tail -n 40 /var/log/apache2/error.log"))) from error
        return body.decode("utf-8")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """One machine for all tests of this file: making it takes minutes."""
    with running_tree(with_services=False) as tree, contextlib.ExitStack() as stack:
        port = Port()
        stack.callback(port.release)
        made = Machine(tree, port.number)
        made.provision()
        yield made
        tree.run("service apache2 stop || true")


def test_the_sample_app_answers_on_a_provisioned_machine(machine: Machine) -> None:
    assert "<h1>It works</h1>" in machine.get("/")


def test_the_sample_app_runs_as_the_owner_of_its_entry_file(machine: Machine) -> None:
    owner = machine.tree.run("id -u demo").strip()
    assert "<dt>Runs as user id</dt><dd>%s</dd>" % owner in machine.get("/")


def test_a_file_in_public_is_served_as_it_is(machine: Machine) -> None:
    assert machine.get("/style.css") == machine.tree.run("cat /srv/jumpseat-demo/public/style.css")


def test_status_names_the_app_under_both_of_its_commands(machine: Machine) -> None:
    machine.get("/")
    for command in ("jumpseat status", "passenger-status"):
        assert "/srv/jumpseat-demo (production)" in machine.tree.run(command)


def test_the_installation_is_found_to_be_right(machine: Machine) -> None:
    machine.get("/")
    report = machine.tree.run("jumpseat validate-install || [ $? = 2 ]")
    assert "error   " not in report


def test_every_command_has_a_manual_page_and_completion(machine: Machine) -> None:
    files = machine.tree.files()
    for name in ("jumpseat", "passenger", "passenger-config", "passenger-memory-stats", "passenger-status"):
        machine.tree.run("%s --version" % name)
        share = "/usr/local/share"
        assert "%s/man/man1/%s.1" % (share, name) in files
        assert "%s/bash-completion/completions/%s" % (share, name) in files
        assert "%s/zsh/site-functions/_%s" % (share, name) in files


def test_a_restart_of_the_sample_app_is_waited_for(machine: Machine) -> None:
    machine.get("/")
    assert "the new code serves" in machine.tree.run("jumpseat restart-app /srv/jumpseat-demo --wait")


def test_provisioning_again_leaves_the_configuration_as_it_was_and_the_app_served(machine: Machine) -> None:
    configuration = "cd /etc && find apache2 jumpseat -type f -exec sha256sum {} + | sort; find apache2 -type l | sort"
    before = machine.tree.run(configuration)
    machine.provision()
    assert machine.tree.run(configuration) == before
    assert "<h1>It works</h1>" in machine.get("/")


def test_installing_leaves_no_files_in_the_checkout(machine: Machine) -> None:
    written = machine.tree.run("cd /vagrant && find . -newer /srv/jumpseat-demo/tmp -type f")
    assert written == ""


def test_uninstalling_leaves_nothing_of_ours(machine: Machine) -> None:
    """Last in the file: the machine serves no app after it."""
    machine.tree.run(
        "service apache2 stop; a2dissite -q jumpseat-demo; rm /etc/apache2/sites-available/jumpseat-demo.conf"
    )
    assert any("mod_passenger" in path for path in machine.tree.files())
    machine.tree.run("make -C /vagrant uninstall")
    ours = [path for path in machine.tree.files() - machine.files_before if "jumpseat" in path or "passenger" in path]
    assert [path for path in ours if not path.startswith(("/srv/jumpseat-demo", "/var/"))] == []
    machine.tree.run("apache2ctl configtest")
