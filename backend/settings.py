"""Django settings: composed from `backend.env`, never reading the environment themselves."""

from datetime import timedelta
from typing import Any

from corsheaders.defaults import default_headers

from backend.env import BASE_DIR, VAR_DIR, read_environment

ENVIRONMENT = read_environment()

DEBUG = ENVIRONMENT.debug
SECRET_KEY = ENVIRONMENT.secret_key
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts
COLLAB_LIMITS = ENVIRONMENT.limits

INSTALLED_APPS = [
    "backend.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "backend",
    "accounts",
    "collab",
    "api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "backend.urls"
ASGI_APPLICATION = "backend.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {"default": dict(ENVIRONMENT.database)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # WAL lets readers go on while the log writer commits. FULL makes a commit survive the power,
    # IMMEDIATE takes the write lock at the start, so that two writers wait instead of failing.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
else:
    # The threads of HTTP requests (`backend.handler`) take their connections from a pool. Between two
    # attempts to connect the pool waits twice as long each time, up to `reconnect_timeout`: as long as anyone
    # waits for a connection (`timeout`), so that the next who asks begins anew and nobody waits in vain.
    # The threads of the live engine do without it, see `collab.threads`.
    POOL = {"min_size": 1, "max_size": 20, "timeout": 5, "reconnect_timeout": 5}
    # A server whose machine or network vanishes says no word. Who connects to it gives up after 3 s; who has
    # sent a statement, or waits for its answer, learns after some 6 s that nobody is there (by TCP alone it
    # would be a quarter of an hour, or never), early enough to confirm access within its lease on another.
    VANISHED = {
        "connect_timeout": 3,
        "tcp_user_timeout": 6_000,  # ms without an acknowledgement of what was sent
        "keepalives_idle": 3,
        "keepalives_interval": 1,
        "keepalives_count": 3,
    }
    GIVEN = DATABASES["default"].get("OPTIONS", {})  # in the URL, such as sslmode
    DATABASES["default"]["OPTIONS"] = {**VANISHED, **GIVEN, "pool": POOL}
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {
    "default": (
        {
            "BACKEND": "backend.layer.RedisLayer",
            "CONFIG": {"hosts": [ENVIRONMENT.redis_url], "capacity": 1000},
        }
        if ENVIRONMENT.redis_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1000}}
    )
}

# As Django names them: EMAIL_HOST, EMAIL_PORT, EMAIL_USE_TLS …
globals().update(ENVIRONMENT.email)
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = ENVIRONMENT.email_from
FRONTEND_URL = ENVIRONMENT.frontend_url
VERIFY_INVITATIONS = ENVIRONMENT.verify_invitations

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # Full, it forgets a third of what it counted: larger than anyone fills it from one network.
    "throttles": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "throttles",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "accounts.services.passwords.EndSessions"}]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["api.throttles.UserThrottle", "api.throttles.AddressThrottle"],
    "DEFAULT_THROTTLE_RATES": ENVIRONMENT.throttle_rates,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.CursorPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "api.errors.exception_handler",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=ENVIRONMENT.access_token_lifetime_s),
    "REFRESH_TOKEN_LIFETIME": timedelta(seconds=ENVIRONMENT.refresh_token_lifetime_s),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": True,
    "CHECK_REVOKE_TOKEN": True,
}

IDENTITY_PROVIDER = ENVIRONMENT.identity_provider

SPECTACULAR_SETTINGS = {
    "TITLE": "Gatehouse",
    "DESCRIPTION": "Rooms, members and tokens of a collaboration backend for Yjs editors.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_PATCH": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "ENUM_NAME_OVERRIDES": {
        "OrganizationRole": "accounts.models.OrganizationRole",
        "SharedRole": "collab.models.SHARED_ROLES",
        "RoomRole": "collab.models.RoomRole",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.schema.describe_bodies",
        "api.schema.describe_errors",
        "api.schema.describe_etags",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

ALLOWED_ORIGINS = ENVIRONMENT.allowed_origins
CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
CORS_ALLOW_HEADERS = [*default_headers, "if-match"]
CORS_EXPOSE_HEADERS = ["Content-Disposition", "ETag", "Retry-After"]
CORS_URLS_REGEX = r"^/api/.*$"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = ["backend.formats"]
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"

#: Where `make frontend` puts the page.
PAGE_DIR = BASE_DIR / "frontend" / "dist"

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if not DEBUG:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
# TLS ends at the proxy in front, which also redirects and sends HSTS for everything behind it.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "backend.logs.RedactSecrets"}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["redact"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "uvicorn.access": {"level": "INFO"},
        "websockets": {"level": "WARNING"},
        # It tells of each message to a process that was killed, for as long as its channel is in the group.
        "channels_redis": {"level": "WARNING"},
    },
}
