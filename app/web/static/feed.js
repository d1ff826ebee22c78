// The live feed: it tells that there is news, not what.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10000;

/**
 * Listens to a WebSocket for as long as the page is there, and opens it again whenever it is lost.
 * @param {URL} url
 * @param {() => void} onNews called on every message, and when the socket is lost
 */
export function follow(url, onNews) {
  let wait = FIRST_WAIT_MS;

  function open() {
    const socket = new WebSocket(url);
    socket.onmessage = () => {
      wait = FIRST_WAIT_MS; // not on opening: a peer that takes us and drops us is not to be stormed
      onNews();
    };
    socket.onclose = () => {
      onNews();
      setTimeout(open, wait * (1 + Math.random() / 5));
      wait = Math.min(2 * wait, LONGEST_WAIT_MS);
    };
  }

  open();
}
