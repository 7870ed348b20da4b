"""What applications of others register on the admin site, and operators have no use for."""

from __future__ import annotations

from django.contrib import admin
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

admin.site.unregister([OutstandingToken, BlacklistedToken])
