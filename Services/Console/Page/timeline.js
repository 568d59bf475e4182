// One order, or any other request, with all that became of it: the saga's states, the waterfall, the log lines.

import { h, keyed, noticeBoard } from "./dom.js";
import { get, live, post, Refused } from "./api.js";
import { ago, clock, colour, micros, money, mood, moment } from "./format.js";
import waterfall from "./waterfall.js";

export default function timeline(main, { signal, subject, query, navigate }) {
  const title = h("h1", { tabindex: -1 }, "Timeline");
  const deeds = h("div", { class: "row" });
  const board = noticeBoard();
  const facts = h("section", { class: "card stack", "aria-label": "The order" });
  const aside = h("aside", { class: "card", "aria-label": "The selected span", hidden: true });
  const place = h("div", { class: "trace" });
  const lines = h("section", { class: "card flush", "aria-label": "Log lines" });
  let wanted = query.get("span");

  const chart = waterfall((span) => {
    aside.hidden = !span;
    place.classList.toggle("open", Boolean(span));
    wanted = span?.spanId ?? null;
    navigate(`${location.pathname}${span ? `?span=${span.spanId}` : ""}`, true);
    if (span) aside.replaceChildren(...detail(span, () => chart.clear()));
  });
  const legend = h("p", { class: "row quiet" });
  place.append(h("section", { class: "card flush", "aria-label": "Waterfall" }, chart.element), aside);
  main.append(h("div", { class: "head" }, title, deeds), h("div", { class: "stack" }, board.element, facts, legend, place, lines));

  let question = 0;
  async function load() {
    question += 1;
    const mine = question;
    try {
      const report = await get(`/api/timelines/${encodeURIComponent(subject)}`, signal);
      // A later answer is here already.
      if (mine !== question) return;
      board.clear();
      show(report);
    } catch (error) {
      if (error instanceof Refused) board.say(error.message, "bad");
      else if (error.name !== "AbortError") throw error;
    }
  }

  function show({ timeline: trace, order, logs, notes }) {
    title.textContent = order ? `Order ${order.orderId}` : trace.orderId ? `Order ${trace.orderId}` : "Request";
    for (const note of notes) board.say(note, "bad");
    facts.replaceChildren(...describe(order, trace));
    deeds.replaceChildren(...actions(order, board, load));
    const waits = trace.spans.some((span) => span.waitMicroseconds);
    legend.replaceChildren(
      ...trace.services.map((service) => h("span", { class: "tag" }, h("span", { class: "swatch", style: { background: colour(service) } }), service)),
      h("span", {}, `${trace.spans.length} spans in ${micros(trace.durationMicroseconds)}${trace.startedAt ? `, ${ago(trace.startedAt)}` : ""}`),
      waits ? h("span", {}, "· dotted: waiting in outbox and queue") : "",
      trace.isTruncated ? h("span", { class: "tag warn" }, "only the first spans are shown") : "");
    place.hidden = trace.spans.length === 0;
    chart.update(trace);
    if (wanted) place.querySelector(`[data-key="${CSS.escape(wanted)}"][aria-pressed="false"]`)?.click();
    showLines(lines, logs, trace);
  }

  load();
  live.on("timeline", signal, load);
}

function describe(order, trace) {
  if (!order) return [facts([["Correlation", code(trace.correlationId ?? "none")], ["Traces", code(trace.traceIds.join(" ") || "none")]])];
  return [
    saga(order),
    facts([
      ["Customer", h("a", { href: `/orders?search=${encodeURIComponent(order.customer.id)}` }, `${order.customer.id} <${order.customer.email}>`)],
      ["Items", order.items.map((item) => `${item.quantity} × ${item.sku}`).join(", ")],
      ["Total", money(order.total)],
      ["Correlation", code(order.correlationId)],
      trace.traceIds.length ? ["Trace", code(trace.traceIds.join(" "))] : null,
    ]),
  ];
}

const code = (text) => h("span", { class: "mono" }, text);
const facts = (entries) => h("dl", { class: "facts" }, entries.filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

/** The saga's states in their order, each with the time since the first. */
export function saga(order) {
  const start = new Date(order.history[0].at);
  return h("ol", { class: "saga", "aria-label": "States of the order" },
    order.history.map((entry, index) => h("li", {},
      h("span", { class: `tag ${mood(entry.status)}` }, entry.status),
      h("span", { class: "quiet" }, index === 0 ? moment(entry.at) : `+${micros((new Date(entry.at) - start) * 1000)}`),
      entry.status === "cancelled" && order.reason ? h("span", { class: "quiet" }, `(${order.reason.replaceAll("_", " ")})`) : "")),
    order.cancellationRequestedAt ? h("li", {}, h("span", { class: "tag warn" }, "cancelling…")) : "");
}

function actions(order, board, load) {
  if (!order || !["placed", "reserved", "confirmed"].includes(order.status) || order.cancellationRequestedAt) return [];
  return [h("button", { type: "button", class: "danger", onclick: async () => {
    try {
      await post(`/api/order/orders/${encodeURIComponent(order.orderId)}/cancel`);
      await load();
    } catch (error) {
      board.say(error.message, "bad");
    }
  } }, "Cancel the order")];
}

function detail(span, close) {
  const values = Object.entries(span.attributes).sort(([one], [other]) => (one < other ? -1 : 1));
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  return [
    h("div", { class: "row spread" }, h("h2", {}, span.name), h("button", { type: "button", class: "plain square", "aria-label": "Close", onclick: close }, "×")),
    span.statusMessage || span.mark ? h("p", { class: "notice bad" }, span.statusMessage ?? span.mark) : "",
    h("div", { class: "stack" },
      facts([
        ["service", span.service], ["kind", span.kind], ["begins", `+${micros(span.startMicroseconds)}`], ["takes", micros(span.durationMicroseconds)],
        span.waitMicroseconds ? ["waited", micros(span.waitMicroseconds)] : null, span.attempt ? ["attempt", String(span.attempt)] : null,
        span.isOrphan ? ["parent", "not received"] : null, ["span", code(span.spanId)],
      ]),
      values.length ? h("h3", {}, "Attributes") : "",
      facts(values.map(([name, value]) => [name, code(text(value))])),
      span.events.length ? h("h3", {}, "Events") : "",
      ...span.events.map((event) => h("div", {}, h("p", {}, `${event.name} `, h("span", { class: "quiet" }, `+${micros(event.atMicroseconds)}`)),
        facts(Object.entries(event.attributes).map(([name, value]) => [name, code(text(value))]))))),
  ];
}

const usual = new Set(["time", "level", "service", "logger", "message", "correlation_id", "trace_id", "span_id"]);

function showLines(card, logs, trace) {
  card.hidden = logs.length === 0;
  if (card.hidden) return;
  let body = card.querySelector("tbody");
  if (!body) {
    body = h("tbody");
    card.append(h("div", { class: "scroll" }, h("table", { class: "lines" },
      h("thead", {}, h("tr", {}, ["Time", "Service", "Log line"].map((name) => h("th", { scope: "col" }, name)))), body)));
  }
  const numbered = logs.map((line, index) => ({ line, index }));
  keyed(body, numbered, ({ line, index }) => `${line.time} ${index}`, ({ line }) => {
    const more = Object.entries(line).filter(([name]) => !usual.has(name)).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
    const tone = { warning: "warn", error: "bad", critical: "bad" }[line.level];
    return h("tr", {},
      h("td", { class: "mono", title: line.time }, clock(line.time, true)),
      h("td", {}, h("span", { class: "row" }, h("span", { class: "swatch", style: { background: colour(line.service) } }), line.service)),
      h("td", {}, tone ? h("span", { class: `tag ${tone}` }, line.level) : "", ` ${line.message} `, h("span", { class: "more mono" }, more.join(" "))));
  });
}

