// The host's clock, as its answers tell it: files expire by it, and that of this machine may be wrong.
const LEAST_MS = 20_000;
let ahead = 0;

export function tellTime(answer) {
  const told = Date.parse(answer.headers.get("date") ?? "");
  // Told in whole seconds, of an answer that was on its way: less than this says nothing.
  if (Number.isFinite(told)) ahead = Math.abs(told - Date.now()) > LEAST_MS ? told - Date.now() : 0;
}

export const now = () => Date.now() + ahead;
