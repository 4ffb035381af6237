import type { ComponentChildren } from "preact";

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
        value={value ?? ""}
        onChange={({ currentTarget: input }) => {
          const typed = input.valueAsNumber;
          if (input.reportValidity()) onChange(Number.isNaN(typed) ? undefined : typed);
        }}
      />
    </label>
  );
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
