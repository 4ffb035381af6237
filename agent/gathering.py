"""What a room of several has and a call of one's own has not: everybody's ears, who is there, and a recording."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from agent.conversation import Conversation
from agent.events import Greet
from agent.outlets import Everybody
from agent.participant import Participant
from agent.realtime.presence import Presence
from agent.realtime.session import Session
from agent.recording import Recording
from agent.settings import RoomSettings


class Gathering:
    """Lets people hear and know of each other, tells the agent who comes and goes, and takes down what is said.

    :param name: of the room.
    :param people: who is there, or may come back.
    :param wake: has the room's ticks begin again, for somebody speaks.
    """

    def __init__(
        self,
        name: str,
        settings: RoomSettings,
        session: Session,
        conversation: Conversation,
        people: Callable[[], tuple[Participant, ...]],
        wake: Callable[[], None],
    ) -> None:
        self._name = name
        self._settings = settings
        self._conversation = conversation
        self._people = people
        self._wake = wake
        self._notice_due = False  # somebody does not know that there is a recording
        self.everybody = Everybody(people)
        self._presence = Presence(name, settings, session, conversation, people, self.everybody.mixer.set_volume)

    def admit(self, person: Participant) -> None:
        """Somebody has a place."""
        person.talker.wake = self._wake
        self.everybody.join(person)

    def announce(self, person: Participant) -> None:
        """Somebody is on the line."""
        self._presence.joined(person)
        self._conversation.mention(f"[{person.name} joins.]")
        self._notice_due = bool(self._settings.recording)

    def changed(self, person: Participant) -> None:
        """Somebody speaks or stops, is away or back."""
        self._presence.changed(person)

    def dismiss(self, person: Participant, reason: str) -> None:
        """Somebody has no place any more."""
        self.everybody.leave(person)
        if self._presence.left(person, reason):
            self._conversation.mention(f"[{person.name} leaves.]")

    def look(self, *, idle: bool) -> None:
        """Tell who went away or came back since, and, while nobody speaks, that there is a recording."""
        self._presence.look()
        if self._notice_due and idle and any(person.line.connected.is_set() for person in self._people()):
            self._notice_due = False
            self._conversation.post(Greet(notice=True))

    def record(self) -> None:
        """Begin to record, if the settings say so. If the disk fails, people are told, and the call goes on."""
        if not self._settings.recording:
            return

        def taken_down(who: str, name: str, text: str, seconds: float) -> None:
            ended_s = recording.elapsed_s
            recording.said(who, name, text, max(0.0, ended_s - seconds), ended_s)

        def failed(_: object) -> None:
            self._presence.recorded(on=False)

        folder = Path(self._settings.recording)
        recording = self.everybody.recording = Recording(folder, self._name, datetime.now(UTC), failed)
        for person in self._people():
            recording.joined(person.id, person.name)
        self._presence.taken_down = taken_down
        self._presence.recorded(on=True)

    async def close(self) -> None:
        """The room is over: what was recorded is complete."""
        if self.everybody.recording is not None:
            await self.everybody.recording.close()
