from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class BackendConfig(AppConfig):
    name = "backend"
    verbose_name = "Gatehouse"


class AdminConfig(admin_apps.AdminConfig):
    default = False  # not for `backend`
    default_site = "backend.site.OperatorSite"
