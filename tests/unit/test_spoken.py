"""Spoken form: a table of what people write and what they say, and what must hold for any text."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.speaking.lexicon import LEXICONS, UNITS
from agent.speaking.spoken import spoken

ENGLISH = [
    # money
    ("It costs $5.50.", "It costs 5 dollars and 50 cents."),
    ("It was $1,299.99 on sale.", "It was 1,299 dollars and 99 cents on sale."),
    ("Just $1 or $1.01.", "Just 1 dollar or 1 dollar and 1 cent."),
    ("Only $0.99!", "Only 99 cents!"),
    ("It is $20.00 now.", "It is 20 dollars now."),
    ("€3.50 and £20", "3 euros and 50 cents and 20 pounds"),
    ("$2.5 million", "2.5 million dollars"),
    ("They raised $5M.", "They raised 5 million dollars."),
    ("$5-$10", "5 to 10 dollars"),
    ("US$20, 20 USD, ¥500, ₹300", "20 dollars, 20 dollars, 500 yen, 300 rupees"),
    ("CHF 20", "20 Swiss francs"),
    # units
    ("A 3.5 mm jack.", "A 3.5 millimeters jack."),
    ("He runs 5 km/h.", "He runs 5 kilometers per hour."),
    ("It is 20°C or 68 °F.", "It is 20 degrees Celsius or 68 degrees Fahrenheit."),
    ("It fell to -1 °C.", "It fell to -1 degree Celsius."),
    ("It weighs 2 kg and 3 lbs.", "It weighs 2 kilograms and 3 pounds."),
    ("10 GB of RAM at 3.2 GHz", "10 gigabytes of RAM at 3.2 gigahertz"),
    ("100 m in 9.58 s", "100 meters in 9.58 seconds"),
    ("a 5-km run", "a 5 kilometer run"),
    ("1,500 km away", "1,500 kilometers away"),
    ("1 km or 1 mile", "1 kilometer or 1 mile"),
    ("about 5–10 km", "about 5 to 10 kilometers"),
    ("5'10\" tall", "5 feet 10 inches tall"),
    ("Approx. 30 min.", "Approximately 30 minutes."),
    # dates, times, years
    ("On 2026-11-21 it was.", "On November 21st, 2026 it was."),
    ("On 12/25/2026.", "On December 25th, 2026."),
    ("On 25/12/2026.", "On December 25th, 2026."),
    ("On March 15, 1984.", "On March 15th, 19 84."),
    ("In 1905 and in 1900.", "In 19 oh 5 and in 19 hundred."),
    ("In the 1990s.", "In the 19 nineties."),
    ("The '80s, the 2000s.", "The eighties, the two thousands."),
    ("At 3:00 or 3:00 pm.", "At 3 o'clock or 3 pm."),
    ("1984–1990", "19 84 to 19 90"),
    # addresses and telephones
    ("Write to a@b.com.", "Write to a at b dot com."),
    ("Write to john.smith@example.co.uk now.", "Write to john dot smith at example dot co dot U K now."),
    ("See www.x.org for more.", "See x dot org for more."),
    ("See example.com/docs.", "See example dot com slash docs."),
    ("Call (555) 123-4567.", "Call 5 5 5, 1 2 3, 4 5 6 7."),
    ("Call +1 555 123 4567.", "Call plus 1, 5 5 5, 1 2 3, 4 5 6 7."),
    ("Call 555-0199.", "Call 5 5 5, 0 1 9 9."),
    ("IP 192.168.0.1", "IP 192 dot 168 dot 0 dot 1"),
    # numbers and their signs
    ("Use v2.0 of it.", "Use version 2 point 0 of it."),
    ("Version 3.11.4 is out.", "Version 3 point 11 point 4 is out."),
    ("We are #1.", "We are number 1."),
    ("No. 5", "number 5"),
    ("It takes ~5 days.", "It takes about 5 days."),
    ("From 5-10 people.", "From 5 to 10 people."),
    ("Pages 10–20.", "Pages 10 to 20."),
    ("We won 3-2.", "We won 3 to 2."),
    ("1/2 cup of milk, 1 1/2 eggs", "one half cup of milk, 1 and a half eggs"),
    ("3 x 4, 3×4, 2x faster", "3 times 4, 3 times 4, 2 times faster"),
    ("5 - 3 = 2", "5 minus 3 = 2"),
    ("x² and 10^6", "x squared and 10 to the power of 6"),
    ("10k users", "10 thousand users"),
    ("Henry IV was king.", "Henry the 4th was king."),
    ("World War II", "World War 2"),
    ("Open 24/7.", "Open 24 7."),
    # words
    ("Fruit, e.g. apples, i.e. food etc.", "Fruit, for example apples, that is food et cetera."),
    ("This vs. that", "This versus that"),
    ("I know C++ and C#.", "I know C++ and C sharp."),
    ("H2O and CO2", "H 2 O and C O 2"),
    # marks for the eye
    ("<b>bold</b><br/> Tom &amp; Jerry", "bold Tom & Jerry"),
    ("## **5 km** ~~no~~", "5 kilometers no"),
    ("- *2 kg* of `flour` 🍞", "2 kilograms of flour"),
]

UNCHANGED = [
    "At 10:30 we meet.", "The 3rd one.", "50% of it.", "Dr. Smith came.", "1,234,567 people.", "Tom & Jerry.",
    "5 ± 2", "2 + 2 = 4", "-5 degrees", "Room 101, 90210", "mp3 and B2B", "COVID-19", "Wi-Fi 6", "8 a.m. to 5 p.m.",
    "I have 1984 apples.", "In 2026", "file_name.py", "the 5s", "5m", "a 4K screen", "1e-5", "@john", "if a < b > c",
    "F-16", "123-45-6789", "2026-13-45", "99/99/2026", "AT&T", "well-known", "on-site", "No. Five came.",
    "9" * 60 + " km", "0.12345678901234 km",
]  # fmt: skip

OTHERS = [
    ("de", "3,5 km bei 20 °C", "3,5 Kilometer bei 20 Grad Celsius"),
    ("de", "1.000 km, 1.234.567 Leute", "1.000 Kilometer, 1.234.567 Leute"),
    ("de", "Es kostet 5,50 €.", "Es kostet 5 Euro 50."),
    ("de", "Am 21.11.2026", "Am 21. November 2026"),
    ("de", "z. B. a@b.de bzw. 5–10", "zum Beispiel a at b Punkt D E beziehungsweise 5 bis 10"),
    ("fr", "5 km/h, 5,50 €, 2 Go", "5 kilomètres par heure, 5 euros 50, 2 gigaoctets"),
    ("fr", "le 21/11/2026, p. ex.", "le 21 novembre 2026, par exemple."),
    ("fr", "06 12 34 56 78", "0 6, 1 2, 3 4, 5 6, 7 8"),
    ("es", "5,50 € y 20 °C", "5 euros con 50 y 20 grados Celsius"),
    ("es", "21/11/2026", "21 de noviembre de 2026"),
    ("pt", "R$ 5,50 e 5 km/h", "5 reais e 50 e 5 quilômetros por hora"),
    ("it", "5,50 € a 5 km/h", "5 euro e 50 a 5 chilometri orari"),
    ("ru", "5 km", "5 километров"),
    ("ja", "2026-11-21", "2026年11月21日"),
    ("xx", "**5 km**", "5 km"),
    ("", "5 km", "5 km"),
]


@pytest.mark.parametrize(("written", "said"), ENGLISH)
def test_is_said_in_english(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize("written", UNCHANGED)
def test_what_synthesisers_read_right_or_nobody_knows_stays(written: str) -> None:
    assert spoken(written) == written


@pytest.mark.parametrize(("language", "written", "said"), OTHERS)
def test_is_said_in_other_languages(language: str, written: str, said: str) -> None:
    assert spoken(written, language=language) == said


@pytest.mark.parametrize("language", [*LEXICONS, "nl", "pl"])
def test_every_unit_has_a_name(language: str) -> None:
    for sign in UNITS:
        said = spoken(f"2 {sign}", language)
        assert said.startswith("2 ")
        assert said != f"2 {sign}" or sign == "min"


PIECES = st.sampled_from(
    ["$", "€", "5", "0", "12", ".", ",", "-", "–", "/", ":", "%", " km", " m", "°C", "@", "a.com", "www.", "#", "~",
     "^", "²", "×", "+", "(", ")", "=", "e.g.", "v", "k", "s", "'", " ", "\n", "*", "**", "_", "`", "|", "[x](y)",
     "<b>", "&amp;", "&#0;", "King", " IV", "World War II", "January ", "word", "٣", "½", "9999999999999", "\u00a0"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=120)
WORDS = st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=1, max_size=12)


@given(TEXTS, st.sampled_from([*LEXICONS, "nl", "ar", "hi", "xx", "", "not a language", "en-GB"]))
@example("9" * 3000 + " km", "en")
@example("0-" * 1000, "de")
@example("a.b-" * 500 + "@", "en")
def test_any_text_can_be_said(text: str, language: str) -> None:
    said = spoken(text, language)
    assert said == said.strip()
    assert not said or any(character.isalnum() for character in said)
    assert "**" not in said


@given(TEXTS)
def test_what_has_neither_letters_nor_digits_is_silence(text: str) -> None:
    silent = re.sub(r"[^\W_]", "", re.sub(r"&\S*;", "", text))
    assert spoken(silent) in {"", "greater than or equal to", "less than or equal to"} or re.search(r"[≥≤≠]", silent)


@given(WORDS, st.sampled_from(["*", "**", "***", "_", "__", "~~", "`"]), st.data())
def test_no_emphasis_is_left_around_words(words: list[str], mark: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    marked = [*words[:first], mark + " ".join(words[first : last + 1]) + mark, *words[last + 1 :]]
    said = spoken("Now " + " ".join(marked))
    assert said == "Now " + " ".join(words)


@given(WORDS, st.sampled_from([*LEXICONS]))
def test_plain_words_stay_what_they_are(words: list[str], language: str) -> None:
    text = " ".join(words)
    assert spoken(text, language) == text
    assert spoken(spoken(text, language), language) == text
