import gettext
from io import BytesIO
from pathlib import Path

import pytest

from dtm_ops.common.translations.catalogue import (
    PLURAL_FORMS,
    Catalogue,
    Entry,
    compile_catalogue,
    merge_messages,
    read_catalogue,
    render_catalogue,
    write_catalogue,
)
from dtm_ops.common.translations.checks import check_catalogue, find_problems
from dtm_ops.common.translations.extraction import extract_messages
from dtm_ops.common.translations.libraries import extract_library_messages, keep_own_share
from dtm_ops.common.translations.messages import Extraction, Fault, Key, Usage

MODULE = """
from django.utils.translation import gettext as _, ngettext_lazy as count_of, npgettext, pgettext_lazy

# Translators: the state of a round
PLANNED = _("Planned" " rounds")
OPEN = pgettext_lazy("verb", "Open")
FORMS = count_of("one form", "%(n)d forms", "n")
PEOPLE = npgettext("roster", "{n} person", "{n} people", 3)
"""
TEMPLATE = """
{% load i18n %}<title>{% translate "Coverage" %}</title>
  {% translate "Open" context "adjective" as opened %}{{ total|default:_("none yet") }}
    {% blocktranslate trimmed count n=forms|length %}
      one form of
      {{ place }}
    {% plural %}
      {{ n }} forms of {{ place }}, 5 %
    {% endblocktranslate %}
 {% blocktranslate %}Kept
as is{% endblocktranslate %}
{# Translators: a button #}
{% translate 'Log in' %}
"""


def write_sources(folder: Path, **files: str) -> list[Path]:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [folder]


def extraction_of(*keys: Key, plural: str = "") -> Extraction:
    return Extraction({key: Usage(plural, {"rounds.py"}) for key in keys})


def write_round_catalogue(folder: Path, *, text: str) -> Path:
    path = folder / "django.po"
    write_catalogue(Catalogue("kk", {Key("round"): Entry("", (text,))}), path)
    return path


def test_messages_of_a_module_are_found_with_aliases_contexts_and_plurals(tmp_path: Path) -> None:
    found = extract_messages(write_sources(tmp_path, rounds_dot_py=MODULE), base=tmp_path)
    assert found.usages == {
        Key("Planned rounds"): Usage("", {"rounds.py"}, {"Translators: the state of a round"}),
        Key("Open", "verb"): Usage("", {"rounds.py"}),
        Key("one form"): Usage("%(n)d forms", {"rounds.py"}),
        Key("{n} person", "roster"): Usage("{n} people", {"rounds.py"}),
    }
    assert found.faults == []


def test_messages_of_a_template_are_found_as_django_looks_them_up(tmp_path: Path) -> None:
    found = extract_messages(write_sources(tmp_path, templates__a_dot_html=TEMPLATE), base=tmp_path)
    at = {"templates/a.html"}
    assert found.usages == {
        Key("Coverage"): Usage("", at),
        Key("Open", "adjective"): Usage("", at),
        Key("none yet"): Usage("", at),
        Key("one form of %(place)s"): Usage("%(n)s forms of %(place)s, 5 %%", at),
        Key("Kept\nas is"): Usage("", at),
        Key("Log in"): Usage("", at, {"Translators: a button"}),
    }


def test_messages_of_scripts_are_a_domain_of_their_own(tmp_path: Path) -> None:
    sources = write_sources(tmp_path, static__a_dot_js='alert(gettext("Undo"))', rounds_dot_py=MODULE)
    assert extract_messages(sources, base=tmp_path, domain="djangojs").usages == {
        Key("Undo"): Usage("", {"static/a.js"})
    }


def test_messages_of_tests_and_migrations_are_left_out(tmp_path: Path) -> None:
    sources = write_sources(tmp_path, tests__a_dot_py='_("a")', app__migrations__b_dot_py='_("b")')
    assert extract_messages(sources, base=tmp_path).usages == {}


@pytest.mark.parametrize("call", ['_(f"{n} forms")', '_("forms: " + n)', '_("%s forms" % n)'])
def test_message_built_while_running_is_a_fault(tmp_path: Path, call: str) -> None:
    found = extract_messages(write_sources(tmp_path, a_dot_py=call), base=tmp_path)
    assert [(fault.path, fault.problem) for fault in found.faults] == [
        ("a.py", "is built while running: no catalogue can hold it")
    ]


@pytest.mark.parametrize(
    ("name", "source"),
    [("a_dot_py", "x = ("), ("templates__a_dot_html", "{% blocktranslate %}{% if x %}{% endblocktranslate %}")],
)
def test_file_that_cannot_be_read_is_a_fault_and_stops_nothing(tmp_path: Path, name: str, source: str) -> None:
    sources = write_sources(tmp_path, b_dot_py='gettext("round")', **{name: source})
    found = extract_messages(sources, base=tmp_path)
    assert [fault.problem[:15] for fault in found.faults] == ["cannot be read:"]
    assert found.usages.keys() == {Key("round")}


def test_message_with_two_plurals_is_a_fault(tmp_path: Path) -> None:
    text = 'ngettext("form", "forms", n)\nngettext("form", "all forms", n)'
    found = extract_messages(write_sources(tmp_path, a_dot_py=text), base=tmp_path)
    assert found.faults == [Fault("a.py", "form", "has two plurals: 'forms' and 'all forms'")]


def test_catalogue_written_and_read_again_is_the_same(tmp_path: Path) -> None:
    catalogue = Catalogue(
        "ru",
        {
            Key("Open", "verb"): Entry("", ("Открыть",)),
            Key("Open"): Entry("", ("Открыт",), ("Translators: a state",)),
            Key('Line "one"\n\tline \\two'): Entry("", ("Строка «раз»\n\tстрока \\два",)),
            Key("%(n)d form"): Entry("%(n)d forms", ("%(n)d форма", "%(n)d формы", "%(n)d форм"), fuzzy=True),
        },
    )
    write_catalogue(catalogue, tmp_path / "django.po")
    assert read_catalogue(tmp_path / "django.po", language="ru") == catalogue


def test_catalogue_compiled_answers_as_gettext_does() -> None:
    catalogue = Catalogue(
        "ru",
        {
            Key("form"): Entry("forms", ("форма", "формы", "форм")),
            Key("Open", "verb"): Entry("", ("Открыть",)),
            Key("Close"): Entry("", ("",)),
            Key("Guess"): Entry("", ("Догадка",), fuzzy=True),
        },
    )
    compiled = gettext.GNUTranslations(BytesIO(compile_catalogue(catalogue)))
    assert [compiled.ngettext("form", "forms", n) for n in (1, 3, 5, 11, 21, 112)] == [
        *("форма", "формы", "форм", "форм", "форма", "форм"),
    ]
    said = (compiled.pgettext("verb", "Open"), compiled.gettext("Open"), compiled.gettext("Close"))
    assert (*said, compiled.gettext("Guess")) == ("Открыть", "Open", "Close", "Guess")


def test_catalogue_bytes_do_not_depend_on_the_order_of_the_source() -> None:
    one = {Key("a"): Entry("", ("а",)), Key("b"): Entry("", ("б",))}
    other = dict(reversed(one.items()))
    assert render_catalogue(Catalogue("ru", one)) == render_catalogue(Catalogue("ru", other))
    assert compile_catalogue(Catalogue("ru", one)) == compile_catalogue(Catalogue("ru", other))


def test_merging_keeps_translations_adds_new_messages_and_drops_old_ones() -> None:
    old = Catalogue("kk", {Key("round"): Entry("", ("раунд",)), Key("gone"): Entry("", ("кетті",))})
    merged = merge_messages(old, extraction_of(Key("round"), Key("form")))
    assert merged == Catalogue("kk", {Key("round"): Entry("", ("раунд",)), Key("form"): Entry("", ("",))})


def test_merging_a_message_that_got_a_plural_asks_for_all_forms_anew() -> None:
    old = Catalogue("ru", {Key("form"): Entry("", ("форма",))})
    merged = merge_messages(old, extraction_of(Key("form"), plural="forms"))
    assert merged.entries == {Key("form"): Entry("forms", ("", "", ""))}


def test_catalogue_that_is_complete_has_no_faults(tmp_path: Path) -> None:
    path = write_round_catalogue(tmp_path, text="раунд")
    assert check_catalogue(path, language="kk", extraction=extraction_of(Key("round")), base=tmp_path) == []


@pytest.mark.parametrize(
    ("text", "keys", "faults"),
    [
        ("", [Key("round")], [Fault("django.po", "round", "is not translated; used in rounds.py")]),
        ("раунд", [Key("round"), Key("form")], [Fault("django.po", "form", "is missing; used in rounds.py")]),
        ("раунд", [], [Fault("django.po", "round", "is no longer used")]),
    ],
)
def test_catalogue_with_gaps_names_each(tmp_path: Path, text: str, keys: list[Key], faults: list[Fault]) -> None:
    path = write_round_catalogue(tmp_path, text=text)
    assert check_catalogue(path, language="kk", extraction=extraction_of(*keys), base=tmp_path) == faults


def test_catalogue_without_its_file_names_every_message(tmp_path: Path) -> None:
    faults = check_catalogue(tmp_path / "a.po", language="kk", extraction=extraction_of(Key("round")), base=tmp_path)
    assert faults == [Fault("a.po", "round", "is missing; used in rounds.py")]


def test_catalogue_whose_compiled_file_is_older_is_a_fault(tmp_path: Path) -> None:
    path = write_round_catalogue(tmp_path, text="раунд")
    path.write_text(path.read_text(encoding="utf-8").replace("раунд", "кезең"), encoding="utf-8")
    faults = check_catalogue(path, language="kk", extraction=extraction_of(Key("round")), base=tmp_path)
    assert faults == [Fault("django.po", "", "does not agree with django.mo; run `manage.py translations update`")]


def test_catalogue_with_an_obsolete_message_is_a_fault(tmp_path: Path) -> None:
    path = write_round_catalogue(tmp_path, text="раунд")
    path.write_text(path.read_text(encoding="utf-8") + '\n#~ msgid "old"\n#~ msgstr "ескі"\n', encoding="utf-8")
    faults = check_catalogue(path, language="kk", extraction=extraction_of(Key("round")), base=tmp_path)
    assert faults == [Fault("django.po", "old", "is obsolete (#~)")]


def test_catalogue_that_cannot_be_read_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "a.po").write_text('msgid "round"\nnonsense\n', encoding="utf-8")
    faults = check_catalogue(tmp_path / "a.po", language="kk", extraction=Extraction(), base=tmp_path)
    assert [(fault.path, fault.problem[:15]) for fault in faults] == [("a.po", "cannot be read:")]


@pytest.mark.parametrize(
    ("key", "entry", "problems"),
    [
        (Key("%(n)s of %(all)s"), Entry("", ("%(all)s ішінен %(n)s",)), []),
        (
            Key("%(n)s of %(all)s"),
            Entry("", ("%(n)s из всех",)),
            ["has other placeholders: ['%(all)s', '%(n)s'] became ['%(n)s']"],
        ),
        (Key("{n} due"), Entry("", ("{m} due",)), ["has other placeholders: ['{n}'] became ['{m}']"]),
        (Key("%d %%"), Entry("", ("%d %",)), ["has another number of %%"]),
        (Key("one form"), Entry("%(n)d forms", ("%(n)d форма", "%(n)d формы", "%(n)d форм")), []),
        (
            Key("one form"),
            Entry("%(n)d forms", ("одна форма", "%(n)d формы", "%(n)d форм")),
            ["has other placeholders: ['%(n)d'] became []"],
        ),
        (Key("<b>Now</b>"), Entry("", ("<b>Сейчас",)), ["has other tags: ['</b>', '<b>'] became ['<b>']"]),
        (Key("Name: "), Entry("", ("Имя:",)), ["begins or ends with other white space: 'Имя:'"]),
        (Key("person"), Entry("", ("к\x69сі",)), ["mixes Latin and Cyrillic letters in 'к\x69сі'"]),
        (Key("person"), Entry("", ("адам",), fuzzy=True), ["is marked fuzzy"]),
    ],
)
def test_translated_message_with_a_slip_is_told(key: Key, entry: Entry, problems: list[str]) -> None:
    assert list(find_problems(key, entry)) == problems


def test_library_messages_hold_what_people_meet_and_not_the_worlds_languages() -> None:
    usages = extract_library_messages().usages
    assert usages[Key("This field is required.")].paths >= {"django/forms/fields.py", "rest_framework/fields.py"}
    assert Key("Abkhazian") not in usages
    assert Key("Armenian") not in usages


def test_own_share_of_the_library_messages_is_what_they_do_not_say_or_we_say_better() -> None:
    said, unsaid = Key("Enter a valid value."), Key("Select a lookup.")
    library = extraction_of(said, unsaid)
    ours = Catalogue("kk", {said: Entry("", ("Дұрыс мән енгізіңіз.",))})
    assert keep_own_share(library, language="kk", ours=Catalogue("kk")).usages.keys() == {unsaid}
    assert keep_own_share(library, language="kk", ours=ours).usages.keys() == {said, unsaid}


def test_plural_forms_of_each_language_have_as_many_as_they_say() -> None:
    assert {language: int(rule[9]) for language, (_count, rule) in PLURAL_FORMS.items()} == {"kk": 2, "ru": 3}
    assert {language: count for language, (count, _rule) in PLURAL_FORMS.items()} == {"kk": 2, "ru": 3}
