"""What these tests need of the machine, and the tree in which the README's two commands run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))  # they take ports as those with a private httpd do

from bare_debian import BareDebian, refusal, running_tree

#: As Debian makes root's home, nobody else can enter it.
CLOSED = "root/jumpseat"
SMALL = "mount -t tmpfs -o size=8m,mode=1777 tmpfs tmp"


@pytest.fixture(scope="session", autouse=True)
def machine_allows_namespaces() -> None:
    """Skip these tests, and no others, where the kernel or a container forbids what they stand on."""
    assert os.geteuid() == 0, "these tests make namespaces: run them as root, sudo make provision-test"
    said = refusal()
    if said:
        pytest.skip("namespaces with a file system of their own cannot be made here (a container, a chroot?): " + said)


@pytest.fixture(scope="session")
def tree(machine_allows_namespaces: None) -> Iterator[BareDebian]:
    """A machine with git and make, on which nothing was set up yet, and which makes it as hard as it can.

    The checkout is in root's home, closed to all others; the umask lets them read nothing that is made; /tmp is small;
    the terminal can do nothing.
    """
    with running_tree(with_services=True, checkout=CLOSED, mounts=[SMALL]) as tree:
        tree.run("apt-get -qq update && apt-get -qq install -y --no-install-recommends git make >/dev/null")
        tree.run("chmod -R go= /%s && [ $(stat -c %%a /root) = 700 ]" % CLOSED)
        tree.folder, tree.umask = "/" + CLOSED, 0o077
        tree.variables = {"TERM": "dumb", "LANG": "de_DE", "NO_COLOR": "1"}
        yield tree
