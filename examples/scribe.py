"""Write the minutes of a room: who said what, and when, as it is said.

ANTIPHON__ROOM__POLICY=scribe antiphon serve &
python examples/scribe.py kitchen minutes.txt http://localhost:8080

It joins the room as one more person, who never says anything. A server with keys is told one, or a token for the room,
in ANTIPHON_TOKEN.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from agent.caller import Caller


async def write(url: str, room: str, minutes: Path) -> None:
    """Write as long as the server has the room."""
    token = os.environ.get("ANTIPHON_TOKEN", "")
    names: dict[str, str] = {}
    turns: dict[str, str] = {}
    async with Caller(url, room=room, name="Scribe", muted=True, token=token) as caller:
        began = asyncio.get_running_loop().time()
        with minutes.open("a", encoding="utf-8") as file:
            async for event in caller.told():
                match event["type"]:
                    case "antiphon.room.state":
                        names |= {person["id"]: person["name"] for person in event["people"]}
                    case "antiphon.room.joined":
                        names[event["person"]["id"]] = event["person"]["name"]
                    case "antiphon.room.turn":
                        minute, second = divmod(round(event["at"] - began), 60)
                        who = names.get(event["person_id"], "Somebody")
                        turns[event["item_id"]] = f"{minute:02}:{second:02} {who}"
                    case "conversation.item.input_audio_transcription.completed" if event["transcript"]:
                        print(f"{turns[event['item_id']]}: {event['transcript']}", file=file, flush=True)
                    case "conversation.item.added" if event["item"]["id"] in turns:  # a written line
                        line = turns[event["item"]["id"]]
                        for part in event["item"]["content"]:
                            if part["type"] == "input_text":
                                print(f"{line} (in writing): {part['text']}", file=file, flush=True)


if __name__ == "__main__":
    url = sys.argv[3] if len(sys.argv) > 3 else "http://127.0.0.1:8080"
    asyncio.run(write(url, sys.argv[1], Path(sys.argv[2])))
