"""Libraries of Ruby that the loader knows of: Bundler, the gem of Phusion Passenger, ActiveRecord and Sequel."""

from __future__ import annotations

import re
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Iterator

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.loader_process import Preloader
from tests.conformance.loaders import ruby_loaders

pytestmark = pytest.mark.skipif(not ruby_loaders(), reason="needs Ruby and Rack")

GEMS = """
run ->(_) { [200, {}, [[ENV["BUNDLE_GEMFILE"], defined?(SETUP), *Gem.loaded_specs.keys].join(" ")]] }
"""
GEMFILE = 'source "https://rubygems.org"\ngem "rack"\ngem "tilt"\n'
LOCK = "GEM\n  remote: https://rubygems.org/\n  specs:\n    rack (0.0.1)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  rack\n"

# The extensions that are loaded, though not the library that they belong to.
HALVES = """
without_ending = $LOADED_FEATURES.grep(/\\.so\\z/).map { |path| path.delete_suffix(".so") }
names = without_ending.flat_map do |path|
  $LOAD_PATH.map(&:to_s).select { |folder| path.start_with?("#{folder}/") }.map { |folder| path[folder.size + 1..-1] }
end
HALVES = names.uniq.select do |name|
  library = $LOAD_PATH.map { |folder| "#{folder}/#{name}.rb" }.find { |path| File.exist?(path) }
  library && !$LOADED_FEATURES.include?(library)
end
run ->(_) { [200, {}, ["halves: #{HALVES.join(" ")} of #{names.size}"]] }
"""
# As the library of the gem passenger does it, which `gem "passenger", require: ...` in a Gemfile loads.
PASSENGER = """
module PhusionPassenger
  VERSION_STRING = "5.0.25"
  def self.on_event(name, &block); end
end unless defined?(PhusionPassenger::VERSION_STRING)
"""
USING_PASSENGER = """
BEFORE = PhusionPassenger::VERSION_STRING
require_relative "passenger"
PhusionPassenger.on_event(:starting_worker_process) { |forked| FORKED = forked }
run ->(_) { [200, {}, ["#{BEFORE} #{PhusionPassenger::VERSION_STRING} #{FORKED}"]] }
"""

# Of each library: how it connects, and how it runs a statement and returns the first column.
CONNECTING = {
    "active_record": (
        'ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: "items.db")',
        "ActiveRecord::Base.connection.select_values(sql)",
    ),
    "sequel": ('DB = Sequel.sqlite("items.db")\nMEMORY = Sequel.sqlite', "DB[sql].map { |row| row.values.first }"),
}
DATABASES = """
require "%s"
%s
QUERY = ->(sql) { %s }
QUERY["pragma journal_mode = wal"]
QUERY["create table items (id integer)"]
QUERY["create temporary table of_the_import (id integer)"]
Thread.new { QUERY["select * from items"] }.join # some libraries leave a connection to the thread, though it has ended
MEMORY.create_table(:kept) { Integer :id } if defined?(MEMORY)

run(lambda do |_|
  QUERY["insert into items values (1)"]
  of_connection = QUERY["select name from sqlite_temp_master"]
  found = [QUERY["select count(*) from items"].first, *of_connection, *(MEMORY.tables if defined?(MEMORY))]
  [200, {}, [found.join(" ")]]
end)
"""


@pytest.fixture
def ruby(tmp_path: Path) -> Iterator[Starter]:
    """A starter of the Ruby loader in an empty app root."""
    (loader,) = ruby_loaders()
    with ExitStack() as stack:
        yield Starter(loader, tmp_path, stack)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# Bundler


@pytest.mark.parametrize("gemfile", ["Gemfile", "gems.rb", "of/others.rb"])
def test_bundler_lets_an_app_have_the_gems_that_its_gemfile_names(ruby: Starter, gemfile: str) -> None:
    write(ruby.folder, {"config.ru": GEMS, gemfile: GEMFILE})
    usual = gemfile in ("Gemfile", "gems.rb")
    process = ruby.start(**({} if usual else {"BUNDLE_GEMFILE": str(ruby.folder / gemfile)}))
    process.serve("config.ru")
    used, *gems = process.get().text.split()
    assert used == str(ruby.folder / gemfile)
    assert {"bundler", "rack", "tilt"} <= set(gems)
    assert "sinatra" not in gems


def test_a_start_with_a_gemfile_that_does_not_exist_says_which_it_is(ruby: Starter) -> None:
    write(ruby.folder, {"config.ru": GEMS})
    failure = ruby.start(BUNDLE_GEMFILE="/none").load_failure("config.ru")
    assert failure["summary"] == "Bundler::GemfileNotFound: /none not found"


@pytest.mark.parametrize("name", ["config/setup_load_paths.rb", ".bundle/environment.rb"])
def test_a_file_of_the_app_for_its_load_path_takes_the_place_of_bundler(ruby: Starter, name: str) -> None:
    write(ruby.folder, {"config.ru": GEMS, "Gemfile": "gem 'no_such_gem'", name: "SETUP = true"})
    process = ruby.start()
    process.serve("config.ru")
    assert "constant" in process.get().text.split()
    assert "bundler" not in process.get().text.split()


@pytest.mark.parametrize(
    ("files", "summary"),
    [
        ({"Gemfile": GEMFILE + "gem 'no_such_gem'"}, "Bundler::GemNotFound: Could not find gem 'no_such_gem'"),
        ({"Gemfile": "gem 'rack'", "Gemfile.lock": LOCK}, "Bundler::GemNotFound: Could not find rack-0.0.1"),
        ({"Gemfile": "gem 'tilt'"}, "LoadError: cannot load such file -- rack: the app has to have the gem rack"),
    ],
    ids=["missing", "locked", "without-rack"],
)
def test_a_start_that_bundler_refuses_says_which_gem_it_is(
    ruby: Starter, files: dict[str, str], summary: str
) -> None:
    write(ruby.folder, {"config.ru": GEMS, **files})
    failure = ruby.start().load_failure("config.ru")
    assert (failure["step"], failure["summary"][: len(summary)]) == ("import the app", summary)


def test_no_library_is_loaded_by_half_before_the_app(ruby: Starter) -> None:
    write(ruby.folder, {"config.ru": HALVES})
    process = ruby.start()
    process.serve("config.ru")
    assert re.fullmatch("halves:  of [1-9][0-9]*", process.get().text), process.get().text


# Phusion Passenger


def test_hooks_run_where_the_app_loads_the_gem_of_passenger(ruby: Starter) -> None:
    write(ruby.folder, {"config.ru": USING_PASSENGER, "passenger.rb": PASSENGER})
    process = ruby.start()
    process.serve("config.ru")
    assert process.get().text == "6.0.17 5.0.25 false"


# Databases


@pytest.fixture(params=CONNECTING)
def preloader(ruby: Starter, request: pytest.FixtureRequest) -> Preloader:
    """A preloader whose app has used a database of SQLite when it was loaded."""
    write(ruby.folder, {"config.ru": DATABASES % (request.param, *CONNECTING[request.param])})
    process = ruby.start()
    process.load("config.ru")
    return process


def test_workers_have_connections_of_their_own_which_last_when_the_preloader_ends(preloader: Preloader) -> None:
    kept = ["kept"] if "MEMORY =" in (preloader.app_root / "config.ru").read_text() else []
    workers = [preloader.fork(), preloader.fork()]
    assert preloader.get().text.split() == ["1", *kept]
    workers[0].retire()
    preloader.retire()
    for process in (workers[0], preloader):
        process.wait_for_end()
    for number in ("2", "3"):
        # A process that finds no lock of another one on the file removes the log when it has finished.
        with closing(sqlite3.connect(preloader.app_root / "items.db")) as other:
            other.execute("select count(*) from items")
        assert preloader.get().text.split() == [number, *kept]
    with closing(sqlite3.connect(preloader.app_root / "items.db")) as other:
        assert other.execute("select count(*) from items").fetchone() == (3,)
