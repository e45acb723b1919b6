// Asks what the host's export page asks, and reads what it reads; nothing else.
const $ = (id) => document.getElementById(id);
const api = "/api/export";
let timer;

async function call(path, options) {
  const answer = await fetch(api + path, options);
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer.status === 204 ? null : answer.json();
}

function choice(name, value, disabled, text, id) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name, value, disabled });
  label.append(input, ` ${text}`);
  label.id = id;
  return label;
}

function cell(text) {
  return Object.assign(document.createElement("td"), { textContent: text });
}

function row(job) {
  const made = document.createElement("tr");
  made.dataset.id = job.id;
  made.append(
    cell(job.id.slice(0, 8)), cell(job.target), cell(job.format.toUpperCase()), cell(job.status), cell(new Date(job.created_at).toLocaleString()),
    cell(job.completed_at ? new Date(job.completed_at).toLocaleString() : ""), cell(job.file_size === null ? "" : `${(job.file_size / 1024).toFixed(1)} KB`),
    cell(job.record_count.toLocaleString()), cell(`${(job.processing_time_ms / 1000).toFixed(1)}s`), cell(job.error ?? ""),
  );
  const expired = job.expires_at && new Date(job.expires_at) < new Date();
  if (job.status === "completed" && job.download_url && !expired) {
    made.append(Object.assign(document.createElement("button"), { textContent: "Download", onclick: () => { window.location.href = job.download_url; } }));
  }
  if (["pending", "processing"].includes(job.status)) {
    made.append(Object.assign(document.createElement("button"), {
      textContent: "Cancel",
      onclick: () => call(`/jobs/${job.id}`, { method: "DELETE" }).then(poll, tell),
    }));
  }
  return made;
}

function tell(error) { $("error").textContent = error.message; }

async function poll() {
  clearTimeout(timer);
  const [{ jobs }, stats] = await Promise.all([call("/jobs"), call("/stats")]);
  $("jobs").replaceChildren(...jobs.map(row));
  $("stats").replaceChildren(...Object.entries(stats).flatMap(([name, value]) => {
    const shown = typeof value === "number" ? value.toLocaleString() : JSON.stringify(value);
    return [Object.assign(document.createElement("dt"), { textContent: name }), Object.assign(document.createElement("dd"), { textContent: shown, id: `stat-${name}` })];
  }));
  if (jobs.some((job) => ["pending", "processing"].includes(job.status))) timer = setTimeout(poll, 5000);
}

async function badges() {
  const { export: badge } = await (await fetch("/api/frame/badges")).json();
  $("badge").hidden = !badge?.count;
  $("badge").textContent = badge?.count ?? "";
}

$("create").onclick = async () => {
  $("error").textContent = "";
  const field = (name) => document.querySelector(`[name=${name}]`);
  const options = Object.fromEntries(["include_metadata", "include_relationships", "include_conflicts", "include_gaps"].map((name) => [name, field(name).checked]));
  options.max_records = field("max_records").value ? Number(field("max_records").value) : null;
  options.group_by = field("group_by").value || null;
  const chosen = (name) => document.querySelector(`[name=${name}]:checked`)?.value;
  const body = JSON.stringify({ format: chosen("format"), target: chosen("target"), options });
  try {
    await call("/jobs", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    await poll();
  } catch (error) {
    tell(error);
  }
};

const [formats, targets] = await Promise.all([call("/formats"), call("/targets")]);
$("formats").append(...formats.map((each) => choice("format", each.format, each.placeholder, `${each.name} (${each.file_extension}): ${each.description}`, `format-${each.format}`)));
$("targets").append(...targets.map((each) => choice("target", each.target, !each.available_formats.length, `${each.name}, ${each.estimated_record_count.toLocaleString()}: ${each.description}`, `target-${each.target}`)));
await poll();
await badges();
setInterval(badges, 30000);
