"""Apps of real frameworks: Django with its admin, uploads and streams; Flask; and the standard library's validator."""

from __future__ import annotations

import hashlib
import re
import subprocess
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from support.applications import AppFolder, AppFolders, give_all
from support.client import Answer, Client, Wire
from support.environments import framework_environment
from support.serving import CheckedHttpd
from support.waiting import eventually

pytestmark = pytest.mark.deadline(300)


@pytest.fixture(scope="module")
def environment() -> Path:
    return framework_environment()


@pytest.fixture
def django(httpd: CheckedHttpd, apps: AppFolders, environment: Path) -> AppFolder:
    app = apps.create("django_site")
    for command in (
        ["migrate", "--verbosity", "0"],
        ["createsuperuser", "--noinput", "--username", "ada", "--email", "a@b.example"],
    ):
        subprocess.run(
            [str(environment / "bin" / "python"), "manage.py", *command],
            cwd=app.root,
            check=True,
            timeout=120,
            env={"DJANGO_SUPERUSER_PASSWORD": "secret", "PATH": "/usr/bin:/bin"},
            capture_output=True,
        )
    give_all(app.root, app.owner)
    httpd.site(document_root=app.public, body=f'PassengerPython "{environment}/bin/python"')
    httpd.start()
    return app


@pytest.fixture
def flask(httpd: CheckedHttpd, apps: AppFolders, environment: Path) -> AppFolder:
    app = apps.create("flask_app")
    httpd.site(document_root=app.public, body=f'PassengerPython "{environment}/bin/python"')
    httpd.start()
    return app


class Browser:
    """Keeps cookies and follows redirects, as people's clients do."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.cookies: SimpleCookie = SimpleCookie()

    def open(self, path: str, form: str = "") -> Answer:
        headers = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())}
        if form:
            headers.update(
                {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"http://site.example{path}"}
            )
        answer = self.client.request("POST" if form else "GET", path, form.encode() if form else None, headers)
        for cookie in answer.all("Set-Cookie"):
            self.cookies.load(cookie)
        location = answer.header("Location")
        return self.open(location) if answer.status in (301, 302) and location else answer


def multipart(content: bytes) -> tuple[bytes, dict[str, str]]:
    part = b'--limit\r\nContent-Disposition: form-data; name="document"; filename="a.bin"\r\n\r\n'
    title = b'\r\n--limit\r\nContent-Disposition: form-data; name="title"\r\n\r\nits title\r\n--limit--\r\n'
    return part + content + title, {"Content-Type": "multipart/form-data; boundary=limit"}


def test_one_can_log_in_to_djangos_admin(httpd: CheckedHttpd, django: AppFolder) -> None:
    with httpd.client() as client:
        browser = Browser(client)
        page = browser.open("/admin/").text
        token = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]
        inside = browser.open("/admin/login/", f"csrfmiddlewaretoken={token}&username=ada&password=secret&next=/admin/")
    assert inside.status == 200
    assert "Log out" in inside.text


def test_django_refuses_a_form_without_its_token(httpd: CheckedHttpd, django: AppFolder) -> None:
    assert httpd.post("/admin/login/", b"username=ada&password=secret").status == 403


@pytest.mark.parametrize("size", [100, 5 << 20])
def test_a_file_uploaded_to_django_arrives_whole(httpd: CheckedHttpd, django: AppFolder, size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    body, headers = multipart(content)
    told = httpd.post("/upload/", body, headers=headers).json()
    assert (told["size"], told["sha256"], told["title"]) == (size, hashlib.sha256(content).hexdigest(), "its title")


def test_a_file_served_by_django_arrives_whole(httpd: CheckedHttpd, django: AppFolder) -> None:
    body, headers = multipart(b"0123456789" * 100_000)
    name = httpd.post("/upload/", body, headers=headers).json()["name"]
    answer = httpd.get(f"/download/{name}")
    assert (answer.status, answer.body) == (200, b"0123456789" * 100_000)


def test_a_streaming_response_of_django_comes_part_by_part(httpd: CheckedHttpd, django: AppFolder) -> None:
    with Wire(httpd.port) as wire:
        wire.head("GET /stream/ HTTP/1.1")
        response = wire.open_answer()
        for number in range(3):
            assert response.read1(100) == b"part %d\n" % number
            django.open_gate(str(number + 1))


def test_an_error_in_a_view_of_django_is_djangos_page_and_in_the_log(httpd: CheckedHttpd, django: AppFolder) -> None:
    assert httpd.get("/fails/").status == 500
    httpd.logs.wait_for("RuntimeError: the view fails", "site.example.log")


def test_a_new_release_of_django_comes_with_restart_txt(httpd: CheckedHttpd, django: AppFolder) -> None:
    assert httpd.get("/new/").status == 404
    urls = (django.root / "shop" / "urls.py").read_text()
    django.write("shop/urls.py", urls.replace('path("fails/"', 'path("new/"'))
    django.touch_restart()
    httpd.logs.allow("JS")
    eventually(lambda: httpd.get("/new/").status == 500, "the new route")


def test_flask_answers(httpd: CheckedHttpd, flask: AppFolder) -> None:
    assert httpd.get("/").text == "hello from Flask"


def test_flask_runs_in_the_environment_that_is_given(httpd: CheckedHttpd, flask: AppFolder, environment: Path) -> None:
    assert httpd.get("/environment").text == str(environment)


def test_flask_gets_json_and_knows_its_address(httpd: CheckedHttpd, flask: AppFolder) -> None:
    answer = httpd.post("/json?a=b", b'{"x": [1, 2]}', headers={"Content-Type": "application/json"})
    assert answer.json() == {"got": {"x": [1, 2]}, "url": "http://site.example/json?a=b", "root": ""}


def test_flask_keeps_a_session(httpd: CheckedHttpd, flask: AppFolder) -> None:
    with httpd.client() as client:
        browser = Browser(client)
        assert [browser.open("/count").text for _ in range(3)] == ["1", "2", "3"]


def test_flask_gets_an_upload(httpd: CheckedHttpd, flask: AppFolder) -> None:
    body, headers = multipart(b"x" * 300_000)
    assert httpd.post("/upload", body, headers=headers).json() == {"name": "a.bin", "size": 300_000}


def test_a_stream_of_flask_arrives_whole(httpd: CheckedHttpd, flask: AppFolder) -> None:
    assert httpd.get("/stream").text == "".join(f"part {number}\n" for number in range(1000))


def test_an_error_in_a_route_of_flask_is_a_500_and_in_the_log(httpd: CheckedHttpd, flask: AppFolder) -> None:
    assert httpd.get("/fails").status == 500
    httpd.logs.wait_for("RuntimeError: the route fails", "site.example.log")


def test_flask_below_a_base_uri_knows_it(httpd: CheckedHttpd, apps: AppFolders, environment: Path) -> None:
    app = apps.create("flask_app")
    httpd.site(
        document_root=httpd.run_folder,
        body=f'Alias /sub "{app.public}"\n<Location /sub>\nPassengerBaseURI /sub\n'
        f'PassengerAppRoot "{app.root}"\nPassengerPython "{environment}/bin/python"\n</Location>',
    )
    httpd.start()
    told = httpd.post("/sub/json", b"{}", headers={"Content-Type": "application/json"}).json()
    assert (told["url"], told["root"]) == ("http://site.example/sub/json", "/sub")
