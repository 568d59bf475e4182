// The shop front: choose, pay in one of the simulated ways, and watch the order move.

import { h, keyed, empty, noticeBoard } from "./dom.js";
import { all, get, live, post, Refused } from "./api.js";
import { colour, money, micros, short } from "./format.js";
import { saga } from "./timeline.js";
import waterfall from "./waterfall.js";

const methods = [
  ["pm_ok", "Pays", "The bank takes the money."],
  ["pm_declined", "Declined", "The bank says no; the stock is released."],
  ["pm_slow", "Slow", "The money comes after the order was cancelled, and is refunded."],
  ["pm_silent", "Silent", "The bank never answers; the saga's timeout cancels the order."],
  ["pm_flaky", "Flaky", "The bank's answer is lost twice, its result comes twice: one charge."],
];

// What is in the basket outlives a look at another view.
const basket = new Map();

export default function shop(main, { signal, navigate, query }) {
  const board = noticeBoard();
  const rows = h("tbody");
  const contents = h("ul", { class: "basket" });
  const total = h("p", { class: "total" });
  const order = h("button", { type: "submit", class: "primary" }, "Place order");
  const customer = h("input", { id: "customer", name: "customer", value: "ada", required: true, maxlength: 64, autocomplete: "off", spellcheck: "false" });
  const mail = h("input", { id: "mail", name: "mail", type: "email", value: "ada@example.com", required: true, autocomplete: "off" });
  const payment = h("fieldset", { class: "choices" }, h("legend", {}, "Payment method"), methods.map(([id, name, about], index) =>
    h("label", { class: "choice" }, h("input", { type: "radio", name: "payment", value: id, checked: index === 0 }), h("b", {}, name), h("span", {}, about))));
  const journey = h("section", { class: "card stack", "aria-label": "The order's journey", hidden: true });
  const form = h("form", { class: "card stack", onsubmit: place },
    h("h2", {}, "Basket"), contents, total,
    h("div", { class: "field" }, h("label", { for: "customer" }, "Customer"), customer),
    h("div", { class: "field" }, h("label", { for: "mail" }, "Mail address"), mail),
    payment, order);
  main.append(h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Shop")),
    h("div", { class: "stack" }, board.element, journey,
      h("div", { class: "split" },
        h("section", { class: "card flush", "aria-label": "Catalogue" }, h("div", { class: "scroll" }, h("table", {},
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Product"), h("th", { scope: "col", class: "number" }, "Price"), h("th", { scope: "col", class: "number wide" }, "Available"), h("th", { scope: "col" }, h("span", { class: "quiet" }, "")))), rows))),
        form)));

  let products = [];
  async function load() {
    try {
      products = await all("/api/inventory/products", "products", signal);
      keyed(rows, products, (product) => product.sku, makeProduct, updateProduct);
      showBasket();
    } catch (error) {
      if (error instanceof Refused) board.say(error.message, "bad");
      else if (error.name !== "AbortError") throw error;
    }
  }

  function makeProduct(product) {
    const row = h("tr", {},
      h("td", {}, h("div", {}, product.name), h("div", { class: "quiet mono" }, product.sku)),
      h("td", { class: "number" }, money(product.price)),
      h("td", { class: "number wide" }),
      h("td", { class: "number" }, h("button", { type: "button", "aria-label": `Add ${product.name} to the basket`, onclick: () => add(product.sku, 1) }, "Add")));
    updateProduct(row, product);
    return row;
  }

  function updateProduct(row, product) {
    row.children[2].textContent = product.onHand - product.reserved;
  }

  function add(sku, number) {
    const quantity = (basket.get(sku) ?? 0) + number;
    if (quantity > 0) basket.set(sku, quantity);
    else basket.delete(sku);
    showBasket();
  }

  function showBasket() {
    const lines = [...basket].map(([sku, quantity]) => ({ product: products.find((one) => one.sku === sku), quantity })).filter((line) => line.product);
    keyed(contents, lines, (line) => line.product.sku, ({ product }) => {
      const step = (number, sign, word) => h("button", { type: "button", class: "square", "aria-label": `One ${word} ${product.name}`, onclick: () => add(product.sku, number) }, sign);
      return h("li", {}, h("span", {}, product.name), h("span", { class: "quantity" }, step(-1, "−", "less of"), h("output", {}), step(1, "+", "more of")), h("span", { class: "number" }));
    }, () => {});
    lines.forEach(({ product, quantity }, index) => {
      const line = contents.children[index];
      line.querySelector("output").textContent = quantity;
      line.querySelector(".number").textContent = money({ ...product.price, amountMinorUnits: product.price.amountMinorUnits * quantity });
    });
    const sum = lines.reduce((amount, { product, quantity }) => amount + product.price.amountMinorUnits * quantity, 0);
    total.replaceChildren(...(lines.length ? [h("span", {}, "Total"), h("span", {}, money({ ...lines[0].product.price, amountMinorUnits: sum }))] : [h("span", { class: "quiet" }, "Nothing in it yet: add something from the catalogue.")]));
    order.disabled = lines.length === 0;
  }

  async function place(event) {
    event.preventDefault();
    board.clear();
    order.disabled = true;
    try {
      const answer = await post("/api/order/orders", {
        customer: { id: customer.value, email: mail.value },
        items: [...basket].map(([sku, quantity]) => ({ sku, quantity })),
        paymentMethod: form.elements.payment.value,
      }, { "idempotency-key": crypto.randomUUID() });
      basket.clear();
      navigate(`/shop?order=${answer.orderId}`, true);
      follow(answer.orderId);
    } catch (error) {
      board.say(error.message, "bad");
    }
    showBasket();
  }

  const stations = h("div", { class: "stations" });
  const chart = waterfall((span) => span && navigate(`/timelines/${followed}?span=${span.spanId}`));
  let followed;

  /** Shows an order while it moves. */
  function follow(id) {
    followed = id;
    live.watch(id);
    journey.hidden = false;
    journey.replaceChildren(
      h("div", { class: "row spread" }, h("h2", {}, `Order ${short(id)}`), h("a", { href: `/timelines/${encodeURIComponent(id)}` }, "Whole timeline")),
      h("div", { class: "states" }, empty("On its way…")), stations, h("div", {}, chart.element));
    journey.scrollIntoView({ block: "nearest" });
    refresh();
  }

  async function refresh() {
    if (!followed) return;
    try {
      const { timeline, order: now } = await get(`/api/timelines/${encodeURIComponent(followed)}`, signal);
      if (now) journey.querySelector(".states").replaceChildren(saga(now));
      const seen = new Map();
      for (const span of timeline.spans) if (!seen.has(span.service)) seen.set(span.service, span.startMicroseconds);
      keyed(stations, ["order", "inventory", "payment", "email", "loyalty", "notification"], (name) => name,
        (name) => h("div", { class: "station", style: { "--service": colour(name) } }, h("b", {}, name), h("span", {})));
      for (const station of stations.children) {
        const time = seen.get(station.dataset.key);
        station.classList.toggle("seen", time !== undefined);
        station.lastElementChild.textContent = time === undefined ? "not yet" : `after ${micros(time)}`;
      }
      chart.update(timeline);
    } catch (error) {
      if (!(error instanceof Refused) && error.name !== "AbortError") throw error;
    }
  }

  load();
  showBasket();
  if (query.get("order")) follow(query.get("order"));
  live.on("timeline", signal, () => { refresh(); load(); });
}
