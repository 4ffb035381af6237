// Every failure in German: what happened, and what to do about it.

import type { Problem } from "../problems";
import type { ProblemText } from "./english_problems";

/** The words for `found`, which happened with the server at this address. */
export function problem(found: Problem, server: string): ProblemText {
  switch (found.kind) {
    case "insecure":
      return {
        title: "Unter dieser Adresse gibt es kein Mikrofon",
        what: "Browser geben das Mikrofon nur Seiten, die über https kamen, oder von diesem Rechner selbst.",
        remedy: [
          "Öffnen Sie die Seite mit https://, wenn der Server ein Zertifikat hat.",
          `Oder leiten Sie den Port weiter und öffnen dann http://localhost:8080: ssh -L 8080:localhost:8080 ${server.split(":")[0]}`,
        ],
      };
    case "unsupported":
      return {
        title: "Dieser Browser kann keine Anrufe führen",
        what: "WebRTC fehlt ihm oder ist abgeschaltet.",
        remedy: [
          "Nehmen Sie ein aktuelles Chrome, Edge, Firefox oder Safari, nicht innerhalb einer anderen App.",
        ],
      };
    case "denied":
      return {
        title: "Das Mikrofon ist gesperrt",
        what: "Der Browser hat dieser Seite das Mikrofon nicht gegeben.",
        remedy: [
          "Klicken Sie auf das Zeichen links neben der Adresse, erlauben Sie das Mikrofon und versuchen Sie es noch einmal.",
        ],
      };
    case "dismissed":
      return {
        title: "Der Browser wartet noch auf ein Ja",
        what: "Seine Frage nach dem Mikrofon wurde ohne Antwort geschlossen.",
        remedy: ["Versuchen Sie es noch einmal, und wählen Sie „Zulassen“, wenn der Browser fragt."],
      };
    case "denied-by-system":
      return {
        title: "Das System sperrt das Mikrofon",
        what: "Der Browser würde es erlauben, aber das Betriebssystem gibt ihm kein Mikrofon.",
        remedy: [
          "Erlauben Sie es dem Browser in den Einstellungen des Systems unter Datenschutz, Mikrofon, und versuchen Sie es noch einmal.",
        ],
      };
    case "no-microphone":
      return {
        title: "Kein Mikrofon gefunden",
        what: "Dieses Gerät bietet dem Browser keinen Toneingang.",
        remedy: [
          "Stecken Sie ein Headset oder ein Mikrofon ein, oder schalten Sie es ein, und versuchen Sie es noch einmal.",
        ],
      };
    case "microphone-busy":
      return {
        title: "Das Mikrofon ist besetzt",
        what: "Es ist da, aber ein anderes Programm hält es, oder sein Treiber antwortet nicht.",
        remedy: [
          "Schließen Sie andere Programme, die aufnehmen, oder stecken Sie das Mikrofon neu ein, und versuchen Sie es noch einmal.",
        ],
      };
    case "nothing-shared":
      return {
        title: "Es wird nichts geteilt",
        what: "Die Frage des Browsers, was geteilt werden soll, wurde geschlossen oder verneint.",
        remedy: [
          "Versuchen Sie es noch einmal und wählen Sie einen Tab, oder lassen Sie den Agenten das Mikrofon hören.",
        ],
      };
    case "no-sound-shared":
      return {
        title: "Es wurde ohne Ton geteilt",
        what: "Der Browser gab dieser Seite das Bild, das sie nicht braucht, und keinen Ton.",
        remedy: [
          "Versuchen Sie es noch einmal und haken Sie an, dass auch der Ton geteilt wird. Nicht jedes System lässt einen Browser allen Ton teilen; der eines Tabs geht fast überall.",
        ],
      };
    case "unreachable":
      return {
        title: "Der Server antwortet nicht",
        what: `Von ${server} kam nichts zurück.`,
        remedy: [
          "Sehen Sie nach, ob er läuft (antiphon serve) und ob dieser Rechner ein Netz hat.",
          "Versuchen Sie es dann noch einmal.",
        ],
      };
    case "full":
      return {
        title: "Alle Plätze sind besetzt",
        what: found.message || "Der Server führt so viele Gespräche, wie er tragen kann.",
        remedy: ["Warten Sie, bis jemand auflegt, und versuchen Sie es noch einmal."],
      };
    case "loading":
      return {
        title: "Die Modelle werden noch geladen",
        what: `Der Server ist da und wartet auf: ${found.waiting.join(", ")}.`,
        remedy: ["Es ist nichts zu tun: Diese Seite macht weiter, sobald der Server bereit ist."],
      };
    case "unauthorised":
      return {
        title: "Dieser Server will ein Token",
        what: found.message || "Er antwortet nur Anrufern, die er kennt.",
        remedy: [
          "Geben Sie ein Token oder einen Schlüssel dieses Servers ein, oder öffnen Sie die Einladung, die Sie bekamen, noch einmal.",
        ],
      };
    case "room-full":
      return {
        title: "Der Raum ist voll",
        what: found.message || "In diesem Raum sind so viele Menschen, wie Platz haben.",
        remedy: [
          "Warten Sie, bis jemand geht, und versuchen Sie es dann wieder, oder nehmen Sie einen anderen Raum.",
        ],
      };
    case "wrong-room":
      return {
        title: "Die Einladung ist für einen anderen Raum",
        what: found.message || "Das Token dieser Seite lässt Sie in einen Raum ein, und nicht in diesen.",
        remedy: [
          "Öffnen Sie noch einmal die Einladung, die Sie bekommen haben, oder geben Sie ein Token oder einen Schlüssel für diesen Raum ein.",
        ],
      };
    case "no-room":
      return {
        title: "Diese Adresse führt in keinen Raum",
        what: found.room
          ? `Kein Raum kann „${found.room.slice(0, 64)}“ heißen.`
          : "Sie nennt einen Raum, und der Name ist leer.",
        remedy: [
          "Prüfen Sie die Adresse, oder lassen Sie sich die Einladung noch einmal schicken.",
          "Der Name eines Raums hat 1 bis 64 der Buchstaben A bis Z, Ziffern, - _ und Punkte.",
        ],
      };
    case "forbidden":
      return {
        title: "Seiten dieser Adresse dürfen nicht anrufen",
        what: found.message || `Der Server unter ${server} kennt die Adresse dieser Seite nicht.`,
        remedy: [
          "Öffnen Sie die Seite unter der Adresse, die man Ihnen gab.",
          "Ist es Ihr eigener Server? Lassen Sie einen Proxy davor den Host-Header weitergeben, oder nennen Sie die Adresse in server.origins.",
        ],
      };
    case "refused":
      return {
        title: "Der Server hat den Anruf abgelehnt",
        what: `${found.message || "Er nannte keinen Grund"} (HTTP ${found.status})`,
        remedy: ["Wenn das so bleibt, steht mehr im Protokoll des Servers."],
      };
    case "no-path":
      return {
        title: "Der Ton fand keinen Weg",
        what: `Der Server unter ${server} antwortete, aber zwischen ihm und diesem Browser ließ sich kein direkter Weg für den Ton (UDP) öffnen.`,
        remedy: [
          "Versuchen Sie ein anderes Netz: Manche Netze von Firmen und Hotels sperren UDP.",
          "Ist es Ihr eigener Server? Öffnen Sie seine UDP-Ports, oder geben Sie ihm einen TURN-Server. In einem Container muss auch UDP veröffentlicht sein.",
        ],
      };
    case "lost":
      return {
        title: "Die Verbindung ist verloren",
        what: "Das Netz brach ab und kam nicht rechtzeitig wieder.",
        remedy: ["Prüfen Sie das Netz und rufen Sie noch einmal an. Was gesagt wurde, steht noch unten."],
      };
    case "ended":
      return {
        title: "Der Server hat das Gespräch beendet",
        what: found.message || "Er hat aufgelegt oder wurde angehalten.",
        remedy: ["Rufen Sie noch einmal an. Was gesagt wurde, steht noch unten."],
      };
    case "unexpected":
      return {
        title: "In dieser Seite ging etwas schief",
        what: found.message,
        remedy: [
          "Laden Sie die Seite neu. Geschieht es wieder, melden Sie es bitte mit dem Text, der darüber steht.",
        ],
      };
  }
}
