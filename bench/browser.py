"""Debian's Chromium as benches and tests launch it, and what they can look at in a page that is in a call."""

from __future__ import annotations

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
HAS_CHROMIUM = CHROMIUM.exists()

FLAGS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--allow-loopback-in-peer-connection",  # host candidates on 127.0.0.1
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]

KEEP_PEERS = """(() => {
  const kept = [];
  window.keptPeers = kept;
  const Real = window.RTCPeerConnection;
  if (!Real) return;
  window.RTCPeerConnection = class RTCPeerConnection extends Real {
    constructor(...given) { super(...given); kept.push(this); }
    close() { this.last = this.getStats(); super.close(); }
  };
})()"""
"""For `add_init_script`: the page keeps its connections to itself, and what they measure is wanted from outside."""

STATS = """async () => Promise.all((window.keptPeers ?? []).map(async (peer) => ({
  connection: peer.connectionState,
  ice: peer.iceConnectionState,
  signaling: peer.signalingState,
  stats: [...(await (peer.last ?? peer.getStats())).values()],
})))"""
"""For `evaluate`, after `KEEP_PEERS`: every connection that the page has made, and its `getStats()`; of one that it has
closed, what it was at last."""


def flags(wav: Path | None = None, *, fake_ui: bool = True, fake_device: bool = True) -> list[str]:
    """The command line of one launch.

    :param wav: absolute path of 48 kHz mono 16-bit sound; played once, from
        getUserMedia on. None: Chromium's beeps.
    :param fake_ui: say yes to the microphone. False: it is refused (`NotAllowedError`).
    :param fake_device: there is a microphone. False: there is none (`NotFoundError`).
    """
    found = list(FLAGS)
    if fake_ui:
        found.append("--use-fake-ui-for-media-stream")
    if fake_device:
        found.append("--use-fake-device-for-media-stream")
    if wav is not None:
        found.append(f"--use-file-for-fake-audio-capture={wav}%noloop")
    return found
