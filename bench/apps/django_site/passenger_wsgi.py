"""A small Django site with what most have: admin, sessions, templates. One file, no database is written."""

import os
import time

import large_objects  # noqa: F401 - held as long as the process lives
from django.conf import settings

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATE = "{% for row in rows %}<li>{{ row.0 }}: {{ row.1|floatformat:2 }}</li>{% endfor %}"

settings.configure(
    SECRET_KEY="only-for-measuring",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

from django.contrib import admin  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import path  # noqa: E402


def page(request):  # type: ignore[no-untyped-def]
    """A rendered list of 200 rows."""
    rows = [(number, number * 1.5) for number in range(200)]
    answer = HttpResponse(engines["django"].from_string(TEMPLATE).render({"rows": rows}, request))
    if "X-Worker" in request.headers:
        time.sleep(0.002)
        answer.headers["X-Worker"] = str(os.getpid())
    return answer


urlpatterns = [path("page", page), path("admin/", admin.site.urls)]
