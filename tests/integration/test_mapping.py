"""Which request goes to which app: DocumentRoot, PassengerAppRoot, PassengerBaseURI, PassengerEnabled."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.applications import AppFolder, AppFolders
from support.serving import CheckedHttpd


def entry_that_says(word: str) -> str:
    return f"""
        def application(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"{word} ", repr((environ["SCRIPT_NAME"], environ["PATH_INFO"])).encode()]
        """


@pytest.fixture(scope="module")
def website(shared_httpd: CheckedHttpd) -> Path:
    """A DocumentRoot without an app, with a few pages."""
    root = shared_httpd.folder / "website" / "htdocs"
    (root / "folder").mkdir(parents=True)
    (root / "page.html").write_text("a page of the website")
    (root / "folder" / "inner.txt").write_text("inner")
    return root


def speaking_app(apps: AppFolders, word: str) -> AppFolder:
    return apps.create(name=word, entry=entry_that_says(word))


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders, website: Path) -> CheckedHttpd:
    """One server with every kind of mapping, each in a site of its own."""
    plain, given, linked, inner, aliased, second = (
        speaking_app(shared_apps, word) for word in ("plain", "given", "linked", "inner", "aliased", "second")
    )
    startup = shared_apps.create(name="startup")
    startup.write("other.py", entry_that_says("startup"))
    (website / "linked").symlink_to(linked.public)
    (website / "linked-not").mkdir()
    (linked.public / "inner").symlink_to(inner.public)
    (website / "relative").symlink_to("../../apps/second/public")
    (website / "dangling").symlink_to("/nonexistent/public")
    shared_httpd.add("PassengerMaxPoolSize 40")
    shared_httpd.site("plain.example", plain.public)
    shared_httpd.site("slash.example", Path(f"{plain.public}/"))
    shared_httpd.site("given.example", website, f'PassengerAppRoot "{given.root}"')
    shared_httpd.site(
        "linked.example",
        website,
        "PassengerBaseURI /linked\nPassengerBaseURI /linked/inner\n"
        "PassengerBaseURI /relative\nPassengerBaseURI /dangling",
    )
    shared_httpd.site(
        "aliased.example",
        website,
        "".join(
            f'Alias {base} "{app.public}"\n<Location {base}>\nPassengerBaseURI {base}\nPassengerAppRoot "{app.root}"\n'
            "</Location>\n"
            for base, app in (("/shop", aliased), ("/second", second))
        ),
    )
    shared_httpd.site(
        "startup.example",
        website,
        f'PassengerAppRoot "{startup.root}"\nPassengerAppType wsgi\nPassengerStartupFile other.py',
    )
    shared_httpd.site("off.example", plain.public, "PassengerEnabled off")
    shared_httpd.site(
        "partly.example",
        plain.public,
        "<Location /quiet>\nPassengerEnabled off\n</Location>\n"
        "<Location /quiet/loud>\nPassengerEnabled on\n</Location>",
    )
    shared_httpd.site("nothing.example", website, "<Directory />\nOptions Indexes\n</Directory>")
    shared_httpd.site("typed.example", website, f'PassengerAppRoot "{startup.root}"')
    shared_httpd.start()
    return shared_httpd


def said(server: CheckedHttpd, host: str, path: str) -> str:
    answer = server.get(path, host)
    assert answer.status == 200, f"{answer.status}: {answer.text}"
    return answer.text


def test_the_app_root_is_the_folder_above_the_document_root(server: CheckedHttpd) -> None:
    assert said(server, "plain.example", "/a/b") == "plain ('', '/a/b')"


def test_a_slash_at_the_end_of_the_document_root_makes_no_difference(server: CheckedHttpd) -> None:
    assert said(server, "slash.example", "/a") == "plain ('', '/a')"


def test_two_sites_with_one_app_root_share_the_app(server: CheckedHttpd) -> None:
    said(server, "plain.example", "/")
    said(server, "slash.example", "/")
    names = [process.cwd() for process in server.app_processes()]
    assert names.count(str(server.folder / "apps" / "plain")) == 2, "one preloader and one worker"


def test_passenger_app_root_wins_over_the_document_root(server: CheckedHttpd) -> None:
    assert said(server, "given.example", "/x") == "given ('', '/x')"


def test_files_of_the_document_root_are_served_beside_an_app_from_elsewhere(server: CheckedHttpd) -> None:
    assert said(server, "given.example", "/page.html") == "a page of the website"


def test_a_base_uri_that_is_a_symlink_leads_to_the_app_of_its_target(server: CheckedHttpd) -> None:
    assert said(server, "linked.example", "/linked/x") == "linked ('/linked', '/x')"


def test_a_base_uri_without_anything_after_it_has_an_empty_path_as_pep_3333_says(server: CheckedHttpd) -> None:
    assert said(server, "linked.example", "/linked") == "linked ('/linked', '')"


def test_a_base_uri_with_a_slash_after_it_has_the_path_slash(server: CheckedHttpd) -> None:
    assert said(server, "linked.example", "/linked/") == "linked ('/linked', '/')"


def test_the_longest_base_uri_that_matches_wins(server: CheckedHttpd) -> None:
    assert said(server, "linked.example", "/linked/inner/x") == "inner ('/linked/inner', '/x')"


def test_a_base_uri_matches_whole_segments_only(server: CheckedHttpd) -> None:
    assert server.get("/linked-not-either", "linked.example").status == 404


def test_a_relative_symlink_is_resolved_from_its_own_folder(server: CheckedHttpd) -> None:
    assert said(server, "linked.example", "/relative/x") == "second ('/relative', '/x')"


def test_a_base_uri_whose_link_leads_nowhere_is_refused_by_httpd_itself(server: CheckedHttpd) -> None:
    server.logs.expect("AH00037")
    assert server.get("/dangling/x", "linked.example").status == 403


def test_the_website_around_a_base_uri_serves_its_own_files(server: CheckedHttpd) -> None:
    assert said(server, "linked.example", "/page.html") == "a page of the website"


def test_the_website_around_a_base_uri_answers_404_itself(server: CheckedHttpd) -> None:
    assert server.get("/none", "linked.example").status == 404


@pytest.mark.parametrize(("base", "word"), [("/shop", "aliased"), ("/second", "second")])
def test_several_apps_of_one_site_are_mounted_by_alias_and_location(server: CheckedHttpd, base: str, word: str) -> None:
    assert said(server, "aliased.example", f"{base}/x/y") == f"{word} ('{base}', '/x/y')"


def test_static_files_of_an_aliased_app_come_from_its_public_folder(server: CheckedHttpd) -> None:
    (server.folder / "apps" / "aliased" / "public" / "style.css").write_text("body {}")
    assert said(server, "aliased.example", "/shop/style.css") == "body {}"


def test_the_site_around_an_aliased_app_serves_its_own_files(server: CheckedHttpd) -> None:
    assert said(server, "aliased.example", "/page.html") == "a page of the website"


def test_a_startup_file_may_have_another_name(server: CheckedHttpd) -> None:
    assert said(server, "startup.example", "/") == "startup ('', '/')"


def test_a_folder_without_an_entry_file_is_no_app(server: CheckedHttpd) -> None:
    assert server.get("/none", "typed.example").status == 404


def test_nothing_is_handled_where_passenger_is_off(server: CheckedHttpd) -> None:
    assert server.get("/a", "off.example").status == 404


def test_nothing_is_handled_in_a_location_where_passenger_is_off(server: CheckedHttpd) -> None:
    assert server.get("/quiet/a", "partly.example").status == 404


def test_the_rest_of_a_site_with_a_quiet_location_goes_to_the_app(server: CheckedHttpd) -> None:
    assert said(server, "partly.example", "/a") == "plain ('', '/a')"


def test_passenger_can_be_on_again_inside_a_quiet_location(server: CheckedHttpd) -> None:
    assert said(server, "partly.example", "/quiet/loud/a") == "plain ('', '/quiet/loud/a')"


def test_a_site_without_an_app_serves_its_files(server: CheckedHttpd) -> None:
    assert said(server, "nothing.example", "/page.html") == "a page of the website"


def test_a_site_without_an_app_answers_404(server: CheckedHttpd) -> None:
    assert server.get("/none", "nothing.example").status == 404


def test_a_site_without_an_app_redirects_to_a_folder(server: CheckedHttpd) -> None:
    assert server.get("/folder", "nothing.example").status == 301


def test_a_site_without_an_app_lists_a_folder(server: CheckedHttpd) -> None:
    assert "inner.txt" in said(server, "nothing.example", "/folder/")


def test_an_answer_of_httpd_itself_does_not_carry_our_headers(server: CheckedHttpd) -> None:
    assert server.get("/page.html", "nothing.example").header("X-Powered-By") is None
