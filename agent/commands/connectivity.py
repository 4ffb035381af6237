"""`antiphon doctor` on networks: the servers in between, the addresses that a caller is told, and a call to oneself."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from agent.commands.candidates_told import told
from agent.commands.doctor import Finding
from agent.errors import ConfigError, TransportError
from agent.settings import IceSettings, Settings
from agent.transports.ice import Ice, IceServer
from agent.transports.p2p import PeerConnection
from agent.transports.pair_check import End, Pair, check_pairs, selected
from agent.transports.server_check import Given, ServerRefused, ask
from agent.worker import gather_as_set, ice

SERVER_S = 3.0
"""How long a STUN or TURN server may take."""
CONNECT_S = 5.0
"""How long a call from this machine may take to connect."""
PAIR_S = 2.0
"""How long the other end of a pair may take to answer."""
MOST_PAIRS = 8
"""that are printed because they do not work"""


def findings(settings: Settings) -> Iterator[Finding]:
    """What stands between callers and this server, and how to remove it."""
    try:
        chosen = ice(settings)
        servers = asyncio.run(_servers(chosen.servers(), settings.ice))
        yield from servers
        yield from asyncio.run(_call(chosen, settings, {server.name for server in servers if server.good}))
    except ConfigError as error:
        yield Finding("network", str(error), good=False)


async def _servers(servers: Sequence[IceServer], settings: IceSettings) -> list[Finding]:
    """Every server, asked as a call asks it."""
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_server(server, settings)) for server in servers]
    return [task.result() for task in asked]


async def _server(server: IceServer, settings: IceSettings) -> Finding:
    try:
        given = await ask(server, SERVER_S)
    except ServerRefused as error:
        return Finding(server.url, f"{error}: {_refusal(error.code, settings)}", good=False)
    except TransportError as error:
        return Finding(server.url, str(error), good=False)
    took = f"after {1000 * given.took_s:.0f} ms"
    if not server.relays:
        seen = Finding(server.url, f"sees this machine at {given.address}, {took}")
        if settings.public_address and settings.public_address != given.address:
            seen.details.append(f"callers are told {settings.public_address} (ice.public_address): is that us, too?")
        return seen
    if hides_its_relays(given):
        return Finding(
            server.url,
            f"it lends {given.address}, which callers can not reach: tell it its public address (coturn: external-ip)",
            good=False,
        )
    return Finding(server.url, f"lends {given.address}:{given.port}, {took}")


def hides_its_relays(given: Given) -> bool:
    """Whether a TURN server that has a public address lends one that is not."""
    return ip_address(given.server).is_global and not ip_address(given.address).is_global


def _refusal(code: int, settings: IceSettings) -> str:
    """What to do when a TURN server answers with an error."""
    if code in (401, 441):
        if settings.turn_secret.get_secret_value():
            return (
                "ice.turn_secret is not the one that the server was started with (coturn: static-auth-secret), or the "
                "two clocks differ"
            )
        if settings.turn_username:
            return "ice.turn_username and ice.turn_credential are no account of this server"
        return "it wants a password; set ice.turn_secret, or ice.turn_username and ice.turn_credential"
    if code in (486, 508):
        return "it has no address left to lend; give it more (coturn: user-quota, total-quota, min-port, max-port)"
    if code == 403:
        return "it lends this account nothing; see its rules"
    return "see the server's log"


async def _call(chosen: Ice, settings: Settings, alive: Collection[str]) -> list[Finding]:
    """A call from this machine to itself: what its answer tells, and by which ways it gets through."""
    # The caller is another program: it takes none of the ports that are set aside for us.
    gather_as_set(settings.model_copy(update={"ice": settings.ice.model_copy(update={"ports": ""})}))
    loop = asyncio.get_running_loop()
    servers = chosen.configuration(loop.time()).iceServers
    caller, agent = RTCPeerConnection(RTCConfiguration(iceServers=servers)), None
    try:
        caller.addTransceiver("audio")
        caller.createDataChannel("oai-events")
        await caller.setLocalDescription(await caller.createOffer())
        gather_as_set(settings)
        agent = PeerConnection(chosen)
        answer = await agent.answer(caller.localDescription.sdp)
        began = loop.time()
        await caller.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        connected = await _connected(caller)
        took_s, way = loop.time() - began, selected(caller)
        async with asyncio.TaskGroup() as group:
            theirs = group.create_task(agent.check_pairs(PAIR_S))
            pairs = await check_pairs(caller, PAIR_S)
        closed = [_closed(pair, theirs.result(), settings.ice) for pair in pairs if not pair.answered]
    finally:
        if agent is not None:
            await agent.close("checked")
        await caller.close()
    details = [*closed[:MOST_PAIRS], *([f"and {len(closed) - MOST_PAIRS} more"] if len(closed) > MOST_PAIRS else [])]
    if connected and way is not None:
        by = f"{way.ours} → {way.theirs}"
        verdict = Finding("a call from this machine", f"connected after {1000 * took_s:.0f} ms, {by}", details=details)
    else:
        why = f"did not connect within {CONNECT_S:.0f} s" + ("" if pairs else ": an end of it has no address")
        verdict = Finding("a call from this machine", why, good=False, details=details)
    return [told(answer, settings, alive), verdict]


async def _connected(caller: RTCPeerConnection) -> bool:
    """Whether ICE and DTLS come up in time."""
    # The peer connection itself is "failed" while it still works on that, and is not to be closed then.
    assert caller.sctp is not None
    dtls, over = caller.sctp.transport, asyncio.Event()

    def changed() -> None:
        if dtls.state in ("connected", "failed", "closed"):
            over.set()

    dtls.on("statechange", changed)
    with suppress(TimeoutError):
        async with asyncio.timeout(CONNECT_S):
            await over.wait()
    return bool(dtls.state == "connected")


def _closed(pair: Pair, seen_from_us: Sequence[Pair], settings: IceSettings) -> str:
    """A way from the caller to us that is closed, and how to open it."""
    said = pair.error or next((other.error for other in seen_from_us if other.ours == pair.theirs and other.error), "")
    return f"no answer {pair.ours} → {pair.theirs}: {_remedy(pair.ours, pair.theirs, said, settings)}"


def _remedy(ours: End, theirs: End, said: str, settings: IceSettings) -> str:
    ports = f"the UDP ports {settings.ports}" if settings.ports else "UDP (set ice.ports for a range)"
    if "403" in said:
        return (
            "the TURN server forbids one of the two addresses (coturn: denied-peer-ip, allowed-peer-ip; "
            "allow-loopback-peers for 127.0.0.1)"
        )
    if theirs.kind == "srflx" or (settings.public_address and theirs.address == settings.public_address):
        return (
            f"from inside, that is as it should be where the network does not send packets round; for callers outside, "
            f"let {ports} through to this machine"
        )
    if "relay" in (ours.kind, theirs.kind):
        return "the TURN server can not reach the other address, or a firewall closes its own (coturn: 49152-65535)"
    return f"a firewall is between them, or no way leads there{f' ({said})' if said else ''}; let {ports} through"
