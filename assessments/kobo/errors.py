"""What can go wrong with Kobo, sorted by what has to happen next: wait, ask a person, set one row aside.

Every error carries a machine `code` and `params`; the caller words them in the reader's language. `str(error)` is a
plain English line for logs. The client takes the token out of `params` before it raises.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SENTENCES: Mapping[str, str] = {
    # KoboUnavailable
    "too_many_requests": "{host} asks to slow down (HTTP {status}).",
    "server_unavailable": "{host} is not available at the moment (HTTP {status}).",
    "server_error": "{host} failed on its side (HTTP {status}).",
    "query_failed": "{host} could not finish the query in time.",
    "not_json": "{host} answered something other than JSON (HTTP {status}): {excerpt}",
    "bad_answer": "{host} answered JSON of an unknown shape ({what}).",
    "paging_broken": "{host} sent rows out of order after row {after_id} of project {asset_uid}.",
    "connection_failed": "No connection to {host}: {reason}",
    "connection_cut": "The connection to {host} broke in the middle of an answer.",
    "timed_out": "{host} did not answer in time.",
    "import_slow": "{host} has not finished reading the form.",
    "not_taken": "{host} answered, but project {asset_uid} does not have what was sent.",
    "media_contended": "Somebody else keeps replacing {file} of project {asset_uid}.",
    # KoboRejected
    "bad_address": "{address} is not a usable server address.",
    "bad_certificate": "The certificate of {host} cannot be trusted: {reason}",
    "bad_token": "{host} does not accept the token.",
    "not_kobo": "{host} does not answer like a KoboToolbox server (HTTP {status}).",
    "redirected": "{host} redirects to {to}; the token is not sent there.",
    "no_project": "Project {asset_uid} is not visible to this token on {host} (missing, in the trash, or no right).",
    "no_submission": "Submission {kobo_id} is not in project {asset_uid} on {host}.",
    "no_file": "The file is not at Kobo any more (HTTP {status}).",
    "no_version": "Project {asset_uid} on {host} has no form version {version_uid}.",
    "forbidden": "{host} does not allow this (HTTP {status}): {excerpt}",
    "not_deployed": "Project {asset_uid} on {host} has not been deployed.",
    "removed_api": "{host} no longer has this part of its API (HTTP {status}).",
    "conflict": "{host} cannot tell which submission is meant (HTTP {status}): {excerpt}",
    "bad_request": "{host} did not understand the request (HTTP {status}): {excerpt}",
    "refused": "{host} refused the request (HTTP {status}): {excerpt}",
    "import_failed": "{host} could not read the form: {reason}",
    "no_import": "{host} does not know the import any more (HTTP {status}).",
    "content_differs": "Project {asset_uid} on {host} has another form than was sent ({count} differences: {what}).",
    "changed_meanwhile": "Somebody changed project {asset_uid} on {host} meanwhile.",
    "undeployed_changes": "Project {asset_uid} on {host} has changes that were not deployed.",
    "archived": "Project {asset_uid} on {host} is archived.",
    "no_account": "{host} has no account {username}.",
    "list_not_asked": "The form of project {asset_uid} does not ask for {file}.",
}


class KoboError(Exception):
    """Base of all. `code` is stable and part of what is stored; `params` hold only plain values (text, numbers)."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params: dict[str, Any] = params

    def __str__(self) -> str:
        try:
            return _SENTENCES[self.code].format_map(self.params)
        except KeyError:
            # an error that went through a queue may come back without its params
            return self.code

    def __repr__(self) -> str:
        params = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"{type(self).__name__}({self.code!r}{params})"


class KoboUnavailable(KoboError):
    """Nobody has to act: the same request may succeed later.

    `params["retry_after"]` (seconds, as the server asked) is there for 429 and 503 that named a time.
    """


class KoboRejected(KoboError):
    """The same request will fail again until a person acts.

    `no_project` covers a missing or trashed project, a lost right and a wrong server alike (Kobo answers 404 to all of
    them); it never means that submissions were deleted.
    """


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a row cannot be used.

    `code`: not_an_object, missing, wrong_type, out_of_range, too_long, too_deep. `path`: the key in the row, "" for the
    row itself. `value`: a short text of what was there.
    """

    code: str
    path: str
    value: str


class KoboPayloadError(KoboError):
    """One row cannot be used; the others can. The row itself is to be kept as received."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("bad_row")
        self.args = problems
        self.problems: tuple[Problem, ...] = problems

    def __str__(self) -> str:
        listed = "; ".join(f"{problem.path or 'row'}: {problem.code} ({problem.value})" for problem in self.problems)
        return f"The row cannot be used: {listed}"

    def __repr__(self) -> str:
        return f"KoboPayloadError{self.problems!r}"
