"""Settings, read from the environment that `config.up` gives every process (docs/operations.md lists the variables)."""

import base64
import hashlib
import ipaddress
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from accounts.networks import read_trusted

ROOT = Path(__file__).resolve().parent.parent.parent


def env(name: str, default: str = "") -> str:
    return os.environ.get(name) or default


def database(url: str) -> dict[str, Any]:
    """A Django database of a postgresql:// address."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": {"pool": {"min_size": 1, "max_size": int(env("DATABASE_POOL_SIZE", "12")), "timeout": 20}},
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


DATA = Path(env("COUNTERSIGN_DATA", str(ROOT / "var"))).resolve()
DEBUG = env("COUNTERSIGN_DEBUG") == "1"
SECRET_KEY = env("COUNTERSIGN_SECRET_KEY", "only-for-commands-that-sign-nothing")
# Fernet keys, newest first, for secrets at rest. Commands that run without them get one of SECRET_KEY's.
FERNET_KEYS = [key.strip() for key in env("COUNTERSIGN_FERNET_KEYS").split(",") if key.strip()] or [
    base64.urlsafe_b64encode(hashlib.sha256(b"fernet:" + SECRET_KEY.encode()).digest()).decode()
]
# Ed25519 seed (base64) for attestations.
SIGNING_SEED = env("COUNTERSIGN_SIGNING_SEED")
SITE_URL = env("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
GATEWAY_URL = env("GATEWAY_URL", "http://127.0.0.1:8001").rstrip("/")
# Where workers and the site reach the gateway; the outside address when there is no inner one.
GATEWAY_INTERNAL_URL = env("GATEWAY_INTERNAL_URL", GATEWAY_URL).rstrip("/")
# Where replicas on other machines fetch their files; the outside address when there is no inner one.
INTERNAL_URL = env("INTERNAL_URL", SITE_URL).rstrip("/")
ALLOWED_HOSTS = env("ALLOWED_HOSTS", "*" if DEBUG else f"127.0.0.1,localhost,{urlsplit(SITE_URL).hostname}").split(",")
CSRF_TRUSTED_ORIGINS = [SITE_URL]
# Whose X-Forwarded-For is believed: networks of the reverse proxies, separated by commas.
TRUSTED_PROXIES = read_trusted(env("TRUSTED_PROXIES"))

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "config.apps.CollectedFiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "guardian",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "governance.ledger",
    "accounts",
    "governance",
    "registry",
    "prompts",
    "notifications",
    "serving",
    "evaluation",
    "tracking",
    "prompt_tests",
    "playground",
    "home",
    "config.apps.ConfigConfig",
    "pgtrigger",
]
MIDDLEWARE = [
    "config.middleware.request_id",
    "config.middleware.storable_addresses",
    "config.middleware.hot_reads",
    "config.middleware.foreign_doors",
    "config.middleware.security_headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.no_uploads_of_strangers",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.actor",
    "accounts.middleware.sign_in_whole",
    "config.middleware.problems",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "home.context.frame",
            ],
            "builtins": ["django_htmx.templatetags.django_htmx", "django.templatetags.static", "home.templatetags.ui"],
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": database(env("DATABASE_URL", "postgresql://countersign_app@127.0.0.1:5432/countersign")),
}
if env("DATABASE_OWNER_URL"):
    # Only migrations speak as the owner; the application's role cannot touch the ledger's past.
    DATABASES["owner"] = database(env("DATABASE_OWNER_URL"))
    DATABASES["owner"]["OPTIONS"] = {"application_name": "countersign-migrate"}
# Triggers on governed tables (config.out_of_band) are put in place after each `migrate`, whatever it changed.
PGTRIGGER_MIGRATIONS = False
PGTRIGGER_SCHEMA_EDITOR = False
PGTRIGGER_INSTALL_ON_MIGRATE = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The role that serves requests; migrations take rights on the ledger away from it.
DATABASE_APP_ROLE = DATABASES["default"]["USER"]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
# Grants are guardian's rows with more to them. Its own backend would answer without their end, prefix and stage, so that
# `has_perm` is not asked: accounts.access is.
GUARDIAN_USER_OBJ_PERMS_MODEL = "accounts.Grant"
SILENCED_SYSTEM_CHECKS = ["guardian.W001"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
ANONYMOUS_USER_NAME = None  # guardian: nobody is somebody
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "/accounts/login/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900  # seconds after which pages that protect an account ask who is there again
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False  # the session at hand stays; the others end (accounts.adapter)
MFA_ADAPTER = "accounts.adapter.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Countersign"
# Browsers let passkeys be used on https and on this very machine; so does the check of their origin.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = urlsplit(SITE_URL).hostname in ("localhost", "127.0.0.1")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SITE_URL.startswith("https://")
# Instances on two ports of one host share cookies: give each its own name.
_port = urlsplit(SITE_URL).port or 0
SESSION_COOKIE_NAME = f"countersign_session_{_port}"
CSRF_COOKIE_NAME = f"countersign_csrf_{_port}"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

REDIS_URL = env("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "seal-events": {"task": "governance.ledger.tasks.seal_events", "schedule": 2.0, "options": {"expires": 5}},
    "anchor-checkpoints": {
        "task": "governance.ledger.tasks.anchor_checkpoints",
        "schedule": 15.0,
        "options": {"expires": 30},
    },
    "reconcile-deployments": {"task": "serving.tasks.reconcile", "schedule": 3.0, "options": {"expires": 10}},
    "resume-playground": {"task": "playground.tasks.resume", "schedule": 5.0, "options": {"expires": 10}},
    "resume-evaluations": {"task": "evaluation.tasks.resume", "schedule": 5.0, "options": {"expires": 10}},
    "resume-test-runs": {"task": "prompt_tests.tasks.resume", "schedule": 5.0, "options": {"expires": 10}},
    "close-lost-runs": {"task": "tracking.tasks.close_lost", "schedule": 60.0, "options": {"expires": 60}},
    "purge-deleted-runs": {"task": "tracking.tasks.purge", "schedule": 3600.0, "options": {"expires": 3600}},
    "index-ledger-events": {
        "task": "governance.ledger.tasks.index_events",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "record-key-uses": {"task": "accounts.tasks.record_key_uses", "schedule": 5.0, "options": {"expires": 10}},
    "end-expired-grants": {"task": "accounts.tasks.end_expired_grants", "schedule": 30.0, "options": {"expires": 30}},
    "follow-ledger": {"task": "notifications.tasks.follow", "schedule": 2.0, "options": {"expires": 10}},
    "deliver-webhooks": {"task": "notifications.tasks.deliver", "schedule": 2.0, "options": {"expires": 10}},
    "send-mail": {"task": "notifications.tasks.send_mail", "schedule": 15.0, "options": {"expires": 60}},
    "sweep-notifications": {"task": "notifications.tasks.sweep", "schedule": 3600.0, "options": {"expires": 3600}},
    "apply-due-requests": {"task": "home.tasks.apply_due", "schedule": 10.0, "options": {"expires": 10}},
    "keep-requests": {"task": "governance.tasks.keep_requests", "schedule": 30.0, "options": {"expires": 30}},
    "lapse-approvals": {"task": "governance.tasks.lapse_approvals", "schedule": 300.0, "options": {"expires": 300}},
    "scan-versions": {"task": "registry.tasks.scan_versions", "schedule": 5.0, "options": {"expires": 10}},
    "scan-older-versions": {
        "task": "registry.tasks.scan_versions",
        "schedule": 3600.0,
        "kwargs": {"every": True},
        "options": {"expires": 3600},
    },
    "sign-versions": {"task": "registry.tasks.sign_versions", "schedule": 15.0, "options": {"expires": 15}},
    "convert-waiting": {"task": "registry.tasks.convert_waiting", "schedule": 15.0, "options": {"expires": 15}},
    "purge-deleted": {"task": "registry.tasks.purge_deleted", "schedule": 3600.0, "options": {"expires": 3600}},
    "refresh-search": {"task": "registry.tasks.refresh_search", "schedule": 15.0, "options": {"expires": 15}},
    "refresh-all-search": {
        "task": "registry.tasks.refresh_search",
        "schedule": 3600.0,
        "kwargs": {"every": True},
        "options": {"expires": 3600},
    },
    "scrub-blobs": {"task": "registry.tasks.scrub_blobs", "schedule": 60.0, "options": {"expires": 30}},
    "measure-weights": {"task": "registry.tasks.measure_weights", "schedule": 15.0, "options": {"expires": 15}},
    "sweep-uploads": {"task": "registry.tasks.sweep_uploads", "schedule": 600.0, "options": {"expires": 600}},
}

# The ledger's name in its checkpoints; the first one is kept for good, whatever this says later.
LEDGER_ORIGIN = env("LEDGER_ORIGIN", f"{urlsplit(SITE_URL).netloc}/ledger")
# Where checkpoints are left outside: a file or folder, and a timestamp service (RFC 3161) with its root certificates.
LEDGER_ANCHOR_PATH = env("LEDGER_ANCHOR_PATH")
LEDGER_TSA_URL = env("LEDGER_TSA_URL")
LEDGER_TSA_CERTIFICATES = env("LEDGER_TSA_CERTIFICATES")
LEDGER_ANCHOR_EVERY_S = int(env("LEDGER_ANCHOR_EVERY_S", "60"))

RAY_DASHBOARD_URL = env("RAY_DASHBOARD_URL", "http://127.0.0.1:8265").rstrip("/")
RAY_SERVE_URL = env("RAY_SERVE_URL", "http://127.0.0.1:8999").rstrip("/")
RAY_SERVE_HOST = env("RAY_SERVE_HOST", "127.0.0.1")  # what Serve's proxy binds; widen it inside a fence only
RAY_TOKEN_PATH = env("RAY_AUTH_TOKEN_PATH")
RAY_TOKEN = env("RAY_AUTH_TOKEN")
ENGINE_CACHE = Path(env("ENGINE_CACHE", str(DATA / "engine-cache")))

# How often each process of the site adds the fetches of prompts that it counted to the table; 0: only when asked to.
PROMPT_USE_EVERY_S = float(env("PROMPT_USE_EVERY_S", "2"))

STORAGE = DATA / "storage"
PRICE_CURRENCY = env("PRICE_CURRENCY", "USD").upper()[:3]  # ISO 4217, of the prices of tokens that are set from now on
PURGE_AFTER_DAYS = float(env("PURGE_AFTER_DAYS", "30"))  # how long what was deleted can be restored
# Where the bytes lie instead: s3://bucket/prefix?endpoint=https://…&region=… Credentials come from the environment (AWS_…).
STORAGE_URL = env("STORAGE_URL")
_bucket = dict(parse_qsl(urlsplit(STORAGE_URL).query))
# Where browsers put parts and fetch files by themselves.
STORAGE_ORIGIN = (
    ""
    if not STORAGE_URL or _bucket.get("direct") == "no"
    else _bucket.get("public") or _bucket.get("endpoint") or "https://*.amazonaws.com"
).rstrip("/")
# Stored bytes are read and hashed again this often, at this rate at most; 0 days: never.
SCRUB_EVERY_DAYS = float(env("SCRUB_EVERY_DAYS", "30"))
SCRUB_MIB_PER_S = float(env("SCRUB_MIB_PER_S", "20"))
MAX_FILE_BYTES = int(env("MAX_FILE_BYTES", str(200 * 1024**3)))
# A commit at the Hugging Face door carries its small files in its body, base64, read line by line.
MAX_COMMIT_BYTES = int(env("MAX_COMMIT_BYTES", str(1024**3)))
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024**2  # JSON bodies and form fields; files stream past this limit
# Beside the storage: the system's own folder may be memory.
FILE_UPLOAD_TEMP_DIR = str(DATA / "uploads") if (DATA / "uploads").is_dir() else None
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
# vendor: what bundle.mjs (beside this file) makes of npm's packages.
STATICFILES_DIRS = [ROOT / "static", ("vendor", ROOT / "node_modules/.vendor")]
# Collected, named by their content and compressed by `config.up`; found in place in tests.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.static_files.Storage"},
}
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / ".collected").exists()
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_MAX_AGE = 0 if DEBUG else 300  # of a name that says nothing of the content; the others never change
WHITENOISE_ADD_HEADERS_FUNCTION = None

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.bodies.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "accounts.rest.problem_response",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # ?format= is ours: that of an export
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Countersign",
    "VERSION": "1",
    "DESCRIPTION": "Models, datasets and prompts: registered, evaluated, countersigned, deployed and watched.",
    "OAS_VERSION": "3.1.0",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "AccountKindEnum": "accounts.models.User.Kind",
        "AssetKindEnum": "registry.models.assets.Asset.Kind",
        "VersionStateEnum": "registry.models.versions.Version.State",
        "RequestStateEnum": "governance.models.requests.ApprovalRequest.State",
        "RunKindEnum": "tracking.models.Run.Kind",
        "RunStateEnum": "tracking.models.Run.State",  # an evaluation's too
        "DeliveryStateEnum": "notifications.models.Delivery.State",
        "DeploymentStateEnum": "serving.models.Deployment.State",
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.openapi.complete"],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"pgtrigger": {"level": "WARNING"}},  # a line for each trigger that it puts in place
}

# E-mail: smtp://user:password@host:587 (STARTTLS), smtps://…:465 (TLS at once), smtp+plain://… (neither, inside a fence only).
_mail = urlsplit(env("EMAIL_URL"))
EMAIL_BACKEND = env("EMAIL_BACKEND", f"django.core.mail.backends.{'smtp' if _mail.hostname else 'dummy'}.EmailBackend")
EMAIL_HOST = _mail.hostname or "localhost"
EMAIL_PORT = _mail.port or {"smtps": 465, "smtp": 587}.get(_mail.scheme, 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.scheme == "smtp", _mail.scheme == "smtps"
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("EMAIL_FROM", f"Countersign <countersign@{urlsplit(SITE_URL).hostname}>")

# Webhooks go to public addresses alone; an operator may allow networks of their own: 10.2.0.0/16,fd12::/48
WEBHOOK_ALLOWED_NETWORKS = [
    ipaddress.ip_network(text.strip()) for text in env("WEBHOOK_ALLOWED_NETWORKS").split(",") if text.strip()
]
WEBHOOK_ALLOW_HTTP = env("WEBHOOK_ALLOW_HTTP") == "1"
WEBHOOK_CA_FILE = env("WEBHOOK_CA_FILE")  # certificates to trust instead of the system's
