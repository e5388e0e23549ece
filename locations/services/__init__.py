"""Writes of the gazetteer and of rights."""

from locations.services.aliases import add_alias, follow_names, keep_old_names, read_aliases, remove_alias
from locations.services.gazetteer import GazetteerLoad, load_gazetteer
from locations.services.gazetteer_file import GazetteerRefused, Problem, read_rows
from locations.services.rights import grant_role, revoke_role

__all__ = [
    "GazetteerLoad",
    "GazetteerRefused",
    "Problem",
    "add_alias",
    "follow_names",
    "grant_role",
    "keep_old_names",
    "load_gazetteer",
    "read_aliases",
    "read_rows",
    "remove_alias",
    "revoke_role",
]
