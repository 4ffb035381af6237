"""A room in which people talk with each other, and with an agent that answers when it is called by its name.

python examples/called_by_name.py Robin --port 8080

Open what it prints, once for each person, or send the link to the others.
"""

from __future__ import annotations

import os
import sys

INSTRUCTIONS = (
    "You are a guest at a table where several people talk. Who calls you wants a short answer: one or two sentences. "
    "You know who said what, and say names when it helps."
)


def settings(name: str) -> dict[str, str]:
    """What makes a server a room with an agent of this name."""
    return {
        "ANTIPHON__ROOM__POLICY": "addressed",
        "ANTIPHON__ROOM__AGENT_NAME": name,
        "ANTIPHON__ROOM__CAPACITY": "8",
        "ANTIPHON__AGENT__INSTRUCTIONS": INSTRUCTIONS,
    }


def main() -> None:
    """Become the server."""
    name, *arguments = sys.argv[1:] or ["Robin"]
    port = arguments[arguments.index("--port") + 1] if "--port" in arguments else "8080"
    print(f"http://localhost:{port}/?room=table", flush=True)  # noqa: T201
    command = [sys.executable, "-m", "agent.cli", "serve", *arguments]
    os.execve(command[0], command, {**os.environ, **settings(name)})  # what stops this stops the server


if __name__ == "__main__":
    main()
