"""The site: pages and the native REST API (`granian --interface wsgi config.wsgi:application`)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
handler = get_wsgi_application()

from config.patience import Patient, end_dead_connections  # noqa: E402 - after Django is set up

application = Patient(handler, begin=end_dead_connections)
