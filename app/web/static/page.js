// Keeps the page true: asks on every message of the feed, every few seconds beside that, and says so when none answers.

import { follow } from "./feed.js";
import { render, showInTab } from "./render.js";
import { localize, tick } from "./times.js";

const VISIBLE_MS = 5000;
const HIDDEN_MS = 30000; // the tab's title and icon are all there is to see
const LOST_MS = 2000;
const PATIENCE_MS = 6000; // longer than the service waits for a check

const details = besides("health/details");
const lostPlace = document.querySelector("[data-fill=lost]");
let asking = false;
let askAgain = false;
let timer;

/** Asks now; whoever calls while that is under way is served by one more. */
async function ask() {
  askAgain = asking;
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  const answer = await fetchDetails();
  asking = false;
  if (askAgain) ask();
  else timer = setTimeout(ask, answer ? (document.hidden ? HIDDEN_MS : VISIBLE_MS) : LOST_MS);
  showLost(!answer);
  if (answer) render(answer);
}

/** @returns {Promise<object | null>} null if what answers is not the service, or nothing does */
async function fetchDetails() {
  try {
    const response = await fetch(details, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const answer = await response.json(); // 503 is an answer too: unhealthy
    return answer.checks ? answer : null;
  } catch {
    return null;
  }
}

function isLost() {
  return document.body.hasAttribute("data-lost");
}

function showLost(lost) {
  if (isLost() === lost) return;
  document.body.toggleAttribute("data-lost", lost);
  lostPlace.textContent = lost ? "connection lost, reconnecting" : "";
  if (lost) showInTab("lost", `connection lost · ${document.querySelector("[data-fill=service]").textContent}`);
}

/** A URL beside the page's; without the credentials that a page's URL may have, which browsers refuse in requests. */
function besides(path) {
  const url = new URL(path, document.baseURI);
  url.username = url.password = "";
  return url;
}

localize();
setInterval(() => tick(isLost()), 1000);
document.addEventListener("visibilitychange", () => document.hidden || ask());
addEventListener("online", ask);

const feed = besides("ws");
feed.protocol = feed.protocol.replace("http", "ws");
follow(feed, ask);
ask();
