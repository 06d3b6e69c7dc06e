"""Together with httpd's own modules: rewriting, variables, authentication, headers, compression."""

from __future__ import annotations

import base64
import gzip
import hashlib
from typing import Any

import pytest

from support.applications import AppFolder
from support.paths import exact, path
from support.serving import CheckedHttpd
from support.waiting import eventually

REWRITE = """
RewriteEngine on
RewriteRule ^/old/(.*)$ /environ/new/$1 [PT,QSA]
RewriteRule ^/added$ /environ/added?rule=1 [PT,QSA]
RewriteRule ^/moved$ /environ/there [R=302,L]
RewriteRule ^/forbidden$ - [F]
RewriteRule ^/environ/marked$ - [E=MARK:by-rule]
"""
HTACCESS = """\
RewriteEngine on
RewriteRule ^ht-old/(.*)$ /environ/ht-new/$1 [QSA,L]
SetEnv FROM_HTACCESS yes
Header set X-From-Htaccess yes
"""


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    probe = shared_probe
    probe.write("public/.htaccess", HTACCESS)
    probe.write("public/existing.txt", "existing")
    passwords = shared_httpd.folder / "passwords"
    digest = base64.b64encode(hashlib.sha1(b"secret").digest()).decode()
    passwords.write_text(f"ada:{{SHA}}{digest}\n")
    shared_httpd.module(
        "rewrite", "remoteip", "auth_basic", "authn_core", "authn_file", "authz_user", "filter", "deflate", "setenvif"
    )
    shared_httpd.add("PassengerMaxPoolSize 20")
    shared_httpd.site("rewrite.example", probe.public, REWRITE)
    shared_httpd.site("htaccess.example", probe.public, "<Directory />\nAllowOverride All\n</Directory>")
    shared_httpd.site(
        "env.example",
        probe.public,
        'PassengerAppGroupName env\nSetEnv FROM_SITE "a value"\n'
        "PassEnv LANG\nSetEnvIf X-Kind special SPECIAL=yes\n"
        "<Location /environ/inner>\nSetEnv FROM_LOCATION inner\n</Location>",
    )
    shared_httpd.site("remote.example", probe.public, "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1")
    shared_httpd.site(
        "auth.example",
        probe.public,
        "<Location /environ/private>\nAuthType Basic\nAuthName private\n"
        f'AuthBasicProvider file\nAuthUserFile "{passwords}"\nRequire valid-user\n</Location>',
    )
    shared_httpd.site("deflate.example", probe.public, "SetOutputFilter DEFLATE")
    shared_httpd.site(
        "headers.example",
        probe.public,
        "Header set X-Added one\nHeader unset X-Removed\n"
        "Header always set X-Always two\nRequestHeader set X-Request three\nRequestHeader unset X-Gone",
    )
    shared_httpd.site("document.example", probe.public, 'ErrorDocument 404 "httpd page"')
    shared_httpd.start()
    return shared_httpd


def texts(server: CheckedHttpd, host: str, path: str, **headers: str) -> Any:
    return server.get(path, host, **headers).json()["texts"]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_rewrite_in_the_site_changes_the_path_that_the_app_sees(server: CheckedHttpd) -> None:
    assert texts(server, "rewrite.example", "/old/thing")["PATH_INFO"] == "/environ/new/thing"


def test_a_rewrite_in_the_site_changes_the_request_uri_and_keeps_the_query(server: CheckedHttpd) -> None:
    assert texts(server, "rewrite.example", "/old/thing?a=b%20c")["REQUEST_URI"] == "/environ/new/thing?a=b%20c"


def test_a_rewrite_that_adds_to_the_query_is_seen_in_it(server: CheckedHttpd) -> None:
    assert texts(server, "rewrite.example", "/added?mine=2")["QUERY_STRING"] == "rule=1&mine=2"


def test_a_rewrite_that_redirects_does_so(server: CheckedHttpd) -> None:
    answer = server.get("/moved", "rewrite.example")
    assert (answer.status, (answer.header("Location") or "").endswith("/environ/there")) == (302, True)


def test_a_rewrite_that_forbids_does_so(server: CheckedHttpd) -> None:
    server.logs.allow("AH01276|AH00")
    assert server.get("/forbidden", "rewrite.example").status == 403


def test_a_variable_that_a_rewrite_sets_is_in_the_environ(server: CheckedHttpd) -> None:
    assert texts(server, "rewrite.example", "/environ/marked")["MARK"] == "by-rule"


def test_a_rewrite_in_htaccess_changes_the_path_that_the_app_sees(server: CheckedHttpd) -> None:
    found = texts(server, "htaccess.example", "/ht-old/thing?a=b")
    assert (found["PATH_INFO"], found["QUERY_STRING"]) == ("/environ/ht-new/thing", "a=b")


def test_a_rewrite_in_htaccess_changes_the_request_uri(server: CheckedHttpd) -> None:
    assert texts(server, "htaccess.example", "/ht-old/thing?a=b")["REQUEST_URI"] == "/environ/ht-new/thing?a=b"


def test_a_static_file_beside_htaccess_is_served_with_its_headers(server: CheckedHttpd) -> None:
    answer = server.get("/existing.txt", "htaccess.example")
    assert (answer.text, answer.header("X-From-Htaccess")) == ("existing", "yes")


def test_a_header_from_htaccess_is_on_the_apps_answers(server: CheckedHttpd) -> None:
    assert server.get("/", "htaccess.example").header("X-From-Htaccess") == "yes"


def test_setenv_of_the_site_is_in_the_environ_of_a_request(server: CheckedHttpd) -> None:
    assert texts(server, "env.example", "/environ")["FROM_SITE"] == "a value"


def test_setenv_of_the_site_is_in_the_environment_of_the_process(server: CheckedHttpd) -> None:
    assert server.get("/process", "env.example").json()["environ"]["FROM_SITE"] == "a value"


def test_setenv_of_a_location_is_in_the_environ_there_only(server: CheckedHttpd) -> None:
    assert texts(server, "env.example", "/environ/inner")["FROM_LOCATION"] == "inner"
    assert "FROM_LOCATION" not in texts(server, "env.example", "/environ")


def test_a_variable_set_for_a_kind_of_request_is_in_the_environ_of_such_only(server: CheckedHttpd) -> None:
    assert texts(server, "env.example", "/environ", x_kind="special")["SPECIAL"] == "yes"
    assert "SPECIAL" not in texts(server, "env.example", "/environ")


def test_a_variable_of_one_request_never_reaches_the_process(server: CheckedHttpd) -> None:
    server.get("/environ", "env.example", x_kind="special")
    assert "SPECIAL" not in server.get("/process", "env.example", x_kind="special").json()["environ"]


SCOPES = """\
PassengerAppGroupName scopes
UnsetEnv REMOVED never_SET
SetEnv REPLACED inner
SetEnv TAKEN_BACK yes
UnsetEnv TAKEN_BACK
UnsetEnv back_AGAIN
SetEnv BACK_AGAIN inner
SetEnv EMPTY
PassEnv LANG NO_SUCH_VARIABLE
"""


@pytest.fixture
def scopes(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.logs.allow("AH01506")  # by mod_env, and only where its log is open already
    httpd.add("SetEnv KEPT outer\nSetEnv REMOVED outer\nSetEnv replaced outer\nSetEnv BACK_AGAIN outer")
    httpd.add("SetEnvIf Request_URI . PER_REQUEST=yes")
    httpd.site("scopes.example", probe.public, SCOPES)
    httpd.start()
    return httpd


def test_the_process_gets_what_mod_env_gives_a_request_from_all_scopes_and_no_more(scopes: CheckedHttpd) -> None:
    named = ("KEPT", "REMOVED", "TAKEN_BACK", "BACK_AGAIN", "EMPTY", "LANG", "PER_REQUEST")
    of_process = scopes.get("/process", "scopes.example").json()["environ"]
    of_request = texts(scopes, "scopes.example", "/environ")
    found = {name: of_process[name] for name in named if name in of_process}
    assert found == {name: of_request[name] for name in named if name in of_request and name != "PER_REQUEST"}
    assert found.keys() - {"LANG"} == {"KEPT", "BACK_AGAIN", "EMPTY"}
    assert of_request["PER_REQUEST"] == "yes"


def test_a_name_in_other_letters_is_the_same_variable_as_for_mod_env(scopes: CheckedHttpd) -> None:
    of_process = scopes.get("/process", "scopes.example").json()["environ"]
    of_request = texts(scopes, "scopes.example", "/environ")
    spelled = {name: value for name, value in of_process.items() if name.upper() == "REPLACED"}
    assert list(spelled.values()) == ["inner"]
    assert spelled == {name: value for name, value in of_request.items() if name.upper() == "REPLACED"}


def test_setenv_of_htaccess_is_in_the_environ_of_a_request(server: CheckedHttpd) -> None:
    assert texts(server, "htaccess.example", "/environ")["FROM_HTACCESS"] == "yes"


def test_remote_addr_is_what_mod_remoteip_has_found(server: CheckedHttpd) -> None:
    assert texts(server, "remote.example", "/environ", x_forwarded_for="203.0.113.7")["REMOTE_ADDR"] == "203.0.113.7"


def test_without_mod_remoteip_a_forwarded_header_changes_nothing(server: CheckedHttpd) -> None:
    assert texts(server, "rewrite.example", "/environ", x_forwarded_for="203.0.113.7")["REMOTE_ADDR"] == "127.0.0.1"


def test_a_request_without_a_password_is_refused_before_the_app(server: CheckedHttpd) -> None:
    answer = server.get("/environ/private", "auth.example")
    assert (answer.status, answer.header("WWW-Authenticate")) == (401, 'Basic realm="private"')


def test_a_request_with_a_wrong_password_is_refused(server: CheckedHttpd) -> None:
    server.logs.expect("AH01617")
    assert server.get("/environ/private", "auth.example", authorization=basic("ada", "wrong")).status == 401


def test_the_user_that_httpd_has_authenticated_is_remote_user(server: CheckedHttpd) -> None:
    found = texts(server, "auth.example", "/environ/private", authorization=basic("ada", "secret"))
    assert found["REMOTE_USER"] == "ada"


def test_the_authorization_header_reaches_the_app_where_httpd_authenticates(server: CheckedHttpd) -> None:
    found = texts(server, "auth.example", "/environ/private", authorization=basic("ada", "secret"))
    assert found["HTTP_AUTHORIZATION"] == basic("ada", "secret")


def test_the_authorization_header_reaches_the_app_where_httpd_does_not(server: CheckedHttpd) -> None:
    found = texts(server, "auth.example", "/environ", authorization="Bearer abc")
    assert found["HTTP_AUTHORIZATION"] == "Bearer abc"


def test_there_is_no_remote_user_where_httpd_has_not_authenticated(server: CheckedHttpd) -> None:
    found = texts(server, "auth.example", "/environ", authorization=basic("mallory", "x"))
    assert "REMOTE_USER" not in found


def test_an_answer_is_compressed_where_the_client_can_read_it(server: CheckedHttpd) -> None:
    answer = server.get(path("/big", size=100000), "deflate.example", accept_encoding="gzip")
    assert answer.header("Content-Encoding") == "gzip"
    assert len(gzip.decompress(answer.body)) == 100000


def test_an_answer_with_a_length_loses_it_when_compressed(server: CheckedHttpd) -> None:
    answer = server.get(path("/big", size=100000, length=1), "deflate.example", accept_encoding="gzip")
    assert len(gzip.decompress(answer.body)) == 100000


def test_an_answer_is_not_compressed_for_a_client_that_cannot_read_it(server: CheckedHttpd) -> None:
    assert len(server.get(path("/big", size=100000), "deflate.example").body) == 100000


def test_mod_headers_adds_to_the_apps_headers(server: CheckedHttpd) -> None:
    assert server.get("/", "headers.example").header("X-Added") == "one"


def test_mod_headers_removes_what_the_app_has_sent(server: CheckedHttpd) -> None:
    answer = server.get(exact(headers=[["X-Removed", "a"], ["X-Stays", "b"]], body=["x"]), "headers.example")
    assert (answer.header("X-Removed"), answer.header("X-Stays")) == (None, "b")


def test_mod_headers_adds_to_errors_of_the_app_too(server: CheckedHttpd) -> None:
    assert server.get(exact(status="404 None", body=["x"]), "headers.example").header("X-Always") == "two"


def test_request_headers_that_mod_headers_changes_reach_the_app_changed(server: CheckedHttpd) -> None:
    found = texts(server, "headers.example", "/environ", x_gone="still there")
    assert (found.get("HTTP_X_REQUEST"), found.get("HTTP_X_GONE")) == ("three", None)


def test_an_error_page_of_httpd_does_not_replace_the_apps_own(server: CheckedHttpd) -> None:
    answer = server.get(exact(status="404 None", body=["the app's page"]), "document.example")
    assert (answer.status, answer.text) == (404, "the app's page")


def test_setenv_of_htaccess_is_in_the_environment_of_the_process_after_a_restart(
    httpd: CheckedHttpd, probe: AppFolder
) -> None:
    httpd.site(document_root=probe.public, body="<Directory />\nAllowOverride All\n</Directory>")
    httpd.start()
    assert "LATER" not in httpd.get("/process").json()["environ"]
    probe.write("public/.htaccess", "SetEnv LATER yes\n")
    httpd.get("/")
    probe.touch_restart()
    eventually(lambda: httpd.get("/process").json()["environ"].get("LATER") == "yes", "the variable")
