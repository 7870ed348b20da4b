#!/usr/bin/env python3
"""Run an administrative command: `manage.py serve`, `migrate`, `load_demo`, …"""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{error}\nSee .env.example for every variable.")


if __name__ == "__main__":
    main()
