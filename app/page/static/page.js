// Keeps the page current: fetches it again on each message of the feed, and every few seconds besides, and changes what
// differs. Shows times in the reader's zone, lets ages grow, and reports when the service no longer answers.

const POLL_MS = { visible: 5000, hidden: 30000, lost: 2000 };
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [500, 10000];
const UNITS = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];
const base = Object.assign(new URL(".", document.baseURI), { username: "", password: "" }); // refused in requests
const feed = Object.assign(new URL("ws", base), { protocol: base.protocol.replace("http", "ws") });
let fetching = false, again = false, timer, ahead = 0; // milliseconds from our clock to the service's

/** Fetches the page and shows it. A call during a fetch leads to one more fetch after it. */
async function refresh() {
  again = fetching;
  if (fetching) return;
  fetching = true;
  clearTimeout(timer);
  const fresh = await fetchPage().catch(() => null);
  fetching = false;
  timer = setTimeout(refresh, again ? 0 : POLL_MS[fresh ? document.visibilityState : "lost"]);
  (fresh ? show : showLost)(fresh);
}

/** @returns {Promise<Document | null>} null if what answers is not this page; rejects if nothing answers in time */
async function fetchPage() {
  const response = await fetch(base, { signal: AbortSignal.timeout(6000) }); // longer than a check may take
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  return response.ok && fresh.getElementById("as-of") ? fresh : null;
}

/** Shows `fresh`, as the service has written it, in the reader's zone. What the reader looks at stays in place. */
function show(fresh) {
  ahead = Date.parse(fresh.getElementById("as-of").dateTime) - Date.now();
  fresh.getElementById("zone").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  fresh.querySelectorAll("time").forEach(write);
  const focused = document.activeElement, middle = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
  const seen = focused === document.body ? middle?.closest("article, section") : focused;
  const top = seen?.getBoundingClientRect().top;
  for (const part of ["title", "[rel=icon]", "body"]) morph(document.querySelector(part), fresh.querySelector(part));
  if (document.activeElement !== focused) focused?.focus({ preventScroll: true }); // an element that moves loses it
  if (scrollY && seen?.isConnected) scrollBy(0, seen.getBoundingClientRect().top - top);
}

function showLost() {
  if (document.body.hasAttribute("data-lost")) return; // a live region that is written again is read out again
  document.body.dataset.lost = "";
  document.querySelector(".lost b").textContent = "connection lost, reconnecting";
  document.title = `connection lost · ${document.querySelector(".service").textContent}`;
  document.querySelector("link[rel=icon]").href = "static/lost.svg";
}

/** Makes `old` equal to `fresh`. Touches only what differs: screen readers read out what is touched. */
function morph(old, fresh) {
  if (old.data !== fresh.data) old.data = fresh.data; // of a text node
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  if (old.localName === "details") fresh.open = old.open; // that is the reader's choice
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  const children = [...fresh.childNodes];
  children.forEach((child, index) => {
    const rest = [...old.childNodes].slice(index);
    const match = rest.find((each) => each.nodeName === child.nodeName && each.dataset?.key === child.dataset?.key);
    if (!match || match !== rest[0]) old.insertBefore(match ?? child, rest[0] ?? null);
    if (match) morph(match, child);
  });
  while (old.childNodes.length > children.length) old.lastChild.remove();
}

/** Writes a moment in the form that its place asks for. A time of day has its date unless that is today. */
function write(time) {
  const [at, now] = [Date.parse(time.dateTime), Date.now() + ahead].map((ms) => Math.floor(ms / 1000));
  const local = (s) => new Date((s - new Date(s * 1000).getTimezoneOffset() * 60) * 1000).toISOString().split(/[T.]/);
  const [[date, hour], [today]] = [local(at), local(now)];
  const clock = date === today ? hour : `${date} ${hour}`, age = span(Math.max(0, now - at));
  const text = { age, ago: `${age} ago`, clock, since: `${clock}, for ${age}` }[time.dataset.form];
  time.title ||= `${time.dateTime.slice(0, 19).replace("T", " ")} UTC`;
  if (time.textContent !== text) time.firstChild.data = text; // a text node that stays keeps the selection in it
}

/** @returns {string} a length of time in its two largest units: `5 s`, `3 min 5 s`, `2 h` */
function span(seconds) {
  const [size, unit, smaller, smallerUnit] = UNITS.find(([each]) => seconds >= each) ?? [1, "s", 1];
  const rest = Math.floor((seconds % size) / smaller);
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${smallerUnit}` : ""}`;
}

/** Opens the feed, and opens it again whenever it ends. A message only means that something has changed. */
function follow(wait) {
  const later = () => setTimeout(follow, wait * (1 + Math.random() / 5), Math.min(2 * wait, LONGEST_WAIT_MS));
  if (!("seats" in document.body.dataset)) return later(); // a refusal would be an error in the console
  const socket = new WebSocket(feed);
  socket.onmessage = () => { wait = FIRST_WAIT_MS; refresh(); }; // not on opening: a peer may accept and drop us
  socket.onclose = () => { later(); refresh(); };
}

show(document);
const growing = "[data-form=ago], body:not([data-lost]) time"; // without answers, no state is known to last
setInterval(() => document.querySelectorAll(growing).forEach(write), 1000);
for (const event of ["visibilitychange", "online"]) addEventListener(event, () => document.hidden || refresh());
follow(FIRST_WAIT_MS);
refresh();
