"""What is said while the agent speaks: is it an interruption, a sign of listening, or the agent's own echo?

Pure. A recogniser's text is all that is looked at: how long and how loud it was is the machine's and the
listener's business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
ECHO_SHARE = 0.7
"""of the words of a text that must have just been played, in order, for it to be our own voice"""
ECHO_WORDS = 2
"""one word that was also played proves nothing"""

DIGITS = dict(zip(map(str, range(13)), NUMBERS, strict=True))

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_HUM = re.compile(r"[hm]+(?:-[hm]+)*|a+h+a*|o+h+")
"""however a recogniser writes it: "M.M.", "hmmm" """
_BACKCHANNELS = frozenset(
    "mhm mm mmm hm hmm hmmm mm-hmm mm-hm mhmm m-hm uh-huh uh-hu uhuh uhhuh huh uh um er ah aha oh ooh wow yeah yep yup "
    "yes right okay ok sure alright cool nice great good fine really indeed exactly true gotcha "
    "ja jaja genau klar gut stimmt aha achso oui ouais d'accord voilà bien sí si vale claro bueno sim pois "
    "はい ええ うん そう 嗯 对 好 是".split()
)
"""single words that mean "go on" when nothing else is said (V. Yngve's term, 1970)"""
_WORDS_BY_THEMSELVES = frozenset(
    "no nope never what why who where when how which hello hey help sorry pardon repeat louder slower faster next "
    "again more cancel skip back goodbye bye thanks question but actually because listen look please "
    "nein doch was warum wer wo wann wie hallo hilfe nochmal lauter langsamer weiter aber "
    "non pourquoi qui où quand comment allô encore mais qué por cómo cuándo dónde quién hola ayuda otra pero "
    "não quê porquê quem onde como quando ajuda outra mas".split()
)
"""single words that are said in order to be answered. Any other that a recogniser makes of half a second over the
agent's voice is more often a "right" or "mhm" that it misheard: "rate", "Mom", "Amen", "A-C"."""
_BACKCHANNEL_PHRASES = frozenset(
    "i see,i know,got it,of course,oh really,is that so,i understand,makes sense,that makes sense,no way,"
    "all right,very good,ach so,je vois,bien sûr,por supuesto,thank you,uh huh,mm hmm,m hm".split(",")
)
_STOPS = frozenset(
    "stop,stop it,stop that,stop please,please stop,wait,wait wait,wait a minute,wait a second,wait a moment,"
    "hold on,hold on a second,hold on a minute,hang on,one moment,one second,just a moment,just a second,"
    "just a minute,excuse me,be quiet,quiet,shut up,enough,that's enough,pause,no stop,okay stop,ok stop,"
    "halt,stopp,warte,warte mal,moment,moment mal,einen moment,stopp bitte,arrête,arrêtez,attends,attendez,"
    "un instant,para,espera,un momento,basta,pare,espere,um momento,待って,ストップ,等一下,停".split(",")
)


class Overlap(IntEnum):
    """How much what was said weighs."""

    NOTHING = 0
    BACKCHANNEL = 1
    """heard, and wants no answer"""
    WORDS = 2
    """something is being said"""
    STOP = 3
    """the agent is to be silent, and nothing else"""


def words(text: str) -> list[str]:
    """The words of a text, folded."""
    return _WORD.findall(text.casefold())


def weigh(text: str) -> Overlap:
    """What a text means that was said over the agent's voice."""
    said = words(text)
    if not said:
        return Overlap.NOTHING
    if is_stop(said):
        return Overlap.STOP
    if all(word in _BACKCHANNELS or _HUM.fullmatch(word) for word in said) or " ".join(said) in _BACKCHANNEL_PHRASES:
        return Overlap.BACKCHANNEL
    if len(said) == 1 and said[0].isascii() and said[0] not in _WORDS_BY_THEMSELVES and not said[0].isdigit():
        return Overlap.BACKCHANNEL
    return Overlap.WORDS


def is_stop(said: Sequence[str]) -> bool:
    """Whether these words ask for silence and for nothing else; "no, no, stop, stop" does."""
    once = [word for n, word in enumerate(said) if n == 0 or word != said[n - 1]]
    return " ".join(once) in _STOPS or " ".join(word for word in once if word not in ("no", "please", "hey")) in _STOPS


def starts_with_stop(text: str) -> bool:
    """Whether the first words ask for silence, whatever follows."""
    said = words(text)
    return any(is_stop(said[:n]) for n in range(1, min(3, len(said)) + 1))


def is_echo(text: str, played: str) -> bool:
    """Whether a text is what the agent has just said, heard through the person's microphone.

    :param played: the agent's words of the last seconds.
    """
    said, ours = _spelled(text), _spelled(played)
    if len(said) < ECHO_WORDS:
        return False
    found = _common(said, ours)
    return found >= ECHO_WORDS and found >= ECHO_SHARE * len(said)


def _spelled(text: str) -> list[str]:
    """Its words; a recogniser writes "2" where "two" was said."""
    return [DIGITS.get(word, word) for word in words(text)]


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for left in a:
        diagonal = 0
        for n, right in enumerate(b, 1):
            diagonal, row[n] = row[n], diagonal + 1 if left == right else max(row[n], row[n - 1])
    return row[-1]
