import { useSignal } from "@preact/signals";
import type { VoiceClient } from "../core/client";
import { type Origin, PROCESSES } from "../core/devices";
import { text } from "../core/i18n";
import { Select, Switch } from "./fields";
import { SpeakerIcon } from "./icons";

/** What the agent hears, with which processing, and where its voice comes out. */
export function Devices({ client }: { client: VoiceClient }) {
  const { microphone, speaker } = client;
  const origin = microphone.origin.value;
  const listed = (devices: typeof microphone.devices, usual: string) =>
    [["", usual], ...devices.value.map(({ id, label }) => [id, label] as const)] as const;
  return (
    <>
      {microphone.sharesScreens && (
        <Select
          name="origin"
          label={text.value.source}
          value={origin}
          options={Object.entries(text.value.sources)}
          onChange={(value) => void client.changeMicrophone((each) => each.hear(value as Origin))}
        />
      )}
      {origin === "screen" ? (
        <p class="soft small">{text.value.screenHint}</p>
      ) : (
        <>
          {microphone.devices.value.length > 0 && (
            <Select
              name="device"
              label={text.value.device}
              value={microphone.chosen.value}
              options={listed(microphone.devices, text.value.defaultDevice)}
              onChange={(id) => void client.changeMicrophone((each) => each.choose(id))}
            />
          )}
          <div class="switches">
            {PROCESSES.map((process) => (
              <Switch
                key={process}
                name={process}
                label={text.value.processing[process]}
                on={!microphone.off.value.includes(process)}
                onChange={(on) => void client.changeMicrophone((each) => each.process(process, on))}
              />
            ))}
          </div>
          <p class="soft small">{text.value.processingHint}</p>
        </>
      )}
      {speaker.devices.value.length > 0 && (
        <Select
          name="speaker"
          label={text.value.output}
          value={speaker.chosen.value}
          options={listed(speaker.devices, text.value.defaultOutput)}
          onChange={(id) => void speaker.choose(id)}
        />
      )}
      <TestSound client={client} />
    </>
  );
}

function TestSound({ client }: { client: VoiceClient }) {
  const failed = useSignal(false);
  const playing = useSignal(false);
  const play = async (): Promise<void> => {
    playing.value = true;
    failed.value = !(await client.speaker.test());
    playing.value = false;
  };
  return (
    <>
      <button type="button" data-testid="test-sound" disabled={playing.value} onClick={() => void play()}>
        <SpeakerIcon />
        {text.value.testSound}
      </button>
      {failed.value && (
        <p class="small" role="alert">
          {text.value.testSoundFailed}
        </p>
      )}
    </>
  );
}
