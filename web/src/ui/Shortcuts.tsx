import { useEffect } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { holdable, mayTalk } from "../core/people";
import { Dialog } from "./Dialog";
import { captions, dialog, letters } from "./looks";

/** Where keys are text, and where they are the control's own. */
const WRITING = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]";
const PRESSED = "button, summary, a, [type=checkbox]";

/** Lets the keys do what the list says. Those of one letter do nothing in fields, or where they are switched off. */
export function useShortcuts(client: VoiceClient): void {
  useEffect(() => {
    const { signal, abort } = controller();
    const letGo = (): void => client.talk.holding.end();
    addEventListener("keydown", (event) => pressed(client, event), { signal });
    addEventListener("keyup", (event) => event.key === " " && letGo(), { signal });
    // A key that is let go in another window is never told of.
    addEventListener("blur", letGo, { signal });
    // A button that was clicked keeps the focus, and Space would be its own: the mouse does not need it there.
    addEventListener("click", unfocus, { signal });
    return abort;
  }, [client]);
}

function controller(): { signal: AbortSignal; abort: () => void } {
  const listening = new AbortController();
  return { signal: listening.signal, abort: () => listening.abort() };
}

function pressed(client: VoiceClient, event: KeyboardEvent): void {
  const target = event.target instanceof Element ? event.target : document.body;
  if (event.defaultPrevented || event.isComposing || target.closest("dialog")) return;
  if (event.key === "Escape") {
    const menu = target.closest("details.save[open]");
    if (menu) fold(menu);
    else if (mayTalk(client.state.value.room)) client.interrupt();
    return;
  }
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (modified || letters.value === "off" || target.closest(WRITING)) return;
  const connection = client.connection.value;
  const inCall = connection === "live" || connection === "interrupted";
  const talks = inCall && mayTalk(client.state.value.room);
  if (event.key === " " && talks && !target.closest(PRESSED)) {
    event.preventDefault(); // the page would scroll
    if (!event.repeat) client.talk.holding.begin();
  } else if (event.repeat) {
    return;
  } else if (event.key === "?") {
    dialog.value = "keys";
  } else if (event.key.toLowerCase() === "m" && talks) {
    client.talk.mute(!client.talk.muted.value);
  } else if (event.key.toLowerCase() === "c" && inCall) {
    captions.value = captions.value === "on" ? "off" : "on";
  }
}

/** Closes a menu; the focus goes back to what opened it, or it would be nowhere. */
function fold(menu: Element): void {
  menu.removeAttribute("open");
  menu.querySelector("summary")?.focus();
}

function unfocus(event: MouseEvent): void {
  const target = event.target instanceof Element ? event.target : document.body;
  for (const menu of document.querySelectorAll("details.save[open]")) {
    if (!menu.contains(target)) menu.removeAttribute("open");
  }
  const button = target.closest<HTMLElement>(PRESSED);
  if (event.detail > 0 && button && !button.closest("dialog")) button.blur();
}

/** The list of keys. */
export function Keys({ client }: { client: VoiceClient }) {
  const { keyNames, keyList, room: words } = text.value;
  const { room } = client.state.value;
  const space = client.room.on ? words.space : keyList.space;
  const rows: readonly (readonly [string, string])[] = [
    [keyNames.escape, keyList.escape],
    ...(room && !holdable(room) ? [] : [[keyNames.space, space] as const]),
    ["M", keyList.m],
    ["C", keyList.c],
    ["?", keyList.help],
  ];
  return (
    <Dialog name="keys" title={text.value.keys}>
      <dl class="keys">
        {rows.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
