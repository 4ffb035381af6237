import { describe, expect, it } from "vitest";
import { best, speak, text } from "../src/core/i18n";
import { english } from "../src/core/words/english";
import { german } from "../src/core/words/german";

/** Every path that leads to a word, and what kind of thing lies there. */
function paths(words: object, at = ""): string[] {
  return Object.entries(words).flatMap(([key, value]) =>
    typeof value === "object" ? paths(value, `${at}${key}.`) : [`${at}${key}: ${typeof value}`],
  );
}

describe("the languages", () => {
  it("have the same words", () => {
    expect(paths(german).sort()).toEqual(paths(english).sort());
  });

  it("leave no word empty that the other has", () => {
    const empty = (words: object): string[] =>
      Object.entries(words).flatMap(([key, value]) =>
        typeof value === "object" ? empty(value) : value === "" ? [key] : [],
      );
    expect(empty(german)).toEqual(empty(english));
  });

  it.each([
    [["de-AT", "en"], "de"],
    [["fr-FR", "de", "en"], "de"],
    [["EN-gb"], "en"],
    [["ja"], "en"],
    [[], "en"],
    [["constructor"], "en"],
  ])("are chosen by %j: %s", (wanted, code) => {
    expect(best(wanted)).toBe(code);
  });

  it("can be chosen against the browser's", () => {
    speak("de");
    expect(text.value.hangup).toBe("Auflegen");
    expect(text.value.seconds(1234)).toBe("1,23 s");
    speak("en");
    expect(text.value.hangup).toBe("Hang up");
    speak(null);
  });
});
