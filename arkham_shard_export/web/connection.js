// Whether the host can be reached. Whoever finds that it cannot says so once; one probe for the whole page finds out
// when it can again, and everybody else waits for that.
import { credentials } from "./access.js";

const FIRST_PAUSE_MS = 700;
const LONGEST_PAUSE_MS = 5000;
let waiting = null;

/** The host does not answer, or answers that it cannot for now: `reason` is its sentence. */
export function lost(reason = "") {
  shown(reason);
  waiting ??= probed().finally(() => {
    waiting = null;
    document.getElementById("connection").hidden = true;
  });
}

/** Resolves at once, or when the host answers again. */
export const back = () => waiting ?? Promise.resolve();

function shown(reason) {
  const note = document.getElementById("connection");
  const text = reason
    ? `The host cannot answer at the moment: ${reason} Trying again…`
    : "The connection to the host is lost. Trying again…";
  if (note.textContent !== text) note.textContent = text;
  note.hidden = false;
}

async function probed() {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    try {
      const answer = await fetch("/api/export/count", { headers: credentials(), signal: AbortSignal.timeout(5000) });
      if (answer.status < 500) return;
    } catch {
      // Not yet.
    }
  }
}
