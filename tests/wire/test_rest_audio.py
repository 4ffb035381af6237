"""Recordings to text over REST, asked by OpenAI's own client, with real models."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import aiohttp
import numpy as np
import openai
import pytest
from openai.types.audio import TranscriptionVerbose, TranslationVerbose
from openai.types.audio.transcription_stream_event import TranscriptionStreamEvent

from agent.audio import EAR_RATE, I16, WIRE_RATE
from agent.rest.recordings import read
from agent.rest.transcription import PIECE_S
from bench.speech import RECORDINGS, SENTENCES, spoken
from signaling.app import Access
from signaling.processes import Processes
from tests.people import running, serving
from tests.sounding import (
    FLAGS,
    GOOD,
    KEY,
    MARKS,
    SETTINGS,
    SPLIT,
    Sounding,
    client_does,
    errors,
    sentence,
    sounding,
    transcribe,
    wav,
)

pytestmark = MARKS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rest.md").read_text()
CLAUSES = ("Good morning, everyone.", "The train to Vienna leaves at seven.", "Please bring your tickets with you.")
GAP_S = 0.9


@cache
def timetable() -> tuple[I16, list[tuple[float, float]]]:
    """The clauses one after another at WIRE_RATE, and from when to when each can be heard, in s."""
    parts: list[I16] = [np.zeros(WIRE_RATE // 2, np.int16)]
    spans: list[tuple[float, float]] = []
    at = len(parts[0])
    for clause in CLAUSES:
        pcm = spoken(clause).pcm
        loud = np.flatnonzero(np.abs(pcm.astype(int)) > 300)
        spans.append(((at + loud[0]) / WIRE_RATE, (at + loud[-1]) / WIRE_RATE))
        parts += [pcm, np.zeros(int(GAP_S * WIRE_RATE), np.int16)]
        at += len(parts[-1]) + len(pcm)
    return np.concatenate(parts), spans


async def test_a_recording_that_comes_in_uneven_pieces_is_understood(url: str) -> None:
    """A piece that is shorter than the form's boundary, and behind it one that is longer than the server reads."""
    file, said = sentence()
    part = '--edge\r\nContent-Disposition: form-data; name="{}"\r\n\r\n'
    head = part.format("model") + "whisper-1\r\n" + part.format('file"; filename="a.wav')

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (head.encode(), file[:40], file[40:43], file[43:] + b"\r\n--edge--\r\n"):
            yield piece
            await asyncio.sleep(0.05)

    form = {"Authorization": f"Bearer {KEY}", "Content-Type": "multipart/form-data; boundary=edge"}
    async with aiohttp.ClientSession(url) as http:
        reply = await http.post("/v1/audio/transcriptions", data=pieces(), headers=form)
        assert reply.status == 200, await reply.text()
        assert errors(said, (await reply.json())["text"]) <= 0.15


async def test_a_recording_comes_back_in_every_format(url: str) -> None:
    file, said = sentence()
    plain = await client_does(url, lambda client: transcribe(client, file))
    assert errors(said, plain.text) <= 0.15
    assert plain.usage.type == "duration"
    assert plain.usage.seconds >= 4
    text = await client_does(url, lambda client: transcribe(client, file, response_format="text"))
    assert text == plain.text + "\n"
    srt = await client_does(url, lambda client: transcribe(client, file, response_format="srt"))
    assert re.fullmatch(r"1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n[^\n]+\n\n", srt), srt
    vtt = await client_does(url, lambda client: transcribe(client, file, response_format="vtt"))
    assert re.fullmatch(r"WEBVTT\n\n00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}\n[^\n]+\n\n", vtt), vtt
    for one in (srt, vtt):
        assert errors(said, one.splitlines()[-2]) <= 0.15
    verbose = await client_does(url, lambda client: transcribe(client, file, response_format="verbose_json"))
    assert isinstance(verbose, TranscriptionVerbose)
    assert (verbose.language, verbose.words) == ("english", None)
    assert verbose.duration == pytest.approx(len(spoken(said).pcm) / WIRE_RATE, abs=0.05)
    assert verbose.segments is not None
    assert verbose.segments[0].tokens
    assert -1.0 < verbose.segments[0].avg_logprob < 0.0


async def test_words_are_where_they_were_said(url: str) -> None:
    pcm, spans = await asyncio.to_thread(timetable)
    found = await client_does(
        url,
        lambda client: transcribe(
            client,
            wav(pcm, WIRE_RATE),
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        ),
    )
    assert errors(" ".join(CLAUSES), found.text) <= 0.15
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= found.duration
    for clause, (start, end) in zip(CLAUSES, spans, strict=True):
        within = [word for word in found.words if start - GAP_S / 2 < (word.start + word.end) / 2 < end + GAP_S / 2]
        assert abs(len(within) - len(clause.split())) <= 1, (clause, within)
        assert within[0].start == pytest.approx(start, abs=0.3), clause
        assert within[-1].end == pytest.approx(end, abs=0.3), clause
        assert max(word.end - word.start for word in within) < 1.0
    assert [segment.start for segment in found.segments] == pytest.approx([start for start, _ in spans], abs=0.3)
    assert [segment.end for segment in found.segments] == pytest.approx([end for _, end in spans], abs=0.3)


async def test_a_long_recording_is_told_while_it_is_heard(url: str) -> None:
    said = " ".join(SENTENCES)
    pcm = np.concatenate([spoken(one).pcm for one in SENTENCES])

    def read_along(client: openai.OpenAI) -> list[TranscriptionStreamEvent]:
        return list(transcribe(client, wav(pcm, WIRE_RATE), stream=True, model="gpt-4o-mini-transcribe"))

    *deltas, done = await client_does(url, read_along)
    assert len(deltas) >= 2
    assert all(one.type == "transcript.text.delta" for one in deltas)
    assert done.type == "transcript.text.done"
    assert "".join(one.delta for one in deltas if one.type == "transcript.text.delta") == done.text
    assert errors(said, done.text) <= 0.15
    assert done.usage is not None
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens


async def test_who_leaves_is_not_worked_for(server: tuple[str, Sounding], monkeypatch: pytest.MonkeyPatch) -> None:
    url, worker = server
    work = worker.studio.transcriptions
    pcm = np.tile(np.concatenate([spoken(one).pcm for one in SENTENCES]), 8)
    recognised = work._recognised
    begun, pieces = asyncio.Event(), 0
    loop = asyncio.get_running_loop()

    def counted(*given: Any) -> Any:
        nonlocal pieces
        pieces += 1
        loop.call_soon_threadsafe(begun.set)
        return recognised(*given)

    monkeypatch.setattr(work, "_recognised", counted)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
        form = aiohttp.FormData({"model": "whisper-1", "language": "en"}, default_to_multipart=True)
        form.add_field("file", io.BytesIO(wav(pcm, WIRE_RATE)), filename="a.wav")
        asking = asyncio.ensure_future(http.post(f"{url}/v1/audio/transcriptions", data=form))
        await begun.wait()
        asking.cancel()
        await asyncio.wait({asking})
    async with asyncio.timeout(20.0):
        while work._asked:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert pieces <= len(pcm) / WIRE_RATE / PIECE_S / 2


async def test_the_language_is_found_out_and_said(url: str) -> None:
    file, said = sentence()
    found = await client_does(
        url, lambda client: client.audio.transcriptions.create(file=("a.wav", file), model="gpt-transcribe")
    )
    assert found.languages is not None
    assert [one.code for one in found.languages] == ["en"]
    assert errors(said, found.text) <= 0.15


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings beside the repository")
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # says the client of its own translations
async def test_german_is_translated_and_its_format_does_not_matter(url: str) -> None:
    file = await asyncio.to_thread((RECORDINGS / "de" / "fleurs-de-005.ogg").read_bytes)

    def translated(client: openai.OpenAI) -> tuple[str, TranslationVerbose, str]:
        given: dict[str, Any] = {"file": ("speech.ogg", file), "model": "whisper-1"}
        plain = client.audio.translations.create(**given)
        verbose = client.audio.translations.create(**given, response_format="verbose_json")
        srt = client.audio.translations.create(**given, response_format="srt")
        return plain.text, cast("TranslationVerbose", verbose), str(srt)

    text, verbose, srt = await client_does(url, translated)
    english = {"the", "of", "and", "to", "in", "a", "is", "was", "were", "are"}
    assert len(english & set(text.lower().split())) >= 2, text
    assert verbose.language == "english"
    assert verbose.text == text
    assert verbose.segments
    assert "-->" in srt
    heard = await client_does(
        url, lambda client: client.audio.transcriptions.create(file=("a.ogg", file), model="whisper-1")
    )
    assert heard.text != text
    assert heard.languages is not None
    assert heard.languages[0].code == "de"


@pytest.mark.usefixtures("said_before")
async def test_a_whole_server_does_it_beside_its_calls() -> None:
    file, said = sentence()
    async with serving(SETTINGS) as (url, _):
        found = await client_does(url, lambda client: transcribe(client, file))
        assert errors(said, found.text) <= 0.15
        speech = await client_does(url, lambda client: client.audio.speech.create(**cast("Any", GOOD)).content)
        assert len(read(speech)) > EAR_RATE // 4


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
async def test_the_commands_of_the_documentation_run(tmp_path: Path) -> None:
    commands = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in re.split(r"(?<!\\)\n", block)]
    async with sounding(Access()) as (url, _):
        answers = []
        for command in filter(None, commands):
            shell = await asyncio.create_subprocess_shell(
                command.replace("http://localhost:8080", url).replace("curl", "curl -f", 1),
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
            )
            answers.append((await shell.communicate())[0].decode())
            assert shell.returncode == 0, command
    assert read(await asyncio.to_thread((tmp_path / "speech.mp3").read_bytes)).size > EAR_RATE
    assert "train" in answers[1]
    assert '"words"' in answers[2]
    assert "[DONE]" in answers[3]
    assert "-->" in answers[4]
    assert "whisper-1" in answers[5]


@pytest.mark.usefixtures("said_before")
async def test_with_calls_in_other_processes_the_one_with_the_models_does_it() -> None:
    file, said = sentence()
    processes = Processes(SPLIT, config=None, flags=FLAGS, verbose=False)
    async with running(processes) as url:
        found = await client_does(url, lambda client: transcribe(client, file))
        assert errors(said, found.text) <= 0.15
