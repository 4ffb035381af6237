import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

/** A choice of several; what is not chosen is "". */
export function Select({
  label,
  value,
  options,
  onChange,
  name,
}: {
  label: string;
  value: string;
  options: readonly (readonly [value: string, label: string])[];
  onChange: (value: string) => void;
  name: string;
}) {
  return (
    <label class="field">
      <span>{label}</span>
      <select data-testid={name} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([each, shown]) => (
          <option key={each} value={each}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Something that is on or off. */
export function Switch({
  label,
  on,
  onChange,
  name,
}: {
  label: string;
  on: boolean;
  onChange: (on: boolean) => void;
  name: string;
}) {
  return (
    <label class="switch">
      <span>{label}</span>
      <input
        type="checkbox"
        data-testid={name}
        checked={on}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    </label>
  );
}

/** A number; empty for as the server has it. What lies outside of the limits is not taken. */
export function Amount({
  label,
  value,
  limits,
  empty,
  onChange,
  name,
}: {
  label: string;
  value: number | undefined;
  limits: { readonly min: number; readonly max: number; readonly step: number };
  empty: string;
  onChange: (value: number | undefined) => void;
  name: string;
}) {
  const draft = useDraft(value === undefined ? "" : String(value));
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="number"
        inputmode="numeric"
        data-testid={name}
        min={limits.min}
        max={limits.max}
        step="any"
        placeholder={empty}
        value={draft.value}
        onInput={({ currentTarget: input }) => {
          draft.value = input.value;
        }}
        onChange={({ currentTarget: input }) => {
          const typed = input.valueAsNumber;
          if (input.reportValidity()) onChange(Number.isNaN(typed) ? undefined : typed);
        }}
      />
    </label>
  );
}

/** Several lines of text; empty for as the server has it. */
export function Text({
  label,
  hint,
  value,
  empty,
  most,
  onChange,
  name,
}: {
  label: string;
  hint: string;
  value: string | undefined;
  empty: string;
  most: number;
  onChange: (value: string | undefined) => void;
  name: string;
}) {
  const draft = useDraft(value ?? "");
  return (
    <label class="field">
      <span>{label}</span>
      <textarea
        rows={4}
        data-testid={name}
        maxLength={most}
        dir="auto"
        placeholder={empty}
        value={draft.value}
        onInput={({ currentTarget: field }) => {
          draft.value = field.value;
        }}
        onChange={({ currentTarget: field }) => onChange(field.value.trim() || undefined)}
      />
      <span>{hint}</span>
    </label>
  );
}

/** What is being typed: a call goes on meanwhile, and whatever is drawn anew must not take it away. */
function useDraft(value: string) {
  const draft = useSignal(value);
  useEffect(() => {
    draft.value = value;
  }, [draft, value]);
  return draft;
}

/** Fields that belong together. */
export function Group({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <fieldset class="group">
      <legend>{title}</legend>
      {children}
    </fieldset>
  );
}
