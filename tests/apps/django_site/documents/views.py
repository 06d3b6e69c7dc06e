import hashlib
import os
import time

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import FileResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def upload(request):
    given = request.FILES["document"]
    name = default_storage.save(given.name, given)
    with default_storage.open(name, "rb") as stored:
        digest = hashlib.sha256(stored.read()).hexdigest()
    return JsonResponse({"name": name, "size": given.size, "sha256": digest, "title": request.POST["title"]})


def stream(request):
    return StreamingHttpResponse(_parts(), content_type="text/plain")


def _parts():
    for number in range(3):
        gate = os.path.join(settings.BASE_DIR, "events", "gate-%d" % number)
        while number and not os.path.exists(gate):
            time.sleep(0.005)
        yield "part %d\n" % number


def download(request, name):
    return FileResponse(default_storage.open(name, "rb"), as_attachment=True)


def fails(request):
    raise RuntimeError("the view fails")
