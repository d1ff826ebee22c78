// Records as SVG paths. app/web/page_charts.py draws the same, for a page without us.

const HISTORY = 60;
const SPARK_HEIGHT = 100;
const STRIP_WIDTH = 1000;
const STRIP_HEIGHT = 16;
const STRIP_UP = 5;
const THINNEST = 4;
const WINDOW_MS = 24 * 60 * 60 * 1000;

/**
 * The latency of each connected check, from zero up to the slowest; a gap and a mark where one failed.
 * @param {{status: string, latency_ms: number}[]} history
 * @returns {{line: string, failed: string}} paths
 */
export function sparkline(history) {
  const slowest = Math.max(0, ...took(history)) || 1;
  let [line, failed, gap] = ["", "", true];
  history.forEach(({ status, latency_ms }, index) => {
    const x = HISTORY - history.length + index;
    if (status === "connected") {
      const y = SPARK_HEIGHT - Math.round((SPARK_HEIGHT * latency_ms) / slowest);
      line += gap ? `M${x} ${y}h0` : `L${x} ${y}`;
      gap = false;
    } else {
      failed += `M${x} 0V${SPARK_HEIGHT}`;
      gap = true;
    }
  });
  return { line, failed };
}

/** @returns {number[]} how long the checks took that succeeded, in milliseconds */
export function took(history) {
  return history.filter(({ status }) => status === "connected").map(({ latency_ms }) => latency_ms);
}

/**
 * The periods that lie between changes, as far as these reach back, a day at most.
 * @param {{at: number, status: string}[]} changes
 * @param {number} now
 * @returns {{up: string, down: string, since: number, downs: number, downMs: number}} paths, and figures in milliseconds
 */
export function timeline(changes, now) {
  const since = Math.max(changes.length ? changes[0].at : now, now - WINDOW_MS);
  const length = Math.max(1, now - since);
  const x = (at) => Math.round((STRIP_WIDTH * (at - since)) / length);
  const strip = { up: "", down: "", since, downs: 0, downMs: 0 };
  let before;
  changes.forEach(({ at, status }, index) => {
    const next = changes[index + 1]?.at ?? now;
    const [begin, end] = [Math.max(at, since), Math.min(next, now)];
    if (end <= since && next !== now) return;
    let [left, right] = [x(begin), x(end)];
    if (status === "connected") {
      strip.up += box(left, right, STRIP_UP);
    } else {
      left = Math.min(left, STRIP_WIDTH - THINNEST);
      right = Math.max(right, left + THINNEST);
      strip.down += box(left, right, 0);
      strip.downs += before === status ? 0 : 1;
      strip.downMs += Math.max(0, end - begin);
    }
    before = status;
  });
  return strip;
}

function box(left, right, top) {
  return `M${left} ${top}H${right}V${STRIP_HEIGHT - top}H${left}z`;
}
