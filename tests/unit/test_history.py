"""The history: what was heard, in order, within the budget."""

from __future__ import annotations

from agent.engines.protocols import Message
from agent.history import CUT_MARK, Entry, History


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
