"""Builds `mod_passenger.so`: `python -m apache_module.build [--output DIR] [--sanitize]`.

The C sources are compiled against the headers that `apxs` names. cffi's embedding API adds the one function that is
written in Python (`embedding.py`) and is called in the forked spawner only. The object is linked to the shared
libpython of the interpreter that runs this.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shlex
import shutil
import subprocess  # nosec B404  # the build runs compilers
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional, Union

import cffi

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent
SOURCES = PACKAGE / "src"
DEFAULT_OUTPUT = CHECKOUT / "build"
MODULE_FILE = "mod_passenger.so"

WARNINGS = ["-Wall", "-Wextra", "-Werror"]
HARDENING = ["-O2", "-g", "-fstack-protector-strong", "-fstack-clash-protection"]
HARDENING += ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"]
SANITIZERS = ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# nodelete: the object is never unloaded. The parent's handles, fork handler and Python outlive each restart of httpd.
LINKING = ["-shared", "-Wl,-z,nodelete", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]

EXPORTS = "{ global: passenger_module; local: *; };\n"

# cffi runs this at the first call of the function.
INIT_CODE = """
import site
import sys

sys.argv = ["jumpseat-spawner"]
sys.executable = {executable!r}
known = len(sys.path)
for folder in {site_packages!r}:
    site.addsitedir(folder)
sys.path[:] = [{checkout!r}] + sys.path[known:] + sys.path[:known]
import apache_module.embedding
"""


class BuildError(Exception):
    """Something that the build needs is missing or has failed. The text says what, and how to get it."""


def _run(command: list[str]) -> str:
    """The command's standard output."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # nosec B603  # a list of words, without a shell
    if done.returncode != 0:
        raise BuildError("%s failed:\n%s%s" % (shlex.join(command), done.stdout, done.stderr))
    return done.stdout


def _find_program(names: list[str], variable: str, remedy: str) -> str:
    given = os.environ.get(variable)
    folders = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"
    for name in [given] if given else names:
        path = shutil.which(name, path=folders)
        if path:
            return path
    raise BuildError("%s is missing: %s" % (given or " or ".join(names), remedy))


def _apache_flags() -> list[str]:
    apxs = _find_program(
        ["apxs2", "apxs"], "APXS", "install apache2-dev (Debian, Ubuntu) or httpd-devel (Fedora, RHEL)"
    )
    names = ["INCLUDEDIR", "APR_INCLUDEDIR", "APU_INCLUDEDIR", "APR_CONFIG"]
    *folders, apr_config = [_run([apxs, "-q", name]).strip() for name in names]
    return ["-I" + folder for folder in folders] + shlex.split(_run([apr_config, "--cppflags"]))


def _python_flags() -> tuple[list[str], list[str]]:
    """The flags for compiling and linking that embed the interpreter that runs this."""
    settings = sysconfig.get_config_vars()
    folder, version = str(settings["LIBDIR"]), str(settings["LDVERSION"])
    include = sysconfig.get_path("include")
    if not settings.get("Py_ENABLE_SHARED"):
        raise BuildError(
            "%s has no shared libpython: use a Python built with --enable-shared (with pyenv: "
            "PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install ...) or the system's python3" % sys.executable
        )
    if not (Path(include) / "Python.h").is_file():
        raise BuildError("%s/Python.h is missing: install python3-dev (Debian, Ubuntu) or python3-devel" % include)
    if not (Path(folder) / ("libpython%s.so" % version)).exists():
        raise BuildError("%s/libpython%s.so is missing: install python3-dev or python3-devel" % (folder, version))
    linking = ["-L" + folder, "-lpython" + version]
    if not _in_standard_folder(folder):
        linking.append("-Wl,-rpath," + folder)
    return ["-isystem", include], linking


def _in_standard_folder(folder: str) -> bool:
    return Path(folder).resolve().parts[:3] in {("/", "usr", name) for name in ("lib", "lib64")}


def _version() -> str:
    namespace: dict[str, str] = {}
    exec((CHECKOUT / "spawner" / "version.py").read_text(encoding="utf-8"), namespace)  # nosec B102  # a file of this checkout
    return namespace["VERSION"]


def _site_packages() -> list[str]:
    """The folders that this interpreter's own packages are in."""
    return list(dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]))


def _write_embedding(path: Path, site_packages: list[str]) -> None:
    """The C file in which cffi defines `jumpseat_spawner_main`."""
    ffi = cffi.FFI()
    ffi.embedding_api("int jumpseat_spawner_main(const char *parameters, size_t length);")
    ffi.set_source("_jumpseat_embedding", "")
    ffi.embedding_init_code(
        INIT_CODE.format(executable=sys.executable, site_packages=site_packages, checkout=str(CHECKOUT))
    )
    # It prints what it does.
    with contextlib.redirect_stdout(io.StringIO()):
        ffi.emit_c_code(str(path))


def _sources() -> list[Path]:
    return sorted(SOURCES.rglob("*.c"))


def _compile_all(jobs: list[tuple[Path, list[str]]], objects: Path, compiler: list[str]) -> list[str]:
    """The object files of the sources, each compiled with its flags."""

    def compile_one(number: int, job: tuple[Path, list[str]]) -> str:
        source, flags = job
        target = objects / ("%d-%s.o" % (number, source.stem))
        _run([*compiler, *flags, "-c", str(source), "-o", str(target)])
        return str(target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile_one, range(len(jobs)), jobs))


def build(
    output_directory: Union[str, Path] = DEFAULT_OUTPUT,
    sanitize: bool = False,
    site_packages: Optional[list[str]] = None,
) -> Path:
    """Build the module.

    :param output_directory: where mod_passenger.so goes; made when missing.
    :param sanitize: with AddressSanitizer and UndefinedBehaviorSanitizer, for tests.
    :param site_packages: where the spawner's packages will be; by default, those of this interpreter.
    :returns: the path of the module.
    :raises BuildError: when something is missing or does not compile.
    """
    output = Path(output_directory).resolve()
    output.mkdir(parents=True, exist_ok=True)
    remedy = "install gcc (Debian, Ubuntu: apt-get install gcc libc6-dev)"
    compiler = [_find_program(["cc", "gcc"], "CC", remedy), "-fPIC"] + (SANITIZERS if sanitize else HARDENING)
    extra = shlex.split(os.environ.get("CFLAGS", ""))
    include, linking = _python_flags()
    packages = site_packages or _site_packages()
    facts = {"PYTHON_HOME": sys.base_prefix, "SITE_PACKAGES": packages[0], "VERSION": _version()}
    defines = ['-DJUMPSEAT_%s="%s"' % fact for fact in facts.items()]
    ours = ["-std=c11", "-D_GNU_SOURCE", "-I%s" % SOURCES, *WARNINGS, *_apache_flags(), *include, *defines, *extra]
    with tempfile.TemporaryDirectory(prefix="jumpseat-build-") as name:
        folder = Path(name)
        _write_embedding(folder / "jumpseat_embedding.c", packages)
        (folder / "exports").write_text(EXPORTS, encoding="ascii")
        jobs = [(source, ours) for source in _sources()] + [(folder / "jumpseat_embedding.c", include)]
        objects = _compile_all(jobs, folder, compiler)
        # Link to a new file, then rename it: a running httpd keeps the file that it has mapped.
        fresh = output / (MODULE_FILE + ".new")
        script = "-Wl,--version-script,%s" % (folder / "exports")
        _run([*compiler, *LINKING, script, *objects, "-o", str(fresh), *linking])
        fresh.replace(output / MODULE_FILE)
    return output / MODULE_FILE


def module_config_lines(build_directory: Union[str, Path] = DEFAULT_OUTPUT) -> list[str]:
    """The lines of an httpd.conf that load the module that was built there.

    :raises BuildError: when there is none.
    """
    module = Path(build_directory).resolve() / MODULE_FILE
    if not module.is_file():
        raise BuildError("%s is missing: run `make setup`" % module)
    return ['LoadModule passenger_module "%s"' % module]


def main() -> int:
    """The command line: 0, or 1 with one line that says what is missing."""
    parser = argparse.ArgumentParser(prog="python -m apache_module.build", description="Builds mod_passenger.so.")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="folder for mod_passenger.so")
    parser.add_argument("--sanitize", action="store_true", help="with AddressSanitizer and UndefinedBehaviorSanitizer")
    arguments = parser.parse_args()
    try:
        print(build(arguments.output, arguments.sanitize))
    except BuildError as error:
        print("error: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
