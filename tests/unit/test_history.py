"""The history: what was heard, in order, within the budget."""

from __future__ import annotations

import json

import pytest

from agent.engines.protocols import Message
from agent.history import CUT_MARK, Entry, History
from tests.sessions import Line, read, session


def test_the_prompt_is_the_instructions_and_what_was_said() -> None:
    history = History("Be brief.")
    history.add(Entry("1", "user", "Hi."))
    history.add(Entry("2", "assistant", "Hello!"))
    assert history.prompt() == [Message("system", "Be brief."), Message("user", "Hi."), Message("assistant", "Hello!")]


def test_a_merged_turn_is_one_message() -> None:
    history = History("")
    history.add(Entry("1", "user", "What is"))
    history.add(Entry("2", "user", "the capital of France?"))
    assert history.prompt() == [Message("user", "What is the capital of France?")]


def test_an_entry_has_its_place_and_an_unknown_place_is_none() -> None:
    history = History("")
    for entry, after in (("b", None), ("a", ""), ("d", "b"), ("c", "b")):
        history.add(Entry(entry, "user", entry), after)
    assert [entry.id for entry in history.entries] == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="nobody"):
        history.add(Entry("e", "user", "e"), "nobody")


def test_the_model_sees_that_it_was_cut_off() -> None:
    history = History("")
    history.add(Entry("1", "user", "Tell me a story."))
    history.add(Entry("2", "assistant", "Once upon", complete=False))
    assert history.prompt()[-1].text == "Once upon" + CUT_MARK


def test_past_the_budget_the_oldest_go_and_the_prefix_then_stays() -> None:
    history = History("x", budget_chars=100)
    prefixes = set()
    for n in range(40):
        history.add(Entry(f"u{n}", "user", f"question {n:02}"))
        history.add(Entry(f"a{n}", "assistant", f"answer {n:02}"))
        prompt = history.prompt()
        assert sum(len(message.text) for message in prompt) <= 120
        assert prompt[1].role == "user"
        prefixes.add(prompt[1].text)
    assert len(prefixes) < 20


def typed(item_id: str, after: str | None) -> str:
    """A client's message that is to stand behind another."""
    item = {"type": "message", "role": "user", "id": item_id, "content": [{"type": "input_text", "text": item_id}]}
    place = {} if after is None else {"previous_item_id": after}
    return json.dumps({"type": "conversation.item.create", "item": item, **place})


def test_a_message_behind_an_answer_that_nobody_heard_stands_behind_what_was_before() -> None:
    line = Line(())
    talk = session()
    talk.audience.join(line, extensions=False)
    talk._take(typed("question", None), line)
    talk.narrator.reply_started("answer", spoken=True)
    talk.narrator.told("answer", "Hi")
    talk._take(typed("more", "answer"), line)
    talk._take(typed("first", "root"), line)
    talk._take(typed("lost", "nobody"), line)
    assert [item.id for item in talk.narrator.items] == ["first", "question", "answer", "more"]
    assert [entry.id for entry in talk._history.entries] == ["first", "question", "more"]
    assert read(line.sent[-1])["error"]["code"] == "item_create_invalid_previous_item_id"


def test_an_answer_keeps_its_place_when_what_it_answers_is_deleted() -> None:
    history = History("")
    history.add(Entry("u", "user", "One?"))
    history.add(Entry("v", "user", "Two?"))
    history.delete("v")
    history.add(Entry("w", "user", "Three?"))
    history.add(Entry("a", "assistant", "One."), history.standing("v"))
    assert [entry.id for entry in history.entries] == ["u", "a", "w"]
    history.delete("a")
    history.delete("u")
    assert history.standing("a") == ""
    assert history.standing("never") is None


def test_an_answer_that_was_deleted_while_it_was_heard_is_not_wanted() -> None:
    history = History("")
    history.add(Entry("u", "user", "One?"))
    history.delete("a")
    assert history.deleted("a")
    assert [entry.id for entry in history.entries] == ["u"]
    history.add(Entry("a", "user", "Another of that name."))
    assert not history.deleted("a")
