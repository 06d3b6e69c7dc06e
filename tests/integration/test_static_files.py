"""Files of public/ are httpd's; everything else is the app's, whatever mod_dir and its relatives think of it."""

from __future__ import annotations

import pytest

from support.applications import AppFolder
from support.serving import CheckedHttpd

BINARY = bytes(range(256)) * 100


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    """The probe with static files, a page cache and folders; at the root, as a sub-URI, under mod_dir's relatives."""
    probe = shared_probe
    probe.write("public/data.bin", BINARY)
    probe.write("public/cached.html", "the cached page")
    probe.write("public/cached/unrelated.txt", "unrelated")
    probe.write("public/dir.html", "the page of the folder")
    probe.write("public/dir/other.txt", "other")
    probe.write("public/indexed/index.html", "the index of the folder")
    probe.write("public/method/some.txt", "a folder of the same name as a route")
    probe.write("public/method.txt", "a file that negotiation would offer")
    shared_httpd.module("negotiation")
    shared_httpd.site(document_root=probe.public)
    shared_httpd.site(
        "sub.example",
        shared_httpd.folder / "run",
        f'Alias /sub "{probe.public}"\n<Location /sub>\nPassengerBaseURI /sub\n'
        f'PassengerAppRoot "{probe.root}"\n</Location>',
    )
    shared_httpd.site(
        "eager.example",
        probe.public,
        "<Directory />\nOptions +Indexes +MultiViews\nDirectoryIndex index.html index.php\n</Directory>",
    )
    shared_httpd.site(
        "denied.example",
        probe.public,
        f'<Directory "{probe.public}/cached">\nRequire all denied\n'
        f'</Directory>\n<Files "cached.html">\nRequire all denied\n</Files>',
    )
    shared_httpd.start()
    return shared_httpd


def test_a_static_file_is_served_byte_for_byte(server: CheckedHttpd) -> None:
    assert server.get("/data.bin").body == BINARY


def test_a_static_file_is_served_by_httpd_itself(server: CheckedHttpd) -> None:
    answer = server.get("/data.bin")
    assert answer.header("ETag")
    assert answer.header("Last-Modified")


def test_head_of_a_static_file_has_its_length(server: CheckedHttpd) -> None:
    answer = server.request("HEAD", "/data.bin")
    assert (answer.header("Content-Length"), answer.body) == (str(len(BINARY)), b"")


def test_a_static_file_is_not_the_apps_for_any_method(server: CheckedHttpd) -> None:
    assert server.request("PUT", "/data.bin", body=b"x").status == 405


def test_a_static_file_of_a_sub_uri_is_served(server: CheckedHttpd) -> None:
    assert server.get("/sub/data.bin", "sub.example").body == BINARY


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_cached_page_is_served_instead_of_the_app(server: CheckedHttpd, method: str) -> None:
    answer = server.request(method, "/cached")
    assert answer.header("Content-Length") == str(len("the cached page"))
    assert (answer.header("Content-Type") or "").startswith("text/html")


def test_a_cached_page_wins_over_a_folder_of_its_name(server: CheckedHttpd) -> None:
    assert server.get("/cached").text == "the cached page"


def test_a_cached_page_serves_requests_with_parameters_too(server: CheckedHttpd) -> None:
    assert server.get("/cached?a=1").text == "the cached page"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_cached_page_does_not_answer_what_is_not_get_or_head(server: CheckedHttpd, method: str) -> None:
    assert server.request(method, "/cached", body=b"").text == method


def test_a_cached_page_of_a_folder_without_slash_is_the_html_file_beside_it(server: CheckedHttpd) -> None:
    assert server.get("/dir").text == "the page of the folder"


def test_a_folder_with_an_index_page_and_a_slash_serves_the_index(server: CheckedHttpd) -> None:
    assert server.get("/indexed/").text == "the index of the folder"


def test_a_page_cache_works_below_a_sub_uri(server: CheckedHttpd) -> None:
    assert server.get("/sub/cached", "sub.example").text == "the cached page"


def test_an_index_page_in_public_answers_for_the_root(server: CheckedHttpd, shared_probe: AppFolder) -> None:
    shared_probe.write("public/index.html", "the static front page")
    assert server.get("/").text == "the static front page"
    (shared_probe.public / "index.html").unlink()
    assert server.get("/").text == "the probe's front page"


def test_an_index_page_in_public_answers_for_the_base_uri(server: CheckedHttpd, shared_probe: AppFolder) -> None:
    shared_probe.write("public/index.html", "the static front page")
    answer = server.get("/sub/", "sub.example")
    (shared_probe.public / "index.html").unlink()
    assert answer.text == "the static front page"


def test_a_page_that_appears_later_is_served_from_then_on(server: CheckedHttpd, shared_probe: AppFolder) -> None:
    assert server.get("/pid").text.isdigit()
    shared_probe.write("public/pid.html", "a page now")
    assert server.get("/pid").text == "a page now"
    (shared_probe.public / "pid.html").unlink()
    assert server.get("/pid").text.isdigit()


def test_a_folder_of_public_without_index_belongs_to_the_app(server: CheckedHttpd) -> None:
    assert server.get("/method").text == "GET"


def test_a_folder_of_public_is_not_redirected_to_a_slash(server: CheckedHttpd) -> None:
    assert server.get("/method", "eager.example").status == 200


def test_a_folder_of_public_is_not_listed(server: CheckedHttpd) -> None:
    assert server.get("/method/", "eager.example").text == "GET"


def test_the_root_is_the_apps_also_where_folders_are_listed(server: CheckedHttpd) -> None:
    assert server.get("/", "eager.example").text == "the probe's front page"


def test_what_negotiation_cannot_find_is_the_apps(server: CheckedHttpd) -> None:
    assert server.get("/pid", "eager.example").text.isdigit()


def test_access_rules_hold_for_cached_pages(server: CheckedHttpd) -> None:
    server.logs.expect("AH01630")
    assert server.get("/cached", "denied.example").status == 403


def test_what_is_below_a_file_is_the_apps(server: CheckedHttpd) -> None:
    assert server.get("/method/deeper/still", "eager.example").text == "GET"


def test_a_conditional_request_for_a_static_file_is_answered_304(server: CheckedHttpd) -> None:
    tag = server.get("/data.bin").header("ETag") or ""
    assert server.get("/data.bin", if_none_match=tag).status == 304


def test_the_entry_file_is_not_reachable_through_the_site(server: CheckedHttpd) -> None:
    server.logs.allow("AH10244")
    with server.client() as client:
        assert b"application" not in client.get("/../passenger_wsgi.py").body
