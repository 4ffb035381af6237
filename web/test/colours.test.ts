import { describe, expect, it } from "vitest";
import { COLOURS } from "../src/core/people";
import css from "../src/style.css?raw";

/** 4.5:1 is what small text needs: https://www.w3.org/TR/WCAG22/#contrast-minimum */
const LEAST = 4.5;

/** Both shades of what is between the braces behind `start`: light, dark. */
function shades(start: string): [string, string] {
  const found = css.slice(css.indexOf(start)).match(/light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/);
  if (!found?.[1] || !found[2]) throw new Error(`no colours behind ${start}`);
  return [found[1], found[2]];
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

describe("people's colours", () => {
  const cards = shades("--card:");
  const all = Array.from({ length: COLOURS }, (_, colour) => shades(`[data-colour="${colour}"]`));

  it("can be read on a card, and letters on them, light and dark", () => {
    for (const tones of all) {
      tones.forEach((tone, look) => {
        expect(contrast(tone, cards[look] ?? ""), tone).toBeGreaterThanOrEqual(LEAST);
      });
    }
  });

  it("are all different, and none is the agent's", () => {
    const agent = shades("--speaking:");
    for (const look of [0, 1]) {
      expect(new Set([agent, ...all].map((tones) => tones[look])).size).toBe(COLOURS + 1);
    }
  });
});
