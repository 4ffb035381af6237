"""The vocabulary of a turn: what can happen in a conversation, and what is done about it.

`agent.machine` maps events to actions and knows nothing else of the program. ``at`` is always media time:
seconds of that participant's track, counted from its packets, never wall time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

# -- what is heard -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """A person began to speak, or went on after a short pause."""

    speaker: str
    utterance: int
    """number of the utterance; the same as before if it goes on after a pause"""
    at: float
    """s"""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """A person paused. Exactly one `Transcript` or `HearingFailed` follows, unless the utterance goes on."""

    speaker: str
    utterance: int
    at: float
    """s; where the last sound was, not where the pause was noticed"""
    age_s: float = 0.0
    """s between the arrival of that sound and this event"""


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """A pause was judged, by its sound or its words; a later judgement replaces an earlier one."""

    speaker: str
    utterance: int
    wait_s: float
    """s of silence since the last sound after which the turn is over"""


@dataclass(frozen=True, slots=True)
class Partial:
    """What was said in an utterance so far, while it goes on; best effort."""

    speaker: str
    utterance: int
    text: str
    """"" if there were no words yet"""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in an utterance so far; replaces what an earlier one said of the same utterance."""

    speaker: str
    utterance: int
    text: str
    """"" if there were no words"""
    language: str
    """ISO 639-1, "" if unknown"""


@dataclass(frozen=True, slots=True)
class HearingFailed:
    """The recogniser failed on an utterance."""

    speaker: str
    utterance: int
    message: str


# -- what a client asks --------------------------------------------------------------------------------------


class Interruption(Enum):
    """What may be done to a reply by speech; a button stops any."""

    CUT = "cut"
    """it is stopped, and what was said is the next turn"""
    KEEP = "keep"
    """it goes on; what was said meanwhile becomes the beginning of the next turn"""
    AFTER = "after"
    """it goes on; what was said meanwhile is answered as soon as it is over"""


@dataclass(frozen=True, slots=True)
class Greet:
    """The line is open: say the greeting, or what else comes before anything is said."""

    notice: bool = False
    """that the conversation is recorded; nobody interrupts that"""


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer now: text was typed, or a client asked for a response."""

    fresh: bool = False
    """what was prepared is of no use: this answer is wanted otherwise"""


@dataclass(frozen=True, slots=True)
class Commit:
    """A client says that the turn is over: what was said until now is all of it. In push to talk nobody answers yet."""

    speaker: str = ""
    """whose; "" for whoever has the floor"""


@dataclass(frozen=True, slots=True)
class Discard:
    """A client takes back what was said since the last turn."""

    speaker: str = ""
    """who said it; "" for whoever has the floor"""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Stop speaking now: a button, or a client's cancel."""


# -- what becomes of a reply ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReplyAudible:
    """The first sample of a reply has left."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyStarved:
    """An audible reply has been silent for so long that it is no longer speaking; the rest is still to come."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyWorks:
    """A reply waits for a tool that the server runs. That is the agent's floor, too: a cough does not stop it."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyGoesOn:
    """All of a reply has left, and its tools have answered: the rest of it is still to be made."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The last sample of a reply has left, or there was nothing to say."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """A reply could not be finished."""

    reply: int
    message: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time that the machine asked for has come."""


Event = (
    SpeechStarted
    | SpeechEnded
    | EndOfTurn
    | Partial
    | Transcript
    | HearingFailed
    | Greet
    | Respond
    | Commit
    | Discard
    | Interrupt
    | ReplyAudible
    | ReplyStarved
    | ReplyWorks
    | ReplyGoesOn
    | ReplyDone
    | ReplyFailed
    | Deadline
)

# -- what is done --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A person has the floor."""

    speaker: str
    at: float
    """s; where the speech began"""


@dataclass(frozen=True, slots=True)
class CloseTurn:
    """The person's turn is over. What comes next is a new utterance."""

    speaker: str
    text: str
    """"" if nothing was said"""
    at: float
    """s; where the speech ended"""


@dataclass(frozen=True, slots=True)
class ForgetTurn:
    """What was said of the open turn was never said."""


@dataclass(frozen=True, slots=True)
class TimeOut:
    """Nobody has said anything for so long that the silence is a turn of its own."""


@dataclass(frozen=True, slots=True)
class StartReply:
    """Answer the history as it stands."""

    reply: int
    cut_in: bool = False
    """begin with the polite words for somebody who never pauses"""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Answer with what the tools have said, as the rest of the reply before."""

    reply: int


@dataclass(frozen=True, slots=True)
class StartDraft:
    """Prepare the answer to a turn that may be over; nobody hears it before `ReleaseDraft`."""

    reply: int
    text: str
    """what the person has said so far"""


@dataclass(frozen=True, slots=True)
class ReleaseDraft:
    """The turn is over and is what the draft answers: speak it."""

    reply: int


@dataclass(frozen=True, slots=True)
class DropDraft:
    """The person goes on: the draft never was."""


class Phrase(Enum):
    """What is said without thinking."""

    GREETING = "greeting"
    REPROMPT = "reprompt"
    """nobody has said anything for a while"""
    APOLOGY = "apology"
    """something failed"""
    CUT_IN = "cut_in"
    """the person has talked for too long"""
    FILLER = "filler"
    """a tool takes its time"""
    NOTICE = "notice"
    """the conversation is recorded"""


@dataclass(frozen=True, slots=True)
class SayPhrase:
    """Say a phrase, as a reply of its own."""

    reply: int
    phrase: Phrase


@dataclass(frozen=True, slots=True)
class Duck:
    """Speak more softly: it may be an interruption."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Be silent, and keep the place: it probably is an interruption."""


@dataclass(frozen=True, slots=True)
class Resume:
    """It was none: go on from the syllable at which it stopped, at full level."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Stop the reply now."""

    by_speech: bool
    """cut by a voice, not by a button"""


Action = (
    OpenTurn
    | CloseTurn
    | ForgetTurn
    | TimeOut
    | StartReply
    | GoOn
    | StartDraft
    | ReleaseDraft
    | DropDraft
    | SayPhrase
    | Duck
    | Hold
    | Resume
    | Cut
)
