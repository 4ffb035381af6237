"""The people of a room, as each other's clients know them, and what they ask of the room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agent.events import Commit, Interrupt
from agent.history import Entry, new_id
from agent.realtime import room_events as ev
from agent.realtime import wire
from agent.realtime.config import TEXT_LIMIT
from agent.realtime.items import MOST_ITEMS
from agent.realtime.requests import RequestError, required

if TYPE_CHECKING:
    from agent.conversation import Conversation
    from agent.participant import Participant
    from agent.realtime.audience import Client
    from agent.realtime.session import Session
    from agent.settings import RoomSettings

LOUDEST = 2.0
"""to which a person can be turned up"""
AGENT = "agent"
"""who has said what no person has"""


class Presence:
    """Tells a room of its people, and does what they ask.

    :param name: of the room.
    :param people: who is there.
    :param set_volume: takes who hears whom how loud.
    """

    def __init__(
        self,
        name: str,
        settings: RoomSettings,
        session: Session,
        conversation: Conversation,
        people: Callable[[], tuple[Participant, ...]],
        set_volume: Callable[[str, str, float], None],
    ) -> None:
        self._name = name
        self._settings = settings
        self._session = session
        self._conversation = conversation
        self._people = people
        self._set_volume = set_volume
        self._recording = False
        self._known: dict[str, bool] = {}
        """whom everybody has been told of, and whether as somebody who is here"""
        self._speakers: dict[str, str] = {}  # of people's newest turns, by item
        self.taken_down: Callable[[str, str, str, float], None] = lambda who, name, text, seconds: None
        """told who has said what, and how long it took, s; ``who`` is "agent" or a person's id"""
        session.greeted = self.greet
        session.may_ask = self._may_ask
        session.narrator.said_by = self.said_by
        session.narrator.finished = self._finished
        session.narrator.recalled = self._recalled
        session.verbs = {
            "antiphon.room.mute": self._mute,
            "antiphon.room.address": self._address,
            "antiphon.room.say": self._say,
            "antiphon.room.volume": self._turn_up,
        }

    def greet(self, client: Client) -> None:
        """Tell a client who is there."""
        person = self._person(client)
        if person is not None and person.asks:  # a button that was held when the line was lost
            self._hold(person, on=False)
        known = [each for each in self._people() if each is person or each.id in self._known]
        state = ev.RoomState(
            room=self._name,
            policy=self._settings.policy,
            agent=self._settings.agent_name,
            you=person.id if person is not None else "",
            people=[_told(each) for each in known],
            capacity=self._settings.capacity,
            recording=self._recording,
        )
        self._session.audience.tell(client, state)

    def joined(self, person: Participant) -> None:
        """Somebody came in."""
        self._known[person.id] = True
        self._emit(ev.RoomJoined(person=_told(person)))

    def left(self, person: Participant, reason: str) -> bool:
        """Somebody has left; whether anybody had been told that they came."""
        if self._known.pop(person.id, None) is None:
            return False
        self._emit(ev.RoomLeft(person_id=person.id, reason=reason))
        return True

    def changed(self, person: Participant) -> None:
        """Somebody speaks or stops, is muted or not, is away or back."""
        if person.id in self._known:
            self._known[person.id] = person.here
        self._emit(ev.RoomChanged(person=_told(person)))

    def look(self) -> None:
        """Tell who went away or came back since."""
        for person in self._people():
            if self._known.get(person.id, person.here) is not person.here:
                self.changed(person)

    def said_by(self, item_id: str, speaker: str) -> None:
        """This turn is theirs."""
        self._speakers[item_id] = speaker
        while len(self._speakers) > MOST_ITEMS:
            del self._speakers[next(iter(self._speakers))]
        self._emit(ev.RoomTurn(item_id=item_id, person_id=speaker))

    def _recalled(self, item_id: str) -> None:
        if item_id in self._speakers:
            self._emit(ev.RoomTurn(item_id=item_id, person_id=self._speakers[item_id]))

    def recorded(self, *, on: bool) -> None:
        """What is said is recorded from now on, or is no more."""
        if on is not self._recording:
            self._recording = on
            self._emit(ev.RoomRecording(on=on))

    def _finished(self, item_id: str, text: str, seconds: float) -> None:
        who = self._speakers.get(item_id, AGENT)
        names = {person.id: person.name for person in self._people()}
        name = self._settings.agent_name if who == AGENT else names.get(who, "")
        self.taken_down(who, name, text, seconds)

    def _emit(self, event: wire.ServerEvent) -> None:
        self._session.audience.emit(event)

    def _person(self, client: Client | None) -> Participant | None:
        return next((person for person in self._people() if person.line is client), None)

    def _asking(self, client: Client) -> Participant:
        """Who asks, and may."""
        person = self._person(client)
        if person is None:
            raise RequestError("not_in_room", "Only the people of a room can do that, on their own lines.")
        return person

    def _may_ask(self, client: Client) -> bool:
        person = self._person(client)
        return person is None or person.role == "talk"

    # -- what people ask -------------------------------------------------------------------------------------

    def _mute(self, client: Client, event: dict[str, Any]) -> None:
        person = self._asking(client)
        person.muted = _flag(event, "muted")
        self.changed(person)

    def _address(self, client: Client, event: dict[str, Any]) -> None:
        """Push to talk to the agent: what is said while the button is held is said to it, and is over with it."""
        person, on = self._asking(client), _flag(event, "on")
        if on and self._conversation.replying and self._conversation.company.answered != person.id:
            self._conversation.post(Interrupt())
        self._hold(person, on=on)
        if not on and person.listener is not None:
            person.listener.finish()
            self._conversation.post(Commit(person.id))

    def _hold(self, person: Participant, *, on: bool) -> None:
        person.asks = on
        self._conversation.company.hold(person.id, on=on)
        if person.muted:
            self.changed(person)

    def _say(self, client: Client, event: dict[str, Any]) -> None:
        """A line for all to read."""
        person, text = self._asking(client), " ".join(required(event, "text").split())
        if not text or len(text) > TEXT_LIMIT:
            raise RequestError("invalid_value", f"text must have 1 to {TEXT_LIMIT} characters.", "text")
        item = wire.MessageItem(id=new_id("item"), status="completed", role="user", content=[wire.InputText(text=text)])
        self.said_by(item.id, person.id)
        self._session.narrator.items.add(item)
        self._finished(item.id, text, 0.0)
        self._conversation.write(person.id, Entry(item.id, "user", text, name=person.name))

    def _turn_up(self, client: Client, event: dict[str, Any]) -> None:
        """How loud one hears another."""
        person, other, volume = self._asking(client), required(event, "person_id"), event.get("volume")
        if not isinstance(volume, int | float) or isinstance(volume, bool) or not 0 <= volume <= LOUDEST:
            raise RequestError("invalid_value", f"volume must be 0 to {LOUDEST:g}.", "volume")
        if other not in {each.id for each in self._people()}:
            raise RequestError("no_such_person", "There is no such person in this room.", "person_id")
        self._set_volume(person.id, other, float(volume))


def _told(person: Participant) -> ev.RoomPerson:
    return ev.RoomPerson(
        id=person.id,
        name=person.name,
        role=person.role,
        muted=person.silent,
        speaking=person.speaking,
        here=person.here,
    )


def _flag(event: dict[str, Any], name: str) -> bool:
    value = event.get(name)
    if not isinstance(value, bool):
        raise RequestError("invalid_type", f"{name} must be true or false.", name)
    return value
