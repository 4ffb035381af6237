import { choice, known, LANGUAGES, speak, text } from "../core/i18n";
import { Group, Select, Switch } from "./fields";
import {
  announce,
  captionPlace,
  captionSize,
  captions,
  letters,
  PLACES,
  SIZES,
  THEMES,
  theme,
} from "./looks";

/** How the page looks to one person, and what it reads out. */
export function PageSettings() {
  const { captionPlaces, captionSizes, themes } = text.value;
  return (
    <Group title={text.value.pageSettings}>
      <Select
        name="page-language"
        label={text.value.pageLanguage}
        value={choice.value ?? ""}
        options={[["", text.value.browsers], ...Object.entries(LANGUAGES)]}
        onChange={(code) => speak(known(code))}
      />
      <Select
        name="theme"
        label={text.value.theme}
        value={theme.value}
        options={THEMES.map((each) => [each, themes[each]])}
        onChange={(each) => {
          theme.value = each as typeof theme.value;
        }}
      />
      <Select
        name="caption-size"
        label={text.value.captionSize}
        value={captionSize.value}
        options={SIZES.map((each) => [each, captionSizes[each]])}
        onChange={(each) => {
          captionSize.value = each as typeof captionSize.value;
        }}
      />
      <Select
        name="caption-place"
        label={text.value.captionPlace}
        value={captionPlace.value}
        options={PLACES.map((each) => [each, captionPlaces[each]])}
        onChange={(each) => {
          captionPlace.value = each as typeof captionPlace.value;
        }}
      />
      <div class="switches">
        {(
          [
            ["captions", captions, text.value.captions],
            ["announce", announce, text.value.announce],
            ["letters", letters, text.value.letters],
          ] as const
        ).map(([name, chosen, label]) => (
          <Switch
            key={name}
            name={name}
            label={label}
            on={chosen.value === "on"}
            onChange={(on) => {
              chosen.value = on ? "on" : "off";
            }}
          />
        ))}
      </div>
    </Group>
  );
}
