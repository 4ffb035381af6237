// What this browser remembers. Storage may be full, or forbidden: a choice then lasts as long as the page.

/** `browser`: between visits, for all tabs. `tab`: until the tab is closed, for this one. */
export type Where = "browser" | "tab";

/** What was kept under `key`; null if nothing was. */
export function recall(key: string, where: Where = "browser"): string | null {
  try {
    return storage(where).getItem(key);
  } catch {
    return null;
  }
}

/** Keeps `value`; null forgets it. */
export function keep(key: string, value: string | null, where: Where = "browser"): void {
  try {
    if (value === null) storage(where).removeItem(key);
    else storage(where).setItem(key, value);
  } catch {
    return;
  }
}

function storage(where: Where): Storage {
  return where === "tab" ? sessionStorage : localStorage; // to name it may throw already
}
