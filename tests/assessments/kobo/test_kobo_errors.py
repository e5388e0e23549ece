import pickle

import pytest

from assessments.kobo import errors
from assessments.kobo.errors import KoboPayloadError, KoboRejected, KoboUnavailable, Problem


def test_error_text_with_params_is_a_plain_line() -> None:
    error = KoboRejected("no_project", host="kf.example.org", asset_uid="aBc", status=404)

    assert str(error) == (
        "Project aBc is not visible to this token on kf.example.org (missing, in the trash, or no right)."
    )
    assert repr(error) == "KoboRejected('no_project', host='kf.example.org', asset_uid='aBc', status=404)"


@pytest.mark.parametrize("code", [*errors._SENTENCES, "unheard_of"])
def test_error_text_without_params_never_fails(code: str) -> None:
    assert str(KoboUnavailable(code)) == code


def test_error_pickled_keeps_code_and_params() -> None:
    error = pickle.loads(pickle.dumps(KoboUnavailable("timed_out", host="kf.example.org")))  # noqa: S301 - our own bytes

    assert (type(error), error.code, error.params) == (KoboUnavailable, "timed_out", {"host": "kf.example.org"})


def test_payload_error_pickled_keeps_its_problems() -> None:
    problem = Problem("wrong_type", "_id", "'7'")
    error = pickle.loads(pickle.dumps(KoboPayloadError(problem)))  # noqa: S301 - our own bytes

    assert (error.code, error.problems) == ("bad_row", (problem,))
    assert str(error) == "The row cannot be used: _id: wrong_type ('7')"
