"""What the machine remembers and what its rows ask: who speaks, what was said, and of what reply.

Pure, like the machine; kept apart so that `agent.machine` is the rules and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.events import (
    EndOfTurn,
    Event,
    HearingFailed,
    Interruption,
    Partial,
    Phrase,
    ReplyAudible,
    ReplyWorks,
    Respond,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from agent.overlap import Overlap, starts_with_stop, weigh, words


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before deciding. Three knobs for three moments: the end of a turn, an interruption while the
    answer is prepared, an interruption while it is spoken."""

    endpoint_s: float = 1.2
    """s of silence since the last sound after which a turn is over that nobody has judged"""
    thinking_s: float = 0.0
    """s of speech until an answer that is not audible yet is withdrawn; meanwhile it is held back"""
    yield_s: float = 0.2
    """s of speech over the agent's, ducked from its beginning, until the agent falls silent"""
    insist_s: float = 0.9
    """s of speech after that until it is an interruption although no words were made out"""
    verdict_s: float = 0.8
    """s for which the words of a short sound are waited for in silence"""
    most_turn_s: float = 0.0
    """s after which somebody who does not pause is cut in on; 0 for never"""
    reprompt_s: float = 0.0
    """s of silence on the line after which the person is asked whether they are there; 0 for never"""
    timeout_s: float = 0.0
    """the same, where a client has set it: then the silence is a turn of its own. 0 for never"""
    most_reprompts: int = 2
    """that are asked in a row"""
    drafts: bool = True
    """prepare the answer while it is not yet sure that the turn is over"""
    answers: bool = True
    """answer when a turn is over; else only when a client asks"""
    manual: bool = False
    """a client says when a turn is over (push to talk); pauses and speech over the agent's mean nothing"""


TWO_WORDS_S = 0.45
"""of speech; what a recogniser makes two words of sooner is an "uh-huh" that it misheard"""
LOOK_S = 0.9
"""of sound in which a recogniser found no word; in less of it there may be none because it begins with a breath"""
LATE_S = 0.4
"""for which words are waited for beyond that, if the recogniser is late"""


def by_all(speaker: str, text: str) -> bool:
    """Whatever anybody says is said to the agent."""
    return True


def nobody(text: str) -> bool:
    """An agent without a name."""
    return False


class Ledger:
    """The books of one agent voice's turn-taking."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.addressed: Callable[[str, str], bool] = by_all
        """whether what this speaker says, as far as it is known, is said to the agent"""
        self.unnamed: Callable[[str], str] = str
        """a text without the agent's name: "Antiphon, stop!" asks for silence and for nothing else"""
        self.called: Callable[[str], bool] = nobody
        """whether a text is the agent's name and nothing else: what is wanted of it comes after"""
        self.deadline: float | None = None
        """`loop.time()` at which to hand in `Deadline`"""
        self.reply = 0
        """number of the newest reply"""
        self.now = 0.0
        self._words: dict[int, str] = {}  # by utterance, not yet handed over by CloseTurn
        self._unheard: set[int] = set()  # utterances that ended and are not transcribed yet
        self._due = False  # the endpoint has passed; only the transcript is missing
        self._unanswered = False  # the last turn's reply was cut before a sound of it was heard
        self._phrase: Phrase | None = None  # what the reply in progress says, if it is no answer
        self._audible = False  # the reply in progress has been heard, or has set tools to work
        self._fresh = False  # what was prepared will not do
        self._asked = False  # a client has asked for an answer, whatever the words will be
        self._committing = False  # a client has said that the turn is over; its words are missing
        self._held = False  # … and is silent now, to listen
        self._policy = Interruption.CUT  # of the reply in progress
        self._speaking = False  # the person, whatever the phase
        self._overlap = Overlap.NOTHING  # what the newest text would mean over the agent's voice
        self._overlap_text: str | None = None  # that text; None if there was none since the speech began
        self._looked_at = 0.0  # loop time at which it came
        self._yielded: tuple[int, float] | None = None  # the utterance that ducked the reply, and when it began
        self._interrupted = False  # the open turn began by cutting an audible reply
        self._draft: str | None = None  # what the draft in progress answers
        self._closed = ""  # text of the newest turn
        self._reprompts = 0
        self._speaker = ""
        self._utterance = 0
        self._forgotten = -1  # utterances up to this one were never said
        self._started_at = 0.0
        self._spoke_at = 0.0  # loop time at which the newest speech was noticed
        self._ended_at = 0.0
        self._opened_at = 0.0  # loop time
        self._paused_at = 0.0  # loop time at which the last sound arrived
        self._wait_s: float | None = None  # how the present pause was judged

    def note(self, event: Event) -> None:
        """Keep the books that rows ask about: they follow what is heard, whatever the phase."""
        match event:
            case SpeechStarted():
                self._speaking, self._speaker, self._started_at = True, event.speaker, event.at
                self._spoke_at = self.now
                if event.utterance != self._utterance:
                    self._overlap, self._overlap_text = Overlap.NOTHING, None
                self._utterance = event.utterance
                self._wait_s = None
                self._unheard.discard(event.utterance)
            case SpeechEnded():
                self._speaking, self._ended_at = False, event.at
                self._paused_at = self.now - event.age_s
                self._wait_s = None
                self._unheard.add(event.utterance)
            case EndOfTurn() if not self._speaking and event.utterance == self._utterance:
                self._wait_s = event.wait_s
            case Partial() | Transcript():
                if event.utterance > self._forgotten:
                    self._words[event.utterance] = event.text.strip()
                    weight = weigh(self.unnamed(event.text))
                    self._overlap, self._overlap_text, self._looked_at = weight, event.text, self.now
                if isinstance(event, Transcript):
                    self._unheard.discard(event.utterance)
            case HearingFailed():
                self._unheard.discard(event.utterance)
            case ReplyAudible() | ReplyWorks():
                self._audible = True
            case Respond():
                self._fresh = event.fresh
            case _:
                pass

    # -- what rows ask: the person ---------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """What was said since the last turn was closed."""
        return " ".join(text for _, text in sorted(self._words.items()) if text)

    def spoken_over(self) -> bool:
        """The person is speaking right now."""
        return self._speaking

    def words(self) -> bool:
        """Everything is transcribed, and it is something."""
        return not self._unheard and bool(self.text)

    def something(self) -> bool:
        """Some of it is known."""
        return bool(self.text)

    def unheard(self) -> bool:
        """A transcript is still missing."""
        return bool(self._unheard)

    def unanswered(self) -> bool:
        """Nothing new was said, but the turn before was never answered: a cough cut the answer off."""
        return self._unanswered

    def only_stop(self) -> bool:
        """The agent was interrupted to make it stop, and for nothing else."""
        return self._interrupted and not self._unheard and weigh(self.unnamed(self.text)) is Overlap.STOP

    def due_words(self) -> bool:
        """Only the transcript was missing, and it has words."""
        return self._due and self.words()

    def due_overheard(self) -> bool:
        """Only the transcript was missing, and it tells that somebody else is meant."""
        return self._due and not self._unheard and self.overheard()

    def due_stop(self) -> bool:
        """Only the transcript was missing, and it says stop."""
        return self._due and self.only_stop()

    def due_unanswered(self) -> bool:
        """Only the transcript was missing; it is empty, and the turn before was never answered."""
        return self._due and not self._unheard and self._unanswered

    def due_nothing(self) -> bool:
        """Only the transcript was missing, and it is empty."""
        return self._due and not self._unheard

    @property
    def speaker(self) -> str:
        """Who has spoken last."""
        return self._speaker

    @property
    def ended_at(self) -> float:
        """Where the last speech ended, media s."""
        return self._ended_at

    @property
    def floor(self) -> str:
        """Who speaks, or has said something that is not handed over yet; "" for nobody."""
        return self._speaker if self._speaking or self._unheard or self.text else ""

    def overheard(self) -> bool:
        """What was said was said to somebody else."""
        return bool(self.text) and not self._asked and not self.addressed(self._speaker, self.text)

    def unasked(self) -> bool:
        """Nobody wants an answer before a client asks for it."""
        return self.patience.manual or not self.patience.answers or self.overheard()

    def uncommitted(self) -> bool:
        """Nobody wants an answer, and words are missing."""
        return self.unasked() and bool(self._unheard)

    def committed(self) -> bool:
        """A client has ended the turn, all of it is known, and nobody has asked for an answer."""
        return self._committing and not self._due and not self._unheard

    def button_down(self) -> bool:
        """In push to talk nobody has said yet that the turn is over."""
        return self.patience.manual and not self._committing and not self._due

    def unanswering(self) -> bool:
        """Whatever is said, nobody answers by himself."""
        return not self.patience.answers

    def worth_a_draft(self) -> bool:
        """All that was said is known, and its answer is not being prepared yet."""
        if not (self.patience.drafts and self.patience.answers) or self._due or self._draft is not None:
            return False
        return self.words() and not self.only_stop() and not self.overheard()

    # -- what rows ask: the reply, and who speaks over it ----------------------------------------------------

    def apologising(self) -> bool:
        """The reply that failed was itself an apology."""
        return self._phrase is Phrase.APOLOGY

    def interruptible(self) -> bool:
        """Speech may stop this reply."""
        return self._policy is Interruption.CUT and not self.patience.manual

    def not_heard_yet(self) -> bool:
        """No sound of this reply has left, and speech may stop it."""
        return not self._audible

    def at_once(self) -> bool:
        """Any speech withdraws an answer that is still being prepared."""
        return self.interruptible() and self.patience.thinking_s <= 0

    def spoken_into(self) -> bool:
        """The person is speaking, and may."""
        return self._speaking and self.interruptible()

    def interrupts(self) -> bool:
        """Real words, and the person is done with them."""
        return not self._speaking and self.interruptible() and self._overlap >= Overlap.WORDS

    def interrupts_still(self) -> bool:
        """Real words, more than one unless it is a word for "stop", and the person goes on."""
        if not (self._speaking and self.interruptible() and self._overlap >= Overlap.WORDS):
            return False
        text = self.unnamed(self._overlap_text or "")
        return starts_with_stop(text) or (len(words(text)) > 1 and self.now - self._spoke_at >= TWO_WORDS_S)

    def meant_nothing(self) -> bool:
        """A cough, a click, a "mhm" or our own echo, and it is over; the reply was being heard."""
        return self._audible and self.meant_nothing_yet()

    def meant_nothing_yet(self) -> bool:
        """The same, before the reply was heard."""
        return not self._speaking and not self._unheard and self._overlap < Overlap.WORDS

    def wordless(self) -> bool:
        """It goes on, but a recogniser that listened found no words in it."""
        return self._audible and self._overlap_text is not None and self._overlap < Overlap.WORDS

    def looked_too_soon(self) -> bool:
        """It goes on, and no words were found, but only in its very beginning: the next look is late."""
        patience = self.patience
        waited_s = self.now - self._spoke_at - patience.yield_s - patience.insist_s
        return self.wordless() and self._looked_at - self._spoke_at < LOOK_S and waited_s < LATE_S

    def ducked(self) -> bool:
        """The reply is softer, but has not fallen silent; the person still speaks."""
        return self._speaking and self._audible and not self._held

    def silent(self) -> bool:
        """The reply has fallen silent in order to listen."""
        return self._held and self._audible

    def inconclusive(self) -> bool:
        """The person is done, and their words never came."""
        return not self._speaking

    def said_meanwhile(self) -> bool:
        """Something was said while a reply that is to be answered after was spoken."""
        return self._policy is Interruption.AFTER and bool(self._unheard or self.text)

    def line_is_dead(self) -> bool:
        """The person is silent, and has not been asked often enough yet."""
        return self._reprompts < self.patience.most_reprompts

    def timed_out(self) -> bool:
        """The same, and a client has set how long that takes."""
        return bool(self.patience.timeout_s) and self.line_is_dead()
