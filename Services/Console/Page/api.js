// The console's server: questions, deeds, and its live news.

/** What the server says when it says no. */
export class Refused extends Error {}

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The console doesn't answer; see whether it runs.");
  }
  const isJSON = response.headers.get("content-type")?.includes("json");
  const body = isJSON ? await response.json() : null;
  if (!response.ok) throw new Refused(body?.detail ?? `The answer was ${response.status}.`);
  return body;
}

export const get = (path, signal) => call(path, { signal });

export const post = (path, body = {}, headers = {}) =>
  call(path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });

/** All pages of a list. */
export async function all(path, name, signal) {
  const items = [];
  let cursor;
  do {
    const page = await get(cursor ? `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}` : path, signal);
    items.push(...page[name]);
    cursor = page.nextCursor;
  } while (cursor);
  return items;
}

/** News as long as a view is there: `overview`, `orders`, and `timeline` of its subject. One connection for the page. */
export const live = new (class extends EventTarget {
  #source;
  #subject;
  #last = new Map();
  isConnected = false;

  constructor() {
    super();
    // A browser has six connections to a server for all of its tabs. One that nobody looks at, or that was left and is
    // only kept for going back to, must not hold one.
    const update = (isShown) => (isShown ? this.#open() : this.#close());
    document.addEventListener("visibilitychange", () => update(document.visibilityState === "visible"));
    addEventListener("pagehide", () => update(false));
    addEventListener("pageshow", (event) => event.persisted && update(true));
  }

  /** Which timeline is watched, if any. */
  watch(subject) {
    if (this.#source && subject === this.#subject) return;
    this.#close();
    this.#subject = subject;
    if (document.visibilityState === "visible") this.#open();
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #open() {
    if (this.#source) return;
    const subject = this.#subject;
    const source = new EventSource(subject ? `/api/live?timeline=${encodeURIComponent(subject)}` : "/api/live");
    this.#source = source;
    for (const name of ["overview", "orders", "timeline"]) {
      source.addEventListener(name, (event) => {
        const detail = JSON.parse(event.data);
        if (name !== "timeline") this.#last.set(name, detail);
        this.dispatchEvent(new CustomEvent(name, { detail }));
      });
    }
    source.onopen = () => this.#connected(true);
    source.onerror = () => this.#connected(false);
  }

  /** Calls `handle` with the latest news of this name, and each that comes, until `signal` says stop. */
  on(name, signal, handle) {
    if (this.#last.has(name)) handle(this.#last.get(name));
    this.addEventListener(name, (event) => handle(event.detail), { signal });
  }

  #connected(isConnected) {
    this.isConnected = isConnected;
    this.dispatchEvent(new CustomEvent("connection", { detail: isConnected }));
  }
})();
