// The standalone host's page: choose, export, download. It asks nothing but /api/export.
const api = "/api/export";
const $ = (id) => document.getElementById(id);
let targets = [];

// Where the host needs a token; it is forgotten when the tab is closed.
const token = sessionStorage.getItem("token");

async function call(path, options = {}) {
  const headers = token ? { ...options.headers, authorization: `Bearer ${token}` } : options.headers;
  const answer = await fetch(api + path, { ...options, headers });
  if (answer.status === 401) ask();
  const body = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

function element(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  if (text !== undefined) made.textContent = text;
  return made;
}

function size(bytes) {
  if (bytes === null) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

function ask() {
  $("door").hidden = false;
  $("all").hidden = true;
  $("wrong").hidden = !token;
}

$("door").onsubmit = (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", $("token").value.trim());
  location.reload();
};

// A browser sends no token as it goes to a file, so the link itself says that it may.
async function download(event, job) {
  event.preventDefault();
  tell();
  try {
    location.assign((await call(`/jobs/${job.id}/link`, { method: "POST" })).url);
  } catch (error) {
    tell(error.message);
  }
}

function tell(problem) {
  $("problem").textContent = problem ?? "";
  $("problem").hidden = !problem;
}

function state(job) {
  const progress = job.metadata.progress;
  if (job.status === "processing" && progress?.expected) return `${progress.phase} ${Math.floor((100 * progress.done) / progress.expected)} %`;
  const skipped = job.metadata.completeness?.skipped;
  if (skipped) return `${job.status}, ${skipped.toLocaleString()} left out: ${job.metadata.completeness.skips.map((skip) => skip.reason).join("; ")}`;
  return job.error ? `${job.status}: ${job.error}` : job.status;
}

function row(job) {
  const made = element("tr");
  made.append(
    element("td", job.target), element("td", job.format.toUpperCase()), element("td", state(job)),
    element("td", job.status === "completed" ? job.record_count.toLocaleString() : "", { className: "number" }),
    element("td", size(job.file_size), { className: "number" }),
    element("td", new Date(job.created_at).toLocaleString(), { className: "quiet" }),
  );
  const action = element("td");
  if (job.status === "completed") action.append(element("a", "Download", { href: job.download_url, onclick: (event) => download(event, job) }));
  if (job.status === "pending" || job.status === "processing") {
    const cancel = element("button", "Cancel", { type: "button" });
    cancel.onclick = () => call(`/jobs/${job.id}`, { method: "DELETE" }).then(refresh, (error) => tell(error.message));
    action.append(cancel);
  }
  made.append(action);
  return made;
}

let timer;
async function refresh() {
  clearTimeout(timer);
  let busy = false;
  try {
    const { jobs } = await call("/jobs?limit=50");
    $("jobs").replaceChildren(...jobs.map(row));
    $("empty").hidden = jobs.length > 0;
    busy = jobs.some((job) => job.status === "pending" || job.status === "processing");
  } catch (error) {
    tell(`The jobs cannot be shown: ${error.message}`);
  }
  timer = setTimeout(refresh, busy ? 700 : 5000);
}

function about() {
  const target = targets.find((each) => each.target === $("target").value);
  if (target) $("about").textContent = `${target.description} ${target.estimated_record_count.toLocaleString()} records.`;
}

$("target").onchange = about;
$("new").onsubmit = async (event) => {
  event.preventDefault();
  tell();
  try {
    const body = JSON.stringify({ target: $("target").value, format: $("format").value });
    await call("/jobs", { method: "POST", headers: { "content-type": "application/json" }, body });
  } catch (error) {
    tell(error.message);
  }
  refresh();
};

try {
  targets = await call("/targets");
  const formats = await call("/formats");
  $("target").append(...targets.map((each) => element("option", `${each.name} (${each.estimated_record_count.toLocaleString()})`, { value: each.target })));
  $("format").append(...formats.filter((each) => each.available).map((each) => element("option", each.name, { value: each.format })));
  about();
} catch (error) {
  tell(error.message);
}
refresh();
