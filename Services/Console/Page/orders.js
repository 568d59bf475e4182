// All orders as they come and move, and a search over them.

import { h, keyed, empty, noticeBoard } from "./dom.js";
import { get, live, Refused } from "./api.js";
import { clock, moment, money, mood, short } from "./format.js";

const statuses = ["placed", "reserved", "confirmed", "shipped", "delivered", "cancelled", "refunded"];

export default function orders(main, { signal, query, navigate }) {
  const board = noticeBoard();
  const search = h("input", { type: "search", class: "search", "aria-label": "Search by order, customer or correlation id", placeholder: "Order, customer or correlation id", value: query.get("search") ?? "", spellcheck: "false", autocomplete: "off" });
  const status = h("select", { "aria-label": "Status" }, h("option", { value: "" }, "Any status"), statuses.map((word) => h("option", { value: word }, word)));
  status.value = query.get("status") ?? "";
  const rows = h("tbody");
  const more = h("button", { type: "button", hidden: true, onclick: () => load(true) }, "Older orders");
  const nothing = h("div", { hidden: true }, empty("No orders here yet."));
  main.append(
    h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Orders"),
      h("form", { class: "row", role: "search", onsubmit: (event) => { event.preventDefault(); find(); } }, search, status, h("button", {}, "Search"))),
    h("div", { class: "stack" }, board.element,
      h("section", { class: "card flush", "aria-label": "Orders, the newest first" }, h("div", { class: "scroll" }, h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Order"), h("th", { scope: "col" }, "Status"), h("th", { scope: "col" }, "Customer"), h("th", { scope: "col", class: "wide" }, "Items"), h("th", { scope: "col", class: "number" }, "Total"), h("th", { scope: "col", class: "number wide" }, "Placed"))),
        rows)), nothing),
      h("div", {}, more)));

  const shown = new Map();
  let cursor;
  // The answer to an earlier question may come after that to a later one.
  let question = 0;

  function find() {
    const parameters = new URLSearchParams(Object.entries({ search: search.value.trim(), status: status.value }).filter(([, value]) => value));
    navigate(`/orders${parameters.size ? `?${parameters}` : ""}`, true);
    load();
  }

  async function load(isMore = false) {
    const parameters = new URLSearchParams();
    if (search.value.trim()) parameters.set("search", search.value.trim());
    if (status.value) parameters.set("status", status.value);
    if (isMore && cursor) parameters.set("cursor", cursor);
    question += 1;
    const mine = question;
    try {
      const page = await get(`/api/orders?${parameters}`, signal);
      if (mine !== question) return;
      if (!isMore) shown.clear();
      for (const order of page.orders) shown.set(order.orderId, order);
      cursor = page.nextCursor;
      board.clear();
      show();
    } catch (error) {
      if (error instanceof Refused) board.say(error.message, "bad");
      else if (error.name !== "AbortError") throw error;
    }
  }

  function show() {
    // The ids of orders begin with their time.
    const list = [...shown.values()].filter((order) => !status.value || order.status === status.value)
      .sort((one, other) => (one.orderId < other.orderId ? 1 : -1));
    keyed(rows, list, (order) => order.orderId, make, update);
    nothing.hidden = list.length > 0;
    nothing.firstElementChild.textContent = search.value.trim() ? `Nothing is known of “${search.value.trim()}”.` : "No orders here yet.";
    more.hidden = !cursor;
  }

  status.addEventListener("change", find);
  load();
  live.on("orders", signal, ({ orders: latest }) => {
    const isSearch = Boolean(search.value.trim());
    for (const order of latest) if (!isSearch || shown.has(order.orderId)) shown.set(order.orderId, order);
    show();
  });
}

function make(order) {
  const row = h("tr", {},
    h("td", {}, h("a", { href: `/timelines/${encodeURIComponent(order.orderId)}`, class: "mono", title: order.orderId, "aria-label": `Timeline of order ${order.orderId}` }, short(order.orderId))),
    h("td", {}, h("span", { class: "tag" })),
    h("td", { class: "clip" }, order.customer.id),
    h("td", { class: "clip wide quiet" }, order.items.map((item) => `${item.quantity} × ${item.sku}`).join(", ")),
    h("td", { class: "number" }, money(order.total)),
    h("td", { class: "number wide quiet", title: order.history[0].at }, moment(order.history[0].at)));
  update(row, order);
  return row;
}

function update(row, order) {
  const tag = row.querySelector(".tag");
  if (tag.textContent === order.status) return;
  // A state that has changed while somebody looks is worth a glance.
  if (tag.textContent) {
    row.classList.remove("fresh");
    requestAnimationFrame(() => row.classList.add("fresh"));
  }
  tag.className = `tag ${mood(order.status)}`;
  tag.textContent = order.status;
  tag.title = `since ${clock(order.history.at(-1).at)}${order.reason ? `, ${order.reason}` : ""}`;
}
