// Which language the page speaks: the one that was chosen here, or else the first of the browser's that it knows.

import { computed, signal } from "@preact/signals-core";
import { keep, recall } from "./kept";
import { english, type Strings } from "./words/english";
import { german } from "./words/german";

export type { Strings } from "./words/english";
export type { ProblemText } from "./words/english_problems";

/** The page's languages by code, each with its own name for itself. */
export const LANGUAGES = { en: "English", de: "Deutsch" } as const;

export type LanguageCode = keyof typeof LANGUAGES;

const WORDS: Record<LanguageCode, Strings> = { en: english, de: german };
const KEY = "antiphon.page-language";

/** What was chosen; null to follow the browser. */
export const choice = signal<LanguageCode | null>(known(recall(KEY)));

/** The language in use. */
export const language = computed(() => choice.value ?? best(globalThis.navigator?.languages ?? []));

/** The strings in use. */
export const text = computed(() => WORDS[language.value]);

/** Chooses a language of the page, for this visit and the next; null to follow the browser. */
export function speak(code: LanguageCode | null): void {
  choice.value = code;
  keep(KEY, code);
}

/** The first of the wanted languages (BCP 47, the best first) that the page has; English if it has none. */
export function best(wanted: readonly string[]): LanguageCode {
  for (const tag of wanted) {
    const code = known(tag.split("-")[0]?.toLowerCase() ?? "");
    if (code) return code;
  }
  return "en";
}

/** A language's own name for another, such as "Deutsch" of "de" among Germans. */
export function nameOf(code: string): string {
  const names = new Intl.DisplayNames([language.value], { type: "language" });
  return names.of(code) ?? code;
}

/** The code, if the page has that language. */
export function known(code: string | null): LanguageCode | null {
  return code !== null && Object.hasOwn(LANGUAGES, code) ? (code as LanguageCode) : null;
}
