// Merchants' endpoints, and what was sent to them with each attempt.

import { h, keyed, empty, noticeBoard } from "./dom.js";
import { all, get, live, post, Refused } from "./api.js";
import { moment, pretty, short } from "./format.js";

const tones = { active: "good", delivered: "good", pending: "info", paused: "warn", disabled: "bad", failed: "bad" };
const root = "/api/notification/webhook-endpoints";

export default function webhooks(main, { signal }) {
  const board = noticeBoard();
  const list = h("div", { class: "stack" });
  const nothing = h("section", { class: "card", hidden: true }, empty("No merchant has registered an endpoint yet. POST /webhook-endpoints of notification takes one."));
  main.append(h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Webhooks")), h("div", { class: "stack" }, board.element, list, nothing));

  async function load() {
    try {
      const endpoints = await all(root, "endpoints", signal);
      const pages = await Promise.all(endpoints.map((endpoint) => get(`${root}/${encodeURIComponent(endpoint.id)}/deliveries`, signal)));
      keyed(list, endpoints.map((endpoint, index) => ({ endpoint, deliveries: pages[index].deliveries })), (one) => one.endpoint.id, make, update);
      nothing.hidden = endpoints.length > 0;
    } catch (error) {
      if (error instanceof Refused) board.say(error.message, "bad");
      else if (error.name !== "AbortError") throw error;
    }
  }

  async function act(path, done) {
    try {
      await post(`${root}/${path}`);
      board.say(done);
    } catch (error) {
      board.say(error.message, "bad");
    }
    await load();
  }

  function make(one) {
    const path = encodeURIComponent(one.endpoint.id);
    const deed = (name, word, done) => h("button", { type: "button", onclick: () => act(`${path}/${name}`, done) }, word);
    const element = h("section", { class: "card flush group", "aria-label": `Endpoint ${one.endpoint.url}` },
      h("header", {},
        h("div", {}, h("h2", {}, one.endpoint.url, " ", h("span", { class: "tag" })), h("p", { class: "quiet reason" })),
        deed("ping", "Ping", "A ping is on its way."), deed("pause", "Pause", "Nothing is sent until it is resumed."), deed("resume", "Resume", "What waited is sent now.")),
      h("div", { class: "letters" }));
    update(element, one);
    return element;
  }

  function update(element, { endpoint, deliveries }) {
    const tag = element.querySelector("h2 .tag");
    tag.className = `tag ${tones[endpoint.status] ?? ""}`;
    tag.textContent = endpoint.status;
    element.querySelector(".reason").textContent = [
      endpoint.description, endpoint.eventTypes.join(", "), endpoint.disabledReason?.replaceAll("_", " "),
      endpoint.failingSince ? `failing since ${moment(endpoint.failingSince)}` : "",
    ].filter(Boolean).join(" · ");
    const [, pause, resume] = element.querySelectorAll("header button");
    pause.hidden = endpoint.status !== "active";
    resume.hidden = endpoint.status === "active";
    keyed(element.querySelector(".letters"), deliveries, (delivery) => delivery.id, (delivery) => makeDelivery(endpoint, delivery), updateDelivery);
  }

  function makeDelivery(endpoint, delivery) {
    const path = `${encodeURIComponent(endpoint.id)}/deliveries/${encodeURIComponent(delivery.id)}`;
    const inside = h("div", { class: "inside" });
    async function open() {
      if (!element.open) return;
      try {
        const whole = await get(`${root}/${path}`, signal);
        inside.replaceChildren(
          h("table", { class: "lines" }, h("thead", {}, h("tr", {}, ["Attempt", "Took", "Answer"].map((name) => h("th", { scope: "col" }, name)))),
            h("tbody", {}, whole.attempts.map((attempt) => h("tr", {},
              h("td", {}, moment(attempt.at)), h("td", {}, `${attempt.durationMilliseconds} ms`),
              h("td", {}, attempt.status ? h("span", { class: `tag ${attempt.status < 300 ? "good" : "bad"}` }, attempt.status) : "", ` ${attempt.answer ?? attempt.error ?? ""}`))))),
          h("pre", {}, pretty(whole.body)),
          h("div", { class: "row" },
            h("button", { type: "button", onclick: () => act(`${path}/redeliver`, "It is sent again, under the same id.") }, "Send again"),
            h("a", { class: "button", href: `/timelines/${encodeURIComponent(delivery.correlationId)}` }, "Timeline")));
      } catch (error) {
        if (error.name !== "AbortError") board.say(error.message, "bad");
      }
    }
    const element = h("details", { class: "letter", ontoggle: open },
      h("summary", {}, h("span", { class: "tag" }), h("b", {}, delivery.type), h("span", { class: "quiet" })), inside);
    updateDelivery(element, delivery);
    return element;
  }

  function updateDelivery(element, delivery) {
    const [tag, , about] = element.firstElementChild.children;
    tag.className = `tag ${tones[delivery.status] ?? ""}`;
    tag.textContent = delivery.status;
    const next = delivery.nextAttemptAt && delivery.status === "pending" ? `, next ${moment(delivery.nextAttemptAt)}` : "";
    about.textContent = `${moment(delivery.createdAt)} · ${delivery.attemptCount} ${delivery.attemptCount === 1 ? "attempt" : "attempts"}${next} · ${short(delivery.webhookId)}`;
  }

  load();
  let ticks = 0;
  live.on("overview", signal, () => {
    ticks += 1;
    if (ticks % 4 === 0) load();
  });
}
