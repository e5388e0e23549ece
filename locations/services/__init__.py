"""Writes of the gazetteer and of rights."""

from locations.services.gazetteer import GazetteerLoad, load_gazetteer
from locations.services.gazetteer_file import GazetteerRefused, Problem, read_rows
from locations.services.rights import grant_role, revoke_role

__all__ = [
    "GazetteerLoad",
    "GazetteerRefused",
    "Problem",
    "grant_role",
    "load_gazetteer",
    "read_rows",
    "revoke_role",
]
