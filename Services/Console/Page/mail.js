// The mails that were sent, with their text.

import { h, keyed, empty, noticeBoard } from "./dom.js";
import { get, live, Refused } from "./api.js";
import { moment, short } from "./format.js";

export default function mail(main, { signal, query, navigate }) {
  const board = noticeBoard();
  const search = h("input", { type: "search", class: "search", "aria-label": "Mails of an order, by its id", placeholder: "Order", value: query.get("order") ?? "", spellcheck: "false", autocomplete: "off" });
  const rows = h("tbody");
  const nothing = h("div", { hidden: true }, empty("No mail was sent yet."));
  const letter = h("aside", { class: "card", "aria-label": "The selected mail", hidden: true });
  const place = h("div", { class: "trace" },
    h("section", { class: "card flush", "aria-label": "Mails, the latest first" }, h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Subject", "To"].map((name) => h("th", { scope: "col" }, name)), h("th", { scope: "col", class: "wide" }, "Order"), h("th", { scope: "col", class: "number" }, "Sent"))), rows)), nothing),
    letter);
  main.append(
    h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Mail"), h("form", { class: "row", role: "search", onsubmit: (event) => { event.preventDefault(); find(); } }, search, h("button", {}, "Search"))),
    h("div", { class: "stack" }, board.element, place));

  function find() {
    const order = search.value.trim();
    navigate(`/mail${order ? `?order=${encodeURIComponent(order)}` : ""}`, true);
    load();
  }

  async function load() {
    const order = search.value.trim();
    try {
      const { mails } = await get(`/api/email/mails?limit=100${order ? `&orderId=${encodeURIComponent(order)}` : ""}`, signal);
      keyed(rows, mails, (one) => one.messageId, (one) => h("tr", {},
        h("td", {}, h("button", { type: "button", class: "plain", onclick: () => open(one.messageId) }, one.subject)),
        h("td", { class: "clip" }, one.to),
        h("td", { class: "wide" }, h("a", { class: "mono", href: `/timelines/${encodeURIComponent(one.orderId)}`, title: one.orderId }, short(one.orderId))),
        h("td", { class: "number quiet" }, one.at ? moment(one.at) : "")));
      nothing.hidden = mails.length > 0;
      board.clear();
    } catch (error) {
      if (error instanceof Refused) board.say(error.message, "bad");
      else if (error.name !== "AbortError") throw error;
    }
  }

  async function open(id) {
    try {
      const one = await get(`/api/email/mails/${encodeURIComponent(id)}`, signal);
      const close = () => { letter.hidden = true; place.classList.remove("open"); };
      letter.replaceChildren(
        h("div", { class: "row spread" }, h("h2", {}, one.subject), h("button", { type: "button", class: "plain square", "aria-label": "Close", onclick: close }, "×")),
        h("div", { class: "stack" },
          h("dl", { class: "facts" }, [["to", one.to], ["status", one.status], ["kind", one.kind], one.at ? ["at", moment(one.at)] : null, one.reason ? ["reason", one.reason] : null]
            .filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
          h("pre", {}, one.text),
          h("a", { href: `/timelines/${encodeURIComponent(one.orderId)}` }, "Timeline of the order, with each attempt")));
      letter.hidden = false;
      place.classList.add("open");
    } catch (error) {
      if (error.name !== "AbortError") board.say(error.message, "bad");
    }
  }

  load();
  let seen = 0;
  live.on("overview", signal, ({ services }) => {
    // New mail comes of handled messages.
    const email = services.find((service) => service.name === "email");
    if (email?.handledPerSecond > 0) seen = 3;
    if (seen > 0) { seen -= 1; load(); }
  });
}
