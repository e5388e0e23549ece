"""The few words of this server's own pages, in the three languages of the demo; forms bring their own."""

LANGUAGES = {"en": "English", "ru": "Русский", "kk": "Қазақша"}

_WORDS: dict[str, tuple[str, str, str]] = {
    "banner": (
        "Practice Kobo: not a real server",
        "Учебный Kobo: не настоящий сервер",
        "Оқу Kobo: нақты сервер емес",
    ),
    "projects": ("Forms", "Формы", "Формалар"),
    "projects_intro": (
        "Fill in a form here as you would on a phone. What you send stays on this computer.",
        "Заполните форму здесь, как на телефоне. Отправленное остаётся на этом компьютере.",
        "Форманы телефондағыдай осы жерде толтырыңыз. Жіберілген деректер осы компьютерде қалады.",
    ),
    "form": ("Form", "Форма", "Форма"),
    "received": ("Received", "Получено", "Қабылданды"),
    "no_projects": ("There are no forms yet.", "Форм пока нет.", "Әзірге формалар жоқ."),
    "not_found": ("There is no such form here.", "Такой формы здесь нет.", "Мұнда мұндай форма жоқ."),
    "row_not_found": ("There is no such submission.", "Такой анкеты нет.", "Мұндай жауап жоқ."),
    "closed": ("This form is closed.", "Эта форма закрыта.", "Бұл форма жабық."),
    "no_key": (
        "This link is not complete. Ask for the whole link.",
        "Ссылка неполная. Попросите полную ссылку.",
        "Сілтеме толық емес. Толық сілтемені сұраңыз.",
    ),
    "sent_as": ("Sent as", "Отправитель", "Жіберуші"),
    "required": ("This answer is required.", "Этот ответ обязателен.", "Бұл жауап міндетті."),
    "integer": ("Write a whole number.", "Введите целое число.", "Бүтін сан жазыңыз."),
    "decimal": ("Write a number.", "Введите число.", "Сан жазыңыз."),
    "date": ("Write a date as 2022-11-30.", "Введите дату так: 2022-11-30.", "Күнді былай жазыңыз: 2022-11-30."),
    "choice": ("Choose from the list.", "Выберите из списка.", "Тізімнен таңдаңыз."),
    "constraint": ("This value is not allowed.", "Это значение недопустимо.", "Бұл мәнге рұқсат жоқ."),
    "errors": (
        "Not sent yet. Correct the answers marked below; the others are kept.",
        "Ещё не отправлено. Исправьте отмеченные ответы; остальные сохранены.",
        "Әлі жіберілген жоқ. Белгіленген жауаптарды түзетіңіз; қалғандары сақталды.",
    ),
    "send": ("Send", "Отправить", "Жіберу"),
    "save": ("Save the correction", "Сохранить исправление", "Түзетуді сақтау"),
    "editing": ("Correcting submission", "Исправление анкеты", "Жауапты түзету"),
    "viewing": ("Submission", "Анкета", "Жауап"),
    "thanks": ("Thank you, the form was received.", "Спасибо, анкета получена.", "Рақмет, форма қабылданды."),
    "thanks_edit": (
        "Thank you, the correction was received.",
        "Спасибо, исправление получено.",
        "Рақмет, түзету қабылданды.",
    ),
    "number": ("Number", "Номер", "Нөмірі"),
    "another": ("Fill in another", "Заполнить ещё одну", "Тағы біреуін толтыру"),
    "back": ("All forms", "Все формы", "Барлық формалар"),
    "empty": ("empty", "пусто", "бос"),
    "several": ("several answers possible", "можно несколько ответов", "бірнеше жауап болады"),
    "not_asked": (
        "Not part of the practice form: photo, sound or file.",
        "В учебной форме не собирается: фото, звук или файл.",
        "Оқу формасында жиналмайды: фото, дыбыс немесе файл.",
    ),
}


def say(key: str, language: str) -> str:
    """Return the words in a language, in English where it is none of ours."""
    english, russian, kazakh = _WORDS[key]
    return {"ru": russian, "kk": kazakh}.get(language, english)
