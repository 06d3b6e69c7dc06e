"""A bare Debian 12 tree in namespaces of its own, in which the provision script runs as on a fresh machine.

The tree comes from debootstrap and this machine's own apt mirror, once; it is kept in the user's cache folder together
with the packages that were fetched. Each use works on a copy. The network is the machine's, processes, mounts and host
name are the tree's own: when it is closed, every process in it is killed by the kernel.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, Sequence

CODENAME = "bookworm"
CHECKOUT = Path(__file__).resolve().parents[2]
LEFT_BEHIND = (".git", ".venv", ".demo", "build", ".vagrant", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")

# A path, or a file: URL's, in a value of pip's configuration.
LOCAL_PATH = r"(?<![\w:/.-])(?:file://)?(/[^\s]*)"

# The way into a root file system of one's own, with what programs expect in it.
ENTER = """
mount --bind {root} {root}
cd {root}
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/lock mnt/machine/root
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs dev/shm
{binds}
hostname bare
pivot_root . mnt/machine/root
"""

# What the first process of the tree does then: it reaps what is left to it until the test has ended, in whatever way:
# its standard input ends then.
REAP = """
exec chroot . /bin/sh -ec 'umount -l /mnt/machine/root; exec 3<&0; echo ready; cat <&3 >/dev/null & wait $!'
"""

UNSHARE = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
#: How a machine says that it does not let us: a container that it lacks the right, a chroot that it is no file system.
REFUSALS = r"^unshare: |not permitted|[Pp]ermission denied|Invalid argument"


class BareDebian:
    """One running copy of the tree.

    :param root: its folder.
    :param holder: the process that keeps its namespaces; its only child is the tree's first process.
    :ivar folder: where commands run in it.
    :ivar umask: theirs.
    :ivar variables: environment variables for all of them.
    """

    def __init__(self, root: Path, holder: subprocess.Popen[str]) -> None:
        self.root = root
        self.folder = "/"
        self.umask = 0o022
        self.variables: dict[str, str] = {}
        self._first_process = _child_of(holder.pid)

    def run(self, command: str, seconds: float = 600, **variables: str) -> str:
        """What a shell command in the tree prints, on both streams.

        :param seconds: how long it may take.
        :param variables: environment variables for it.
        :raises AssertionError: it fails; with all that it printed.
        """
        answer = subprocess.run(
            self._enter(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            env=_environment({**self.variables, **variables}),
            umask=self.umask,
        )
        assert answer.returncode == 0, "%s: exit status %d\n%s" % (command, answer.returncode, answer.stdout)
        return answer.stdout

    def start(self, command: str, output: Path) -> subprocess.Popen[bytes]:
        """A shell command in the tree that goes on, in a process group of its own, as from a terminal.

        :param output: the file for what it prints.
        """
        with output.open("wb") as file:
            return subprocess.Popen(
                # The key works also where these tests run in the background of a script, which ignores it.
                ["env", "--default-signal=INT", *self._enter(command)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=_environment(self.variables),
                umask=self.umask,
                start_new_session=True,
            )

    def processes(self) -> list[str]:
        """The command lines of all processes in the tree but its first two and those that list them."""
        listing = self.run("for one in /proc/[0-9]*; do tr '\\0' ' ' <$one/cmdline; echo; done 2>/dev/null || true")
        ours = ("/bin/sh -ec for one in", "/bin/sh -ec umount", "cat ", "tr ")
        return [line for line in listing.splitlines() if line and not line.startswith(ours)]

    def _enter(self, command: str) -> list[str]:
        namespaces = ["--mount", "--pid", "--uts", "--ipc", "--root", "--wdns=" + self.folder]
        return ["nsenter", "--target", str(self._first_process), *namespaces, "/bin/sh", "-ec", command]

    def files(self) -> set[str]:
        """Every path in the tree but those of the kernel, of packages' caches, and of temporary files."""
        listing = self.run(
            "find / -xdev -path /tmp -prune -o -path /var/cache -prune -o -path /vagrant -prune -o -print"
        )
        return set(listing.splitlines())


def refusal() -> str:
    """What this machine says when it does not let us make such a tree, as in a container or a chroot; else nothing.

    :raises AssertionError: it fails for another reason.
    """
    with tempfile.TemporaryDirectory(prefix="jumpseat-tree-") as folder:
        for name in ("proc", "run", "mnt", "dev/pts", "dev/shm"):
            Path(folder, name).mkdir(parents=True)
        script = "mknod {root}/null c 1 3".format(root=shlex.quote(folder)) + ENTER
        tried = subprocess.run(
            [*UNSHARE, "/bin/sh", "-ec", script.format(root=shlex.quote(folder), binds="")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if tried.returncode == 0:
        return ""
    assert re.search(REFUSALS, tried.stderr, re.MULTILINE), "namespaces could not be tried: %s" % tried.stderr
    return " ".join(tried.stderr.split())


@contextlib.contextmanager
def running_tree(with_services: bool, checkout: str = "vagrant", mounts: Sequence[str] = ()) -> Iterator[BareDebian]:
    """A fresh copy of the tree with the checkout in it, until the block ends.

    :param with_services: whether packages that are installed may start their services, as on a fresh machine. Apache
        would take port 80 of this machine, as the network is shared. What `service` starts is not concerned.
    :param checkout: the folder of the tree for the checkout; without the first slash.
    :param mounts: more shell commands of the tree's first process, before it enters the tree.
    """
    cached = _cached_tree()
    with tempfile.TemporaryDirectory(prefix="jumpseat-tree-") as folder:
        root = Path(folder) / "root"
        subprocess.run(["cp", "-a", str(cached), str(root)], check=True)
        shutil.copytree(CHECKOUT, root / checkout, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        if not with_services:
            _forbid_services(root)
        binds = [*_bind_commands(root, checkout), *mounts]
        holder = subprocess.Popen(
            [*UNSHARE, "/bin/sh", "-ec", ENTER.format(root=shlex.quote(str(root)), binds="\n".join(binds)) + REAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "ready\n", "the tree's namespaces could not be made: see above"
            yield BareDebian(root, holder)
        finally:
            holder.kill()  # and with it, by --kill-child, the tree's first process and so all others
            holder.communicate()


def _child_of(pid: int) -> int:
    return int(Path("/proc/%d/task/%d/children" % (pid, pid)).read_text(encoding="ascii").split()[0])


def _cached_tree() -> Path:
    """The tree as debootstrap made it; made now where it is not there yet."""
    sources = _apt_sources()
    name = "debian-%s-%s" % (CODENAME, hashlib.sha256("\n".join(sources).encode()).hexdigest()[:12])
    cache = _cache_folder()
    tree = cache / name
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            partial = Path(tempfile.mkdtemp(prefix=name + "-", dir=cache))
            _debootstrap(partial, sources)
            partial.chmod(0o755)
            partial.rename(tree)
    return tree


def _cache_folder() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jumpseat-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _debootstrap(folder: Path, sources: list[str]) -> None:
    mirror = next(source.split()[-3] for source in sources if source.split()[-2] == CODENAME)
    command = ["debootstrap", "--variant=minbase", CODENAME, str(folder), mirror]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert made.returncode == 0, "%s failed:\n%s" % (shlex.join(command), made.stdout)
    (folder / "etc/apt/sources.list").write_text("\n".join(sources) + "\n", encoding="utf-8")
    (folder / "etc/apt/apt.conf.d/90machine").write_text(_apt_settings(), encoding="utf-8")


def _apt_sources() -> list[str]:
    """The lines of sources.list for Debian 12 with this machine's own mirrors."""
    wanted = (CODENAME, CODENAME + "-updates", CODENAME + "-security")
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    found = sorted({target for target in targets if target.split()[1] in wanted and target.split()[2] == "main"})
    assert any(target.split()[1] == CODENAME for target in found), (
        "apt's sources on this machine name no mirror of Debian 12 (%s): the tree can be made on Debian 12 only"
        % CODENAME
    )
    return ["deb " + target for target in found]


def _apt_settings() -> str:
    """How this machine's apt reaches its mirrors: proxies, certificates, what it does not check."""
    dump = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    kept = [
        line for line in dump.splitlines() if re.match(r"Acquire::(?!IndexTargets|Languages|CompressionTypes)", line)
    ]
    return "\n".join(kept) + '\nBinary::apt::APT::Keep-Downloaded-Packages "true";\n'


def _environment(variables: dict[str, str]) -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": "/root", **_proxies(), **variables}


def _proxies() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if name.lower() in ("http_proxy", "https_proxy", "no_proxy")
    }


def _forbid_services(root: Path) -> None:
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    policy.chmod(0o755)


def _bind_commands(root: Path, name: str) -> list[str]:
    """Mount what the tree shares with the machine: fetched packages, and what pip is configured to read.

    :param name: of the tree; apt lets one tree at a time use a folder of packages.
    """
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    hosts = Path("/etc/hosts").read_text(encoding="utf-8")
    (root / "etc/hosts").write_text(hosts.rstrip("\n") + "\n127.0.0.1 bare\n", encoding="utf-8")
    archives = _cache_folder() / ("archives-" + name.replace("/", "-"))
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    commands = [_bind(archives, root / "var/cache/apt/archives")]
    settings = _pip_settings()
    for path in sorted({path for value in settings.values() for path in re.findall(LOCAL_PATH, value)}):
        if Path(path).is_dir():
            # An index may refer to files beside it.
            folder = Path(path).parent if Path(path).name == "simple" else Path(path)
            commands.append(_bind(folder, root / str(folder).lstrip("/")))
        elif Path(path).exists():  # a certificate: the file of this name in the tree may belong to a package
            place = "/mnt/machine%s" % path
            commands.append(_bind(Path(path), root / place.lstrip("/")))
            settings = {name: value.replace(path, place) for name, value in settings.items()}
    (root / "etc/pip.conf").write_text(_as_pip_conf(settings), encoding="utf-8")
    return commands


def _bind(source: Path, target: Path) -> str:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    return "mount --bind %s %s" % (shlex.quote(str(source)), shlex.quote(str(target)))


def _pip_settings() -> dict[str, str]:
    """What pip is told on this machine, whether by files or by variables: `global.find-links` and so on."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    )
    settings = {}
    for line in listing.stdout.splitlines():
        name, _, value = line.partition("=")
        settings[name.replace(":env:.", "global.")] = str(ast.literal_eval(value))
    return settings


def _as_pip_conf(settings: dict[str, str]) -> str:
    lines = []
    for section in sorted({name.split(".")[0] for name in settings}):
        lines.append("[%s]" % section)
        for name, value in sorted(settings.items()):
            if name.split(".")[0] == section:
                lines.append("%s = %s" % (name.split(".", 1)[1], value.strip().replace("\n", "\n  ")))
    return "\n".join(lines) + "\n"
