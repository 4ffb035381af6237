"""The few words of each language that CLDR has none for: how an address, a range, a price is read aloud.

Names of units, currencies and months are not here; they are Babel's (`agent.speaking.readings`).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One language's words. "" leaves the sign as it was written, for the synthesiser to read."""

    at: str = ""
    """in an e-mail address"""
    dot: str = ""
    """in an address"""
    point: str = ""
    """in a version number"""
    slash: str = ""
    dash: str = ""
    underscore: str = ""
    plus: str = ""
    to: str = ""
    """between the ends of a range"""
    about: str = ""
    """ "~" before a number"""
    number: str = ""
    """ "#" before a number"""
    version: str = ""
    """ "v" before a number"""
    day_first: bool = True
    """1/2/2026 is in February"""
    minor: str = "{major} {minor}"
    """an amount with a fraction; ``major`` has its currency's name, ``minor`` the digits"""
    money: dict[str, tuple[str, str]] = field(default_factory=dict)
    """ISO 4217 to one and several; the full name ("US dollars") of those that are not here is Babel's"""
    small_money: dict[str, tuple[str, str]] = field(default_factory=dict)
    """ISO 4217 to one and several hundredths"""
    abbreviations: dict[str, str] = field(default_factory=dict)
    """as written, with its full stops, to words; what every synthesiser reads right is not here"""


NO_WORDS = Lexicon()
"""of a language that is not in `LEXICONS`: Babel's names are still used"""

LEXICONS = {
    "en": Lexicon(
        at="at", dot="dot", point="point", slash="slash", dash="dash", underscore="underscore", plus="plus", to="to",
        about="about", number="number", version="version", day_first=False, minor="{major} and {minor}",
        money={"USD": ("dollar", "dollars"), "EUR": ("euro", "euros"), "GBP": ("pound", "pounds"),
               "JPY": ("yen", "yen"), "INR": ("rupee", "rupees")},
        small_money={"USD": ("cent", "cents"), "EUR": ("cent", "cents"), "GBP": ("penny", "pence")},
        abbreviations={"e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "w/": "with",
                       "approx.": "approximately", "Approx.": "Approximately", "w/o": "without", "24/7": "24 7",
                       "and/or": "and or"},
    ),
    "de": Lexicon(
        at="at", dot="Punkt", point="Punkt", slash="Schrägstrich", dash="Bindestrich", underscore="Unterstrich",
        plus="plus", to="bis", about="etwa", number="Nummer", version="Version",
        money={"USD": ("Dollar", "Dollar"), "EUR": ("Euro", "Euro"), "GBP": ("Pfund", "Pfund")},
        abbreviations={"z.B.": "zum Beispiel", "z. B.": "zum Beispiel", "d.h.": "das heißt", "d. h.": "das heißt",
                       "bzw.": "beziehungsweise", "ca.": "circa", "Dr.": "Doktor", "Nr.": "Nummer",
                       "u.a.": "unter anderem", "evtl.": "eventuell", "ggf.": "gegebenenfalls", "inkl.": "inklusive"},
    ),
    "fr": Lexicon(
        at="arobase", dot="point", point="point", slash="slash", dash="tiret", underscore="tiret bas", plus="plus",
        to="à", about="environ", number="numéro", version="version",
        money={"USD": ("dollar", "dollars"), "EUR": ("euro", "euros"), "GBP": ("livre", "livres")},
        abbreviations={"p. ex.": "par exemple", "p.ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "M.": "Monsieur",
                       "Mme": "Madame", "env.": "environ"},
    ),
    "es": Lexicon(
        at="arroba", dot="punto", point="punto", slash="barra", dash="guion", underscore="guion bajo", plus="más",
        to="a", about="unos", number="número", version="versión", minor="{major} con {minor}",
        money={"USD": ("dólar", "dólares"), "EUR": ("euro", "euros"), "GBP": ("libra", "libras")},
        abbreviations={"p. ej.": "por ejemplo", "p.ej.": "por ejemplo", "EE. UU.": "Estados Unidos",
                       "EE.UU.": "Estados Unidos", "Ud.": "usted", "Uds.": "ustedes", "aprox.": "aproximadamente"},
    ),
    "pt": Lexicon(
        at="arroba", dot="ponto", point="ponto", slash="barra", dash="hífen", underscore="sublinhado", plus="mais",
        to="a", about="cerca de", number="número", version="versão", minor="{major} e {minor}",
        money={"USD": ("dólar", "dólares"), "EUR": ("euro", "euros"), "GBP": ("libra", "libras"),
               "BRL": ("real", "reais")},
        abbreviations={"p. ex.": "por exemplo", "p.ex.": "por exemplo", "aprox.": "aproximadamente"},
    ),
    "it": Lexicon(
        at="chiocciola", dot="punto", point="punto", slash="barra", dash="trattino", underscore="trattino basso",
        plus="più", to="a", about="circa", number="numero", version="versione", minor="{major} e {minor}",
        money={"USD": ("dollaro", "dollari"), "EUR": ("euro", "euro"), "GBP": ("sterlina", "sterline")},
        abbreviations={"p.es.": "per esempio", "p. es.": "per esempio", "ecc.": "eccetera"},
    ),
}  # fmt: skip

CURRENCIES = {
    "$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "R$": "BRL", "C$": "CAD",
    "A$": "AUD", "USD": "USD", "EUR": "EUR", "GBP": "GBP", "JPY": "JPY", "CHF": "CHF", "INR": "INR", "CAD": "CAD",
    "AUD": "AUD", "BRL": "BRL",
}  # fmt: skip
"""sign or code to ISO 4217"""

UNITS = {
    "km": "length-kilometer", "cm": "length-centimeter", "mm": "length-millimeter", "m": "length-meter",
    "µm": "length-micrometer", "mi": "length-mile", "ft": "length-foot", "yd": "length-yard",
    "km/h": "speed-kilometer-per-hour", "kph": "speed-kilometer-per-hour", "mph": "speed-mile-per-hour",
    "m/s": "speed-meter-per-second", "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram",
    "lb": "mass-pound", "lbs": "mass-pound", "oz": "mass-ounce", "t": "mass-tonne", "°C": "temperature-celsius",
    "℃": "temperature-celsius", "°F": "temperature-fahrenheit", "℉": "temperature-fahrenheit",
    "TB": "digital-terabyte", "GB": "digital-gigabyte", "MB": "digital-megabyte", "kB": "digital-kilobyte",
    "KB": "digital-kilobyte", "Go": "digital-gigabyte", "Mo": "digital-megabyte", "Hz": "frequency-hertz",
    "kHz": "frequency-kilohertz", "MHz": "frequency-megahertz", "GHz": "frequency-gigahertz", "W": "power-watt",
    "kW": "power-kilowatt", "MW": "power-megawatt", "kWh": "energy-kilowatt-hour", "kcal": "energy-kilocalorie",
    "V": "electric-volt", "l": "volume-liter", "L": "volume-liter", "ml": "volume-milliliter",
    "mL": "volume-milliliter", "h": "duration-hour", "hr": "duration-hour", "hrs": "duration-hour",
    "min": "duration-minute", "mins": "duration-minute", "s": "duration-second", "sec": "duration-second",
    "secs": "duration-second", "ms": "duration-millisecond", "m²": "area-square-meter",
    "km²": "area-square-kilometer", "m³": "volume-cubic-meter", "ha": "area-hectare", "hPa": "pressure-hectopascal",
}  # fmt: skip
"""sign to CLDR's unit"""

LETTER_UNITS = frozenset("m g t W V l L h s".split()) | {"Go", "Mo", "min", "ha"}
"""taken for units only with a space before them: "5m" is also five million, "the 5s" no seconds"""
