"""All settings, from the environment. docs/deployment.md lists every variable.

With nothing set this is the embedded default: SQLite in ``var/``, a generated secret key, one
machine, no TLS. ``MOCTRACKER_HOSTS`` makes it a public site: TLS redirects and secure cookies
follow from it.
"""

import os

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import SimpleLazyObject

from .environment import (
    BASE_DIR,
    VAR_DIR,
    database,
    generated_key,
    mail_address,
    mail_server,
    number,
    switch,
)

PUBLIC_HOSTS = os.environ.get("MOCTRACKER_HOSTS", "").split()
# Made when it is first needed: whoever only reads the settings leaves no file behind.
SECRET_KEY = os.environ.get("MOCTRACKER_SECRET_KEY") or SimpleLazyObject(generated_key)
DEBUG = os.environ.get("MOCTRACKER_DEBUG") == "1"
ALLOWED_HOSTS = PUBLIC_HOSTS or ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sitemaps",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_countries",
    "django_filters",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    # After allauth, two of whose admin pages it takes away.
    "agreements",
]

MIDDLEWARE = [
    # Outermost: what the others refuse says how it may be kept, too.
    "moctracker.middleware.CacheControl",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Django adds random bytes for the staff desk: the size of a page could betray a secret in it.
    # Public answers hold none and come from the response cache compressed, without them.
    "moctracker.compression.GZip",
    "csp.middleware.CSPMiddleware",
    "moctracker.middleware.TrackingParameters",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "moctracker.middleware.BodyLimit",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "agreements.sign_in.middleware.TwoFactors",
    "agreements.admin.guard.ReadableValues",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "moctracker.urls"
WSGI_APPLICATION = "moctracker.wsgi.application"
ASGI_APPLICATION = "moctracker.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "agreements.sign_in.context.staff_desk",
            ],
        },
    },
]


DATABASES = {
    "default": database(
        os.environ.get("DATABASE_URL") or f"sqlite:///{VAR_DIR / 'moctracker.sqlite3'}"
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    OWN_OPTIONS = {
        # Writers queue instead of failing as "locked"; readers never wait.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # Up to 256 MiB of the file are read where the system keeps them, without a call a page.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=268435456;"
        ),
    }
    # To open it for each request costs as much as a whole empty page. Each thread keeps its own.
    DATABASES["default"]["CONN_MAX_AGE"] = None
    # An in-memory test database cannot be shared between the threads of the browser tests.
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
else:
    OWN_OPTIONS = {
        # Every thread may hold one connection, and a lost one is noticed before use.
        "pool": {"min_size": 0, "max_size": 16, "timeout": 10},
    }
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# What the address itself asks for (sslmode=require) stands.
DATABASES["default"]["OPTIONS"] = OWN_OPTIONS | DATABASES["default"].get("OPTIONS", {})

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Failed sign-ins are counted for all processes together, and survive a restart.
CACHES = {
    "default": {
        "BACKEND": "agreements.sign_in.cache.Counts",
        "LOCATION": "moctracker_cache",
        # Made-up names must not push real counts out.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# What each process keeps of the public answers it made: agreements/views/answer_cache.py.
ANSWER_CACHE_BYTES = number("MOCTRACKER_ANSWERS_MB", default=32, most=4096) * 2**20

AUTHENTICATION_BACKENDS = ["agreements.sign_in.backend.StaffBackend"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
# An idle session ends after a working day, and with the browser.
SESSION_COOKIE_AGE = 8 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
TWO_FACTORS_REQUIRED = switch("MOCTRACKER_TWO_FACTORS", default=bool(PUBLIC_HOSTS))
LOCKOUT_MINUTES = 15

ALLAUTH_TRUSTED_PROXY_COUNT = number("MOCTRACKER_PROXIES", default=1 if PUBLIC_HOSTS else 0, most=9)
ACCOUNT_ADAPTER = "agreements.sign_in.adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_RATE_LIMITS = {
    # Attempts from an address, on an account; a whole office may share one address.
    "login_failed": f"20/{LOCKOUT_MINUTES}m/ip,5/{LOCKOUT_MINUTES}m/key",
}
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
MFA_ADAPTER = "agreements.sign_in.adapters.FactorAdapter"
MFA_FORMS = {
    "activate_totp": "agreements.sign_in.forms.SetUpAppForm",
    "authenticate": "agreements.sign_in.forms.CodeForm",
    "reauthenticate": "agreements.sign_in.forms.ConfirmCodeForm",
    "authenticate_webauthn": "agreements.sign_in.forms.KeyForm",
    "reauthenticate_webauthn": "agreements.sign_in.forms.ConfirmKeyForm",
    "add_webauthn": "agreements.sign_in.forms.AddKeyForm",
    "edit_webauthn": "agreements.sign_in.forms.RenameKeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "moctracker"
MFA_TOTP_PERIOD = 30
# People type slowly and clocks go wrong: the code before and the code after are good too.
MFA_TOTP_TOLERANCE = 1
# The embedded default has no TLS.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PUBLIC_HOSTS

LANGUAGE_CODE = "en-gb"
# "Today" on the register is Singapore's today, wherever the server stands.
TIME_ZONE = "Asia/Singapore"
USE_I18N = False
USE_TZ = True

# ISO 3166-1 has no code for the Union; the register uses the reserved one.
COUNTRIES_OVERRIDE = {"EU": "European Union"}

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
# Stored copies of sources: for staff only, so they live under the admin.
MEDIA_URL = "/admin/stored/"
MEDIA_ROOT = VAR_DIR / "media"
# The releases of the data package, which anybody may have.
RELEASES_ROOT = VAR_DIR / "releases"
# Django would open uploaded files to every account of the machine, whatever the umask.
FILE_UPLOAD_PERMISSIONS = 0o600
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
# A long list of inlines is one record, not an attack; the default of 1000 is soon reached.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

if PUBLIC_HOSTS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in PUBLIC_HOSTS]
    SECURE_HSTS_SECONDS = number("MOCTRACKER_HSTS", default=3600, most=63_072_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = switch("MOCTRACKER_HSTS_SUBDOMAINS", default=False)
    SECURE_HSTS_PRELOAD = switch("MOCTRACKER_HSTS_PRELOAD", default=False)
    # The browsers' list takes no other name, and a name leaves it after months only.
    if SECURE_HSTS_PRELOAD and not (
        SECURE_HSTS_INCLUDE_SUBDOMAINS and SECURE_HSTS_SECONDS >= 31_536_000
    ):
        raise ImproperlyConfigured(
            "MOCTRACKER_HSTS_PRELOAD=1 needs MOCTRACKER_HSTS_SUBDOMAINS=1 and MOCTRACKER_HSTS of "
            "31536000 or more."
        )
# Subdomains and preloading bind sites that are not ours: the operator asks for them on purpose.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# Where the links in mails lead.
SITE_URL = (
    f"https://{PUBLIC_HOSTS[0]}"
    if PUBLIC_HOSTS
    else f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}"
)


_MAIL = mail_server(os.environ.get("MOCTRACKER_EMAIL_URL", ""))
EMAIL_BACKEND = f"django.core.mail.backends.{_MAIL['backend']}.EmailBackend"
EMAIL_HOST, EMAIL_PORT = _MAIL["host"], _MAIL["port"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL["user"], _MAIL["password"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _MAIL["tls"] == "asked for", _MAIL["tls"] == "from the start"
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = mail_address("MOCTRACKER_EMAIL_FROM") or "moctracker@localhost"
# Hears of records without an owner, and is whom operators of other sites can write to.
DESK_EMAIL = mail_address("MOCTRACKER_DESK_EMAIL")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    # A wrong address is the visitor's; only our own errors are worth a line.
    "loggers": {"django.request": {"level": "ERROR"}},
}
