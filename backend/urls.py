"""Every HTTP route of the service."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from api.errors import route_not_found
from backend import page
from backend.health import healthz, readyz
from backend.static import serve_static

#: What the page answers to, see `frontend/src/app.tsx`.
PAGE_ROUTES = "(?:sign-in|register|account|rooms/[^/]+|organizations/[^/]+|invitations/[^/]+|links/[^/]+)/?"

urlpatterns = [
    re_path(rf"^(?:|{PAGE_ROUTES})$", page.index),
    re_path(r"^assets/(?P<name>[\w-][\w.-]*)$", page.asset),
    path("healthz", healthz),
    path("readyz", readyz),
    path("api/v1/", include("api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    re_path("^api/", route_not_found),
    path("admin/", admin.site.urls),
    path("static/<path:path>", serve_static),
    re_path("", page.nothing_here),
]

handler400 = "api.errors.bad_request"
handler500 = "api.errors.server_error"
