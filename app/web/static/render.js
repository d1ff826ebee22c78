// Shows what /health/details says in the places that the template has made. app/web/page.py says the same.

import { sparkline, timeline, took } from "./charts.js";
import { setClock, showMoment, span } from "./times.js";

const LISTED_CHANGES = 8;
const words = JSON.parse(document.getElementById("words").textContent);

/** @param {object} details what /health/details answered */
export function render(details) {
  const { checks, connections, status, timestamp } = details;
  const healthy = status === "healthy";
  const down = Object.keys(checks).filter((name) => checks[name].status !== "connected");
  const sinces = (healthy ? Object.keys(checks) : down).map((name) => checks[name].since);
  const since = healthy ? Math.max(...sinces) : Math.min(...sinces);
  const { outbound, inbound, by_state } = connections;

  setClock(timestamp);
  document.body.dataset.state = status;
  const verdict = healthy ? status : `${status}: ${down.map(nameOf).join(", ")}`;
  showInTab(status, `${verdict} · ${details.service}`);
  show(document, {
    service: details.service,
    version: details.version,
    uptime: details.started_at,
    status,
    summary: down.map((name) => `${nameOf(name)} is disconnected: ${why(checks[name].reason)}.`).join(" ")
      || "Every dependency is connected.",
    since,
    held: since,
    as_of: timestamp,
    as_of_age: timestamp,
    clients: `${inbound.open} of ${inbound.cap} places taken, ${inbound.refused} refused`,
    ...by_state,
  });
  place(document, "draining").hidden = !details.draining;
  repeat(document, "dependencies", Object.entries(checks), ([name, check]) => dependency(name, check, timestamp));
  repeat(document, "upstreams", outbound, upstream);
  place(document, "no_upstreams").hidden = outbound.length > 0;
}

/** The state in the tab. @param {"healthy" | "unhealthy" | "lost"} icon @param {string} title */
export function showInTab(icon, title) {
  document.title = title;
  document.querySelector("link[rel=icon]").href = `static/${icon}.svg`;
}

function dependency(name, check, now) {
  const connected = check.status === "connected";
  const spark = sparkline(check.history);
  const strip = timeline(check.changes, now);
  const listed = check.changes.slice(-LISTED_CHANGES).reverse();
  return {
    name: nameOf(name),
    status: check.status,
    reason: why(check.reason),
    since: check.since,
    held: check.since,
    latency: connected ? latency(check.latency_ms) : "none",
    spark_line: spark.line,
    spark_failed: spark.failed,
    spark_text: sparkText(check.history),
    strip_up: strip.up,
    strip_down: strip.down,
    strip_since: strip.since,
    strip_text: stripText(strip),
    last_success: check.last_success,
    checked: check.checked_at,
    changes_text: listed.length < check.changes.length
      ? `last ${listed.length} of ${check.changes.length} changes` : counted(listed.length, "change"),
    changes: listed.map(({ at, status, reason }) => ({ at, status, reason: why(reason) })),
  };
}

function upstream({ id, state, attempts, since }) {
  return { id, state, since, attempts: attempts ? counted(attempts, "failed attempt") : "" };
}

/** Shows each value in its place in `scope`; a place is a moment's, a path's, a list's or a text's. */
function show(scope, values) {
  for (const [name, value] of Object.entries(values)) {
    const element = place(scope, name);
    if (element.dataset.form) showMoment(element, value);
    else if (element.localName === "path") element.setAttribute("d", value);
    else if (Array.isArray(value)) repeat(scope, name, value, (each) => each);
    else showText(element, value);
  }
}

/** One child for each item, made of the template or of the first child there is. */
function repeat(scope, name, items, values) {
  const parent = place(scope, name);
  const template = parent.querySelector(":scope > template");
  const children = () => [...parent.children].filter((child) => child !== template);
  while (children().length < items.length) {
    parent.append((template?.content.firstElementChild ?? parent.firstElementChild).cloneNode(true));
  }
  children().slice(items.length).forEach((child) => child.remove());
  children().forEach((child, index) => show(child, values(items[index])));
}

/** A text that stays the same is left alone: what reads the page aloud would say it again. */
function showText(element, value) {
  const text = String(value);
  if (element.textContent !== text) element.textContent = text;
  if (element.dataset.is !== undefined) element.dataset.is = text;
}

/** The first place of that name. */
function place(scope, name) {
  return scope.querySelector(`[data-fill="${name}"]`);
}

function nameOf(dependency) {
  return words.names[dependency] ?? dependency.replaceAll("_", " ");
}

function why(reason) {
  return reason === null ? "" : words.reasons[reason] ?? reason;
}

function latency(milliseconds) {
  if (milliseconds >= 10) return `${Math.round(milliseconds)} ms`;
  const tenths = Math.round(milliseconds * 10);
  return tenths ? `${Math.floor(tenths / 10)}.${tenths % 10} ms` : "under 0.1 ms";
}

function sparkText(history) {
  const ok = took(history);
  const failed = history.length - ok.length;
  if (!ok.length) return failed ? `${counted(failed, "check")}, none succeeded` : "no check has ended yet";
  const text = `${counted(history.length, "check")}, ${latency(Math.min(...ok))} to ${latency(Math.max(...ok))}`;
  return failed ? `${text}, ${failed} failed` : text;
}

function stripText({ up, down, downs, downMs }) {
  if (!up && !down) return "nothing known yet";
  if (!downs) return "connected all the time";
  return `disconnected ${downs === 1 ? "once" : `${downs} times`}, ${span(downMs)} in all`;
}

function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
