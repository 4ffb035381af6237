import { useLayoutEffect, useRef } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import type { Line, Timeline } from "../core/conversation";
import { text } from "../core/i18n";
import { author, type RoomState } from "../core/people";
import { mouthToEar } from "../core/stages";
import { announce } from "./looks";

/** What was said. Only finished lines are announced; what is still changing would flood a screen reader. */
export function Transcript({ client }: { client: VoiceClient }) {
  const { lines, timelines, room } = client.state.value;
  const shown = lines.filter(visible);
  // Finished lines up to the first that is not: the order on the page is the order of the conversation.
  const open = shown.findIndex((line) => !line.final);
  const done = open < 0 ? shown : shown.slice(0, open);
  const rest = open < 0 ? [] : shown.slice(open);
  const box = useRef<HTMLElement>(null);
  const atEnd = useRef(true);

  useLayoutEffect(() => {
    // Follows the talk, unless the reader has scrolled up to read.
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);

  return (
    <section
      class="transcript"
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
      tabIndex={0}
      aria-label={text.value.transcript}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < 40;
      }}
    >
      {shown.length === 0 && <p class="soft empty">{hint(room)}</p>}
      <div role="log" aria-live="polite">
        {done.map((line) => (
          <Entry key={line.id} line={line} timeline={timelineOf(line, timelines)} room={room} />
        ))}
      </div>
      <div aria-live="off">
        {rest.map((line) => (
          <Entry key={line.id} line={line} timeline={timelineOf(line, timelines)} room={room} />
        ))}
      </div>
    </section>
  );
}

function Entry({
  line,
  timeline,
  room,
}: {
  line: Line;
  timeline: Timeline | undefined;
  room: RoomState | null;
}) {
  if (line.kind === "user-failed" || line.kind === "agent-failed") {
    return (
      <p class="entry failed" data-testid={line.kind}>
        {line.kind === "user-failed"
          ? text.value.notUnderstood(line.text)
          : text.value.notAnswered(line.text)}
      </p>
    );
  }
  const sure = line.text.slice(0, line.sure);
  const rest = line.text.slice(line.sure);
  const answered_ms = timeline && mouthToEar(timeline);
  const person = author(room, line.id);
  return (
    // The agent's words are heard; reading them out as well would talk over the voice.
    <article
      class={`entry ${line.kind}`}
      data-colour={person?.colour}
      aria-live={line.kind === "agent" && announce.value === "off" ? "off" : undefined}
    >
      <h3 class="label">
        <bdi class="name">{whose(line, room)}</bdi>
        {answered_ms != null && <span class="took">{text.value.seconds(answered_ms)}</span>}
      </h3>
      <p
        dir="auto"
        lang={line.lang || undefined}
        data-testid={`${line.kind}-transcript`}
        data-final={line.final}
        data-cut={line.cut}
      >
        {sure}
        {rest && line.kind === "user" && <span class="unsure">{rest}</span>}
        {rest && line.cut && (
          <>
            {/* The space before the first word is not struck through. */}
            {rest.slice(0, rest.length - rest.trimStart().length)}
            <span class="hidden">{text.value.unheard} </span>
            <del data-testid="unheard">{rest.trim()}</del>
          </>
        )}
      </p>
    </article>
  );
}

/** Who said a line, as the person at this page sees it. */
function whose(line: Line, room: RoomState | null): string {
  if (line.kind !== "user") return room?.agent || text.value.agent;
  const person = author(room, line.id);
  if (!room || person?.id === room.you) return text.value.you;
  return person?.name || text.value.room.somebody;
}

/** What stands where nothing was said yet. */
function hint(room: RoomState | null): string {
  return (room && text.value.room.policies[room.policy]?.(room.agent)) ?? text.value.quiet;
}

/** A line without words (yet), and an answer that was dropped before any of it was heard, are not shown. */
function visible(line: Line): boolean {
  if (line.kind === "user") return line.text !== "";
  if (line.kind === "agent") return line.sure > 0;
  return true;
}

function timelineOf(line: Line, timelines: readonly Timeline[]): Timeline | undefined {
  return timelines.find((timeline) => timeline.response_id === line.responseId);
}
