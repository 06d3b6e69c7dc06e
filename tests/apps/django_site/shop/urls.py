from django.contrib import admin
from django.urls import path

from documents import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("upload/", views.upload),
    path("stream/", views.stream),
    path("download/<str:name>", views.download),
    path("fails/", views.fails),
]
