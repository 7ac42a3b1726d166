"""The environment variables that the application reads."""

from dataclasses import fields

from functions.settings import Settings

VARIABLES = frozenset(field.name.upper() for field in fields(Settings))
