// The course of a job as Server-Sent Events, read over fetch: unlike EventSource it sends the token.
import { reached, request, Unreachable } from "./api.js";

// The host sends a comment every 15 s, so a longer silence is a dead connection.
const SILENCE_MS = 45_000;

/** Each event as `{ id, name, data }`, until the host closes the stream. `after` is the id of the last one heard. */
export async function* eventsOf(jobId, after, signal) {
  const answer = await request(`/jobs/${jobId}/events`, { headers: after ? { "last-event-id": after } : {}, signal });
  if (answer.status === 204) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let rest = "";
    for (;;) {
      const { done, value } = await reached(heard(reader), signal);
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const event = parsed(part);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function heard(reader) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Unreachable()), SILENCE_MS);
  });
  return Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
}

function parsed(text) {
  const fields = {};
  for (const line of text.split("\n")) {
    const at = line.indexOf(":");
    if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).trimStart();
  }
  return fields.data === undefined ? null : { id: fields.id, name: fields.event, data: JSON.parse(fields.data) };
}
