"""What was said in a room, as files: a track for each person, one for the agent, their mix, and the words."""

from agent.recording.disk import check_folder
from agent.recording.recording import Recording

__all__ = ["Recording", "check_folder"]
