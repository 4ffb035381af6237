import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { text } from "../core/i18n";
import { CloseIcon } from "./icons";
import { dialog } from "./looks";

/** A window over the page: takes the focus, closes with Esc, its button or a click beside it, gives the focus back. */
export function Dialog({
  title,
  name,
  children,
}: {
  title: string;
  name: NonNullable<typeof dialog.value>;
  children: ComponentChildren;
}) {
  const box = useRef<HTMLDialogElement>(null);

  useEffect(() => {
    box.current?.showModal();
  }, []);

  const close = (): void => {
    settle();
    box.current?.close();
  };

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc does the same, by the browser's own doing
    <dialog
      class="card dialog"
      ref={box}
      data-testid={name}
      aria-labelledby={`${name}-title`}
      onCancel={settle}
      onClose={() => {
        // The browser tells of it a moment later, and by then a key may have opened the other one.
        if (dialog.value === name) dialog.value = null;
      }}
      onClick={(event) => {
        if (event.target === box.current) close(); // the backdrop is the dialog's own
      }}
    >
      <header>
        <h2 id={`${name}-title`}>{title}</h2>
        <button
          type="button"
          class="quiet round"
          aria-label={text.value.close}
          data-testid={`${name}-close`}
          onClick={close}
        >
          <CloseIcon />
        </button>
      </header>
      <div class="inside">{children}</div>
    </dialog>
  );
}

/** What is being typed counts as typed, though the field is about to be gone. */
function settle(): void {
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}
