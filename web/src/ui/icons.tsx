// Drawn here, so that the page asks nobody for a font or an image. All are decoration: words stand beside them.

import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      {children}
    </svg>
  );
}

/** Two voices that face each other. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M13 8a10 10 0 0 0 0 16M19 8a10 10 0 0 1 0 16M16 13v6" />
    </svg>
  );
}

/** A microphone. */
export const MicrophoneIcon = () => (
  <Icon>
    <path d="M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5 11v1a7 7 0 0 0 14 0v-1M12 19v3" />
  </Icon>
);

/** A microphone, struck through. */
export const MutedIcon = () => (
  <Icon>
    <path d="M9 9V6a3 3 0 0 1 6 0v6M12 15a3 3 0 0 1-3-3M5 11v1a7 7 0 0 0 11 5.7M19 11v1M12 19v3M3 3l18 18" />
  </Icon>
);

/** A raised hand's meaning without the hand: stop. */
export const InterruptIcon = () => (
  <Icon>
    <rect x="6" y="6" width="12" height="12" rx="2" />
  </Icon>
);

/** A receiver laid down. */
export const HangUpIcon = () => (
  <Icon>
    <path d="M3 14c0-5 18-5 18 0v2l-5 1-1-3c-2-.8-4-.8-6 0l-1 3-5-1z" />
  </Icon>
);

/** Something is wrong. */
export const WarningIcon = () => (
  <Icon>
    <path d="M12 3 2 20h20zM12 10v4M12 17v.5" />
  </Icon>
);

/** A loudspeaker. */
export const SpeakerIcon = () => (
  <Icon>
    <path d="M4 10v4h3l5 4V6L7 10zM15.5 9.5a4 4 0 0 1 0 5M18 7a8 8 0 0 1 0 10" />
  </Icon>
);

/** Three sliders. */
export const SettingsIcon = () => (
  <Icon>
    <path d="M4 7h9M17 7h3M4 12h1M9 12h11M4 17h3M11 17h9" />
    <circle cx="15" cy="7" r="2" />
    <circle cx="7" cy="12" r="2" />
    <circle cx="9" cy="17" r="2" />
  </Icon>
);

/** Into a tray. */
export const SaveIcon = () => (
  <Icon>
    <path d="M12 4v11M7 10.5l5 5 5-5M4 20h16" />
  </Icon>
);

/** A cross. */
export const CloseIcon = () => (
  <Icon>
    <path d="M6 6l12 12M18 6L6 18" />
  </Icon>
);

/** Two people. */
export const PeopleIcon = () => (
  <Icon>
    <circle cx="9" cy="8" r="3.5" />
    <path d="M2.5 20a6.5 6.5 0 0 1 13 0M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.2a6.5 6.5 0 0 1 3.5 5.8" />
  </Icon>
);

/** One person, and a plus. */
export const InviteIcon = () => (
  <Icon>
    <circle cx="9" cy="8" r="3.5" />
    <path d="M2.5 20a6.5 6.5 0 0 1 13 0M19 8v6M16 11h6" />
  </Icon>
);
