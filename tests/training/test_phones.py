import pytest

from training.phones import normalise_phone


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("8 701 123 45 67", "+77011234567"),
        ("+7 (701) 123-45-67", "+77011234567"),
        ("+7\u00a0701\u2011123\u201145\u201167", "+77011234567"),
        ("701 123 45 67", "+77011234567"),
        ("7 701 123 45 67", "+77011234567"),
        ("00998901234567", "+998901234567"),
        ("+998 90 123 45 67", "+998901234567"),
        (77011234567.0, "+77011234567"),
        (87011234567, "+77011234567"),
        ("77011234567.0", "+77011234567"),
        ("'+77011234567", "+77011234567"),
        ("", ""),
        (None, ""),
        ("  ", ""),
    ],
)
def test_phone_is_kept_as_e164_however_it_is_written(typed, kept):
    assert normalise_phone(typed) == kept


@pytest.mark.parametrize(
    "typed", ["12", "abc", "+0701", "8701123456789012345", "٠١٢٣٤٥٦٧٨٩", "7011234567 or 68", "1.5"]
)
def test_what_is_no_phone_is_refused_in_words(typed):
    with pytest.raises(ValueError, match="is not a phone number"):
        normalise_phone(typed)
