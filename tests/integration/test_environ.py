"""The environ of a request: PEP 3333, exact, and nothing in it that a client could forge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.applications import AppFolder
from support.client import Wire
from support.serving import CheckedHttpd

#: What the documents name. Everything else in an environ must come from the request or from the configuration.
STANDARD = {
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "REQUEST_URI",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "wsgi.url_scheme",
}
#: Variables of the Common Gateway Interface that may be there as well.
POSSIBLE = {
    "SERVER_ADDR",
    "DOCUMENT_ROOT",
    "REQUEST_SCHEME",
    "GATEWAY_INTERFACE",
    "SERVER_SIGNATURE",
    "SERVER_ADMIN",
    "CONTEXT_PREFIX",
    "CONTEXT_DOCUMENT_ROOT",
    "SCRIPT_FILENAME",
    "PATH_TRANSLATED",
    "HTTP_HOST",
    "HTTP_ACCEPT_ENCODING",
}


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    shared_httpd.site(document_root=shared_probe.public)
    mount = (
        f'Alias /base "{shared_probe.public}"\n<Location /base>\nPassengerBaseURI /base\n'
        f'PassengerAppRoot "{shared_probe.root}"\n</Location>'
    )
    shared_httpd.site("base.example", shared_httpd.folder / "run", mount)
    shared_httpd.site("slashes.example", shared_probe.public, "AllowEncodedSlashes On\nPassengerAllowEncodedSlashes on")
    shared_httpd.site("decoded.example", shared_probe.public, "AllowEncodedSlashes On")
    shared_httpd.site("undecoded.example", shared_probe.public, "AllowEncodedSlashes NoDecode")
    shared_httpd.site("canonical.example", shared_probe.public, "UseCanonicalName On")
    shared_httpd.start()
    return shared_httpd


def environ(server: CheckedHttpd, path: str = "/environ", host: str = "site.example", **headers: str) -> Any:
    return server.get(path, host, **headers).json()["texts"]


def raw_environ(server: CheckedHttpd, request_line: str, *headers: str, host: str = "site.example") -> Any:
    with Wire(server.port) as wire:
        wire.head(request_line, *headers, "Connection: close", host=host)
        return wire.answer().json()["texts"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/environ"),
        ("QUERY_STRING", ""),
        ("REQUEST_URI", "/environ"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("wsgi.url_scheme", "http"),
        ("HTTP_HOST", "site.example"),
    ],
)
def test_a_plain_request_has_the_variable(server: CheckedHttpd, name: str, value: str) -> None:
    assert environ(server)[name] == value


def test_the_environ_has_nothing_that_is_not_of_the_request(server: CheckedHttpd) -> None:
    assert set(environ(server)) - STANDARD - POSSIBLE == set()


def test_the_environ_has_all_that_every_request_has(server: CheckedHttpd) -> None:
    assert set(environ(server)) >= STANDARD


def test_nothing_of_the_servers_own_is_in_the_environ(server: CheckedHttpd) -> None:
    assert not [name for name in environ(server) if name.startswith(("JUMPSEAT", "PASSENGER", "SCGI"))]


def test_the_wsgi_keys_have_the_types_of_pep_3333(server: CheckedHttpd) -> None:
    types = server.get("/environ").json()["types"]
    assert (types["wsgi.version"], types["wsgi.multithread"], types["wsgi.url_scheme"]) == ("tuple", "bool", "str")


def test_the_wsgi_flags_say_one_request_per_process_at_a_time(server: CheckedHttpd) -> None:
    flags = server.get("/environ").json()["flags"]
    assert (flags["wsgi.multithread"], flags["wsgi.multiprocess"], flags["wsgi.run_once"]) == (False, True, False)


def test_the_wsgi_version_is_1_0(server: CheckedHttpd) -> None:
    assert server.get("/environ").json()["flags"]["wsgi.version"] == [1, 0]


def test_the_environ_says_that_the_input_ends(server: CheckedHttpd) -> None:
    assert server.get("/environ").json()["flags"]["wsgi.input_terminated"] is True


def test_the_environ_is_a_plain_dict(server: CheckedHttpd) -> None:
    assert server.get("/environ").json()["flags"]["exact dict"] is True


def test_the_path_is_decoded_as_pep_3333_says(server: CheckedHttpd) -> None:
    assert environ(server, "/environ/%C3%BC")["PATH_INFO"] == "/environ/Ã¼"


def test_a_space_in_the_path_is_decoded(server: CheckedHttpd) -> None:
    assert environ(server, "/environ/with%20space")["PATH_INFO"] == "/environ/with space"


def test_the_request_uri_is_as_the_client_sent_it(server: CheckedHttpd) -> None:
    path = "/environ/escaped%20string/%C3%BC%2B%3b?a=%2F&b=+%20"
    assert environ(server, path)["REQUEST_URI"] == path


def test_reserved_characters_of_the_path_are_decoded_once_only(server: CheckedHttpd) -> None:
    assert environ(server, "/environ/%2525%3F%23")["PATH_INFO"] == "/environ/%25?#"


def test_raw_bytes_beyond_ascii_in_the_path_arrive_as_latin_1(server: CheckedHttpd) -> None:
    assert raw_environ(server, "GET /environ/\xfc HTTP/1.1")["PATH_INFO"] == "/environ/ü"


def test_the_query_is_as_the_client_sent_it(server: CheckedHttpd) -> None:
    assert environ(server, "/environ?a=%20b&c=%C3%BC&d;e+f")["QUERY_STRING"] == "a=%20b&c=%C3%BC&d;e+f"


def test_an_empty_query_is_an_empty_text(server: CheckedHttpd) -> None:
    assert environ(server, "/environ?")["QUERY_STRING"] == ""


def test_the_base_uri_is_the_script_name(server: CheckedHttpd) -> None:
    assert environ(server, "/base/environ/x", "base.example")["SCRIPT_NAME"] == "/base"


def test_the_base_uri_is_not_in_the_path(server: CheckedHttpd) -> None:
    assert environ(server, "/base/environ/x?q", "base.example")["PATH_INFO"] == "/environ/x"


def test_the_base_uri_is_in_the_request_uri(server: CheckedHttpd) -> None:
    assert environ(server, "/base/environ/x?q", "base.example")["REQUEST_URI"] == "/base/environ/x?q"


def test_an_encoded_slash_is_refused_where_httpd_refuses_it(server: CheckedHttpd) -> None:
    server.logs.allow("AH00026")
    assert server.get("/environ/foo%2fbar").status == 404


def test_an_encoded_slash_is_decoded_in_the_path_where_it_is_allowed(server: CheckedHttpd) -> None:
    assert environ(server, "/environ/foo%2fbar", "decoded.example")["PATH_INFO"] == "/environ/foo/bar"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("decoded.example", "/environ/foo/bar%20%252f?%2F"),
        ("slashes.example", "/environ/foo%2fbar%20%252f?%2F"),
        ("undecoded.example", "/environ/foo%2fbar%20%252f?%2F"),
    ],
)
def test_an_encoded_slash_stays_in_the_request_uri_where_that_is_asked_for(
    server: CheckedHttpd, host: str, expected: str
) -> None:
    assert environ(server, "/environ/foo%2fbar%20%252f?%2F", host)["REQUEST_URI"] == expected


@pytest.mark.parametrize("host", ["site.example", "site.example:8080", "SITE.example"])
def test_the_host_header_arrives_as_it_was_sent(server: CheckedHttpd, host: str) -> None:
    assert environ(server, host=host)["HTTP_HOST"] == host


def test_the_server_name_and_port_are_those_that_the_client_asked_for(server: CheckedHttpd) -> None:
    found = environ(server, host=f"site.example:{server.port}")
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == ("site.example", str(server.port))


def test_the_server_name_and_port_are_never_empty_with_http_1_0(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.send(b"GET /environ HTTP/1.0\r\n\r\n")
        found = wire.answer().json()["texts"]
    assert found["SERVER_NAME"]
    assert found["SERVER_PORT"].isdigit()


def test_the_protocol_of_an_old_client_is_named(server: CheckedHttpd) -> None:
    assert raw_environ(server, "GET /environ HTTP/1.0")["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_an_address_in_brackets_is_a_whole_server_name(server: CheckedHttpd) -> None:
    found = raw_environ(server, "GET /environ HTTP/1.1", host=f"[::1]:{server.port}")
    assert (found["SERVER_NAME"].strip("[]"), found["SERVER_PORT"]) == ("::1", str(server.port))


def test_the_remote_port_is_the_clients(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head("GET /environ HTTP/1.1")
        assert wire.answer().json()["texts"]["REMOTE_PORT"] == str(wire.socket.getsockname()[1])


def test_the_server_software_names_httpd(server: CheckedHttpd) -> None:
    assert environ(server)["SERVER_SOFTWARE"].startswith("Apache")


def test_a_header_becomes_a_variable(server: CheckedHttpd) -> None:
    assert environ(server, x_some_thing="its value")["HTTP_X_SOME_THING"] == "its value"


def test_a_header_that_comes_twice_is_joined(server: CheckedHttpd) -> None:
    found = raw_environ(server, "GET /environ HTTP/1.1", "Accept: a/b", "Accept: c/d")
    assert found["HTTP_ACCEPT"].replace(" ", "") == "a/b,c/d"


def test_bytes_beyond_ascii_in_a_header_arrive_as_latin_1(server: CheckedHttpd) -> None:
    assert raw_environ(server, "GET /environ HTTP/1.1", "X-Name: Jürgen")["HTTP_X_NAME"] == "Jürgen"


def test_a_long_cookie_arrives_whole(server: CheckedHttpd) -> None:
    cookie = "c=" + "x" * 8000
    assert environ(server, cookie=cookie)["HTTP_COOKIE"] == cookie


def test_ninety_headers_all_arrive(server: CheckedHttpd) -> None:
    headers = {f"x_number_{number}": str(number) for number in range(90)}
    found = environ(server, **headers)
    assert [found[f"HTTP_X_NUMBER_{number}"] for number in range(90)] == [str(number) for number in range(90)]


@pytest.mark.parametrize(
    ("header", "variable"),
    [
        ("X_Forwarded_For: 6.6.6.6", "HTTP_X_FORWARDED_FOR"),
        ("Content_Length: 5", "HTTP_CONTENT_LENGTH"),
        ("Content_Type: a/b", "HTTP_CONTENT_TYPE"),
        ("X.Dotted: 1", "HTTP_X_DOTTED"),
        ("X!Odd: 1", "HTTP_X_ODD"),
        ("Proxy: http://evil.example", "HTTP_PROXY"),
    ],
)
def test_a_header_that_could_stand_for_another_is_dropped(server: CheckedHttpd, header: str, variable: str) -> None:
    assert variable not in raw_environ(server, "GET /environ HTTP/1.1", header)


def test_a_header_with_underscores_does_not_hide_the_right_one(server: CheckedHttpd) -> None:
    found = raw_environ(server, "GET /environ HTTP/1.1", "X-Forwarded-For: 1.1.1.1", "X_Forwarded_For: 6.6.6.6")
    assert found["HTTP_X_FORWARDED_FOR"] == "1.1.1.1"


@pytest.mark.parametrize(
    "name",
    [
        "JUMPSEAT_TOKEN",
        "JUMPSEAT_BODY",
        "Jumpseat-Token",
        "Jumpseat-Body",
        "Jumpseat-Framed",
        "SCGI",
        "Remote-User",
        "Https",
        "Script-Name",
        "Path-Info",
    ],
)
def test_a_header_named_like_a_variable_of_ours_changes_nothing(server: CheckedHttpd, name: str) -> None:
    plain = {variable: value for variable, value in environ(server).items() if variable != "REMOTE_PORT"}
    forged = raw_environ(server, "GET /environ HTTP/1.1", f"{name}: file", "Accept-Encoding: identity")
    for variable in ("REMOTE_PORT", "HTTP_" + name.upper().replace("-", "_"), "HTTP_CONNECTION"):
        forged.pop(variable, None)
    assert forged == plain


def test_a_hop_header_of_the_client_cannot_remove_another(server: CheckedHttpd) -> None:
    found = raw_environ(server, "GET /environ HTTP/1.1", "X-Real-IP: 1.1.1.1", "Connection: X-Real-IP")
    assert found.get("HTTP_X_REAL_IP") == "1.1.1.1"


def test_content_type_and_length_are_without_http_(server: CheckedHttpd) -> None:
    answer = server.post("/environ", b"12345", headers={"Content-Type": "text/x-test"})
    found = answer.json()["texts"]
    assert (found["CONTENT_TYPE"], found["CONTENT_LENGTH"]) == ("text/x-test", "5")
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(found)


def test_a_request_without_a_body_has_no_content_length(server: CheckedHttpd) -> None:
    assert "CONTENT_LENGTH" not in environ(server)


def test_a_request_without_a_content_type_has_none(server: CheckedHttpd) -> None:
    assert environ(server).get("CONTENT_TYPE", "") == ""


def test_an_announced_empty_body_has_the_content_length_0(server: CheckedHttpd) -> None:
    assert server.post("/environ", b"").json()["texts"]["CONTENT_LENGTH"] == "0"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "REPORT", "BREW"])
def test_any_method_reaches_the_app(server: CheckedHttpd, method: str) -> None:
    assert server.request(method, "/method").text == method


def test_trace_is_not_the_apps(server: CheckedHttpd) -> None:
    server.logs.allow("AH0")
    assert server.request("TRACE", "/method").text != "TRACE"


def test_slashes_that_repeat_are_as_httpd_sees_them(server: CheckedHttpd) -> None:
    assert environ(server, "/environ//a///b")["REQUEST_URI"] == "/environ//a///b"


def test_query_parameters_arrive(server: CheckedHttpd) -> None:
    assert server.get("/parameters?first=one&second=a%20b").json() == {"first": ["one"], "second": ["a b"]}


def test_parameters_of_a_form_arrive(server: CheckedHttpd) -> None:
    assert server.post("/parameters", b"first=one&second=a+b").json() == {"first": ["one"], "second": ["a b"]}


def test_the_process_title_and_modules_hide_nothing_of_the_loader_on_the_path(server: CheckedHttpd) -> None:
    told = server.get("/process").json()
    assert not [folder for folder in told["path"] if "loaders" in folder or "jumpseat" in folder]
    assert told["path"][0] == str(server.folder / "apps" / "probe")


def test_nothing_of_ours_is_in_the_environment_of_the_process(server: CheckedHttpd) -> None:
    told = server.get("/process").json()
    of_httpd = [name for name in told["environ"] if name.startswith("LD_") or "SAN_OPTIONS" in name]
    assert not [*of_httpd, *(name for name in told["environ"] if "JUMPSEAT" in name)]


def test_the_entry_file_is_a_registered_module(server: CheckedHttpd) -> None:
    assert "passenger_wsgi" in server.get("/process").json()["registered"]


def test_the_app_runs_in_its_root(server: CheckedHttpd) -> None:
    assert Path(server.get("/process").json()["cwd"]) == server.folder / "apps" / "probe"


def test_requests_with_smuggled_lengths_are_answered_by_httpd_alone(server: CheckedHttpd) -> None:
    server.logs.allow("AH0")
    with Wire(server.port) as wire:
        wire.head("POST /echo HTTP/1.1", "Content-Length: 5", "Content-Length: 6")
        wire.send(b"abcde")
        assert wire.answer("POST").status == 400


def test_a_request_with_length_and_chunks_is_never_two_requests(server: CheckedHttpd) -> None:
    server.logs.allow("AH0")
    with Wire(server.port) as wire:
        wire.head("POST /echo HTTP/1.1", "Content-Length: 60", "Transfer-Encoding: chunked")
        wire.send(b"0\r\n\r\nGET /pid HTTP/1.1\r\nHost: site.example\r\n\r\n")
        received = wire.read_to_end()
    assert received.count(b"HTTP/1.1 ") <= 1, json.dumps(received.decode("latin-1"))
