// How this page looks to one person, and what it shows: remembered by the browser, and no business of the server's.

import { effect, type Signal, signal } from "@preact/signals";
import { language } from "../core/i18n";
import { keep, recall } from "../core/kept";

export const THEMES = ["system", "light", "dark"] as const;
export const SIZES = ["normal", "large", "larger"] as const;

export const PLACES = ["after", "before"] as const;

/** One choice of several; the first is the usual one. */
function choice<T extends string>(key: string, choices: readonly [T, ...T[]]): Signal<T> {
  const kept = recall(key);
  const chosen = signal<T>(choices.find((each) => each === kept) ?? choices[0]);
  effect(() => keep(key, chosen.value === choices[0] ? null : chosen.value));
  return chosen;
}

/** Also read by `theme.js`, before anything is painted. */
export const theme = choice("antiphon.theme", THEMES);
/** What is said is shown. */
export const captions = choice("antiphon.captions", ["on", "off"]);
export const captionSize = choice("antiphon.caption-size", SIZES);
/** Where they stand: behind the phase, which is right of it or below it, or before it. */
export const captionPlace = choice("antiphon.caption-place", PLACES);
/** Screen readers read the agent's words out, over its voice. */
export const announce = choice("antiphon.announce", ["off", "on"]);
/** Keys of one letter do something; people who dictate to their computer need them not to. */
export const letters = choice("antiphon.letters", ["on", "off"]);

/** The dialog that is open. */
export const dialog = signal<"settings" | "keys" | null>(null);

/** Lets the document follow what was chosen, from now on. */
export function follow(root: HTMLElement): void {
  effect(() => {
    root.dataset.theme = theme.value;
    root.dataset.captions = captionSize.value;
    root.dataset.place = captionPlace.value;
    root.lang = language.value;
    for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
      // The colour of the browser's own frame: each of the two is for one of the system's themes.
      const dark = theme.value === "dark" || (theme.value === "system" && meta.media.includes("dark"));
      meta.content = dark ? "#14161a" : "#f5f5f2";
    }
  });
}
