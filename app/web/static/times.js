// Times in the reader's zone, and ages that go on. app/web/page_times.py says the same in UTC, for a page without us.

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

let heard = { theirs: Date.parse(document.querySelector("[data-fill=as_of] time").dateTime), ours: Date.now() };

/** The service's clock is what ages are counted on: ours may be wrong. @param {number} timestamp its time just now */
export function setClock(timestamp) {
  heard = { theirs: timestamp, ours: Date.now() };
}

/** @returns {number} the service's time, Unix milliseconds */
export function now() {
  return heard.theirs + Date.now() - heard.ours;
}

/** @param {number} milliseconds @returns {string} in the two largest units: `5 s`, `3 min 5 s`, `2 h` */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const unit = UNITS.findIndex(([size]) => seconds >= size);
  if (unit < 0) return "0 s";
  const text = (n, at) => `${n} ${UNITS[at][1]}`;
  const [size] = UNITS[unit];
  const rest = unit + 1 < UNITS.length ? Math.floor((seconds % size) / UNITS[unit + 1][0]) : 0;
  return text(Math.floor(seconds / size), unit) + (rest ? ` ${text(rest, unit + 1)}` : "");
}

/** Shows a moment in its place. @param {HTMLElement} place @param {number | null} at Unix milliseconds; null: never */
export function showMoment(place, at) {
  if (at === null) {
    place.textContent = "never";
    return;
  }
  let time = place.querySelector("time");
  if (!time) {
    time = document.createElement("time");
    place.replaceChildren(time);
  }
  time.dateTime = new Date(at).toISOString();
  time.title = `${date(at)} ${clock(at)} ${offset(at)}`;
  showText(time);
}

/**
 * Lets the ages on the page go on.
 * @param {boolean} lost whether nothing is heard: then no state is said to go on, only what has been lies further back
 */
export function tick(lost) {
  document.querySelectorAll(lost ? "[data-form=ago] time" : "time").forEach(showText);
}

/** Puts every time that the service wrote into the reader's zone. */
export function localize() {
  document.querySelectorAll("time").forEach((time) => showMoment(time.parentElement, Date.parse(time.dateTime)));
  document.querySelector("[data-fill=zone]").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function showText(time) {
  const at = Date.parse(time.dateTime);
  const { form } = time.parentElement.dataset;
  let text = span(now() - at);
  if (form === "ago") text += " ago";
  if (form === "clock") text = date(at) === date(now()) ? clock(at) : `${date(at)} ${clock(at)}`;
  if (time.textContent !== text) time.textContent = text;
}

function date(at) {
  const day = new Date(at);
  return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map(twoDigits).join("-");
}

function clock(at) {
  const day = new Date(at);
  return [day.getHours(), day.getMinutes(), day.getSeconds()].map(twoDigits).join(":");
}

function offset(at) {
  const minutes = -new Date(at).getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return minutes ? `UTC${minutes < 0 ? "-" : "+"}${twoDigits(hours)}:${twoDigits(rest)}` : "UTC";
}

function twoDigits(number) {
  return String(number).padStart(2, "0");
}
