// What this browser remembers between visits. Storage may be full, or forbidden: a choice then lasts as long as the page.

/** What was kept under `key`; null if nothing was. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keeps `value` for the next visit; null forgets it. */
export function keep(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    return;
  }
}
