// The shop as a diagram: topics, queues and services, with what flows between them.

import { h, s, keyed } from "./dom.js";
import { live } from "./api.js";
import { colour, count, mood, rate, seconds } from "./format.js";

export default function overview(main, { signal }) {
  const summary = h("p", { class: "row quiet", role: "status" }, "Looking at the services…");
  const figures = h("section", { class: "card figures", "aria-label": "In short" });
  const topics = h("div", { class: "topics" });
  const edges = s("svg", { "aria-hidden": "true" });
  const diagram = h("section", { class: "diagram", "aria-label": "Topics, queues and services" },
    edges,
    h("div", { class: "legend" }, h("h2", {}, "Topics"), h("h2", {}, "Queues"), h("h2", {}, "Services")),
    topics);
  main.append(h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Overview"), summary), h("div", { class: "stack" }, figures, diagram));

  let latest;
  live.on("overview", signal, (news) => {
    latest = news;
    summary.replaceChildren(...summarise(news));
    keyed(figures, inShort(news), (figure) => figure.name, makeFigure, updateFigure);
    keyed(topics, news.topics, (topic) => topic.name, makeNode);
    news.topics.forEach((topic, index) => updateTopic(topics.children[index], topic));
    placeRows(diagram, news);
    draw(edges, diagram, news);
  });
  const observer = new ResizeObserver(() => latest && draw(edges, diagram, latest));
  observer.observe(diagram);
  signal.addEventListener("abort", () => observer.disconnect());
}

function summarise({ services }) {
  const ill = services.filter((service) => service.status !== "ready");
  if (ill.length === 0) return [h("span", { class: "dot good" }), `All ${services.length} services are ready.`];
  const isBad = ill.some((service) => mood(service.status) === "bad");
  return [h("span", { class: `dot ${isBad ? "bad" : "warn"}` }), `${ill.map((service) => `${service.name} is ${service.status}`).join(", ")}.`];
}

function inShort({ services, topics, queues }) {
  const sum = (list, value) => list.reduce((total, item) => total + value(item), 0);
  const oldest = Math.max(0, ...queues.map((queue) => queue.oldestSeconds));
  return [
    { name: "requests", value: rate(sum(services.filter((service) => service.name !== "broker"), (service) => service.requestsPerSecond)) },
    { name: "events published", value: rate(sum(topics, (topic) => topic.publishedPerSecond)) },
    { name: "messages handled", value: rate(sum(services, (service) => service.handledPerSecond)) },
    { name: "failed attempts", value: rate(sum(services, (service) => service.failedPerSecond)) },
    { name: "waiting", value: count(sum(queues, (queue) => queue.visible + queue.inFlight)) },
    { name: "oldest message", value: oldest > 0 ? seconds(oldest) : "none" },
    { name: "dead letters", value: count(sum(queues, (queue) => queue.deadLetters)) },
    { name: "duplicates skipped", value: count(sum(services, (service) => service.duplicates)) },
  ];
}

const makeFigure = ({ name, value }) => h("div", { class: "figure" }, h("b", {}, value), h("span", {}, name));
const updateFigure = (element, { value }) => { element.firstElementChild.textContent = value; };

/** The queue of a service stands beside it; a service without a queue, as the broker is, stands alone. */
function placeRows(diagram, { services, queues }) {
  const names = [...queues.map((queue) => queue.name), ...services.map((service) => service.name)];
  const rows = [...new Set(names)].filter((name) => name !== "broker").concat("broker");
  const nodes = rows.flatMap((name, index) => {
    const queue = queues.find((one) => one.name === name);
    const service = services.find((one) => one.name === name);
    return [queue && { kind: "queue", row: index + 2, ...queue }, service && { kind: "service", row: index + 2, ...service }].filter(Boolean);
  });
  diagram.querySelector(".topics").style.gridRow = `2 / ${rows.length + 2}`;
  // The first three children are not of these rows.
  const holder = { get children() { return [...diagram.children].slice(3); } };
  const known = new Map(holder.children.map((child) => [child.dataset.key, child]));
  for (const node of nodes) {
    const key = `${node.kind} ${node.name}`;
    let element = known.get(key);
    known.delete(key);
    if (!element) {
      element = makeNode(node);
      element.dataset.key = key;
      element.style.gridColumn = node.kind === "queue" ? "2" : "3";
      element.style.gridRow = node.row;
      diagram.append(element);
    }
    (node.kind === "queue" ? updateQueue : updateService)(element, node);
  }
  for (const left of known.values()) left.remove();
}

const makeNode = ({ name, kind }) => h("article", { class: `node ${kind ?? "topic"}`, "data-name": name },
  h("header", {}, h("span", { class: "title" }, name), h("span", { class: "tag", hidden: true })), h("p", {}), h("p", {}));

function write(element, tag, tone, ...lines) {
  const label = element.querySelector(".tag");
  label.hidden = !tag;
  label.className = `tag ${tone}`;
  label.replaceChildren(tag ?? "");
  element.querySelectorAll("p").forEach((line, index) => {
    line.textContent = lines[index] ?? "";
    line.hidden = !lines[index];
  });
}

function updateTopic(element, topic) {
  write(element, null, "", `${rate(topic.publishedPerSecond)} published`, `by ${topic.publisher}`);
}

function updateQueue(element, queue) {
  const isStuck = queue.oldestSeconds > 10 && queue.visible > 0;
  element.classList.toggle("warn", isStuck);
  element.style.setProperty("--fill", queue.visible + queue.inFlight > 0 ? "var(--accent)" : "transparent");
  const letters = queue.deadLetters ? h("a", { href: "/dead-letters" }, `${queue.deadLetters} dead`) : null;
  const parts = [`${count(queue.visible)} waiting`];
  if (queue.inFlight) parts.push(`${count(queue.inFlight)} in hand`);
  if (queue.delayed) parts.push(`${count(queue.delayed)} delayed`);
  const age = queue.oldestSeconds > 1 ? `oldest ${seconds(queue.oldestSeconds)}` : "";
  write(element, letters, "bad", parts.join(" · "), [`${rate(queue.sentPerSecond)} in`, `${rate(queue.deletedPerSecond)} done`, age].filter(Boolean).join(" · "));
}

function updateService(element, service) {
  const tone = mood(service.status);
  element.classList.toggle("bad", tone === "bad");
  element.classList.toggle("warn", tone === "warn");
  element.querySelector(".title").style.setProperty("color", colour(service.name));
  const parts = [`${rate(service.requestsPerSecond)} requests`];
  if (service.name !== "broker") parts.push(`${rate(service.handledPerSecond)} handled`);
  if (service.errorsPerSecond) parts.push(`${rate(service.errorsPerSecond)} errors`);
  if (service.failedPerSecond) parts.push(`${rate(service.failedPerSecond)} failed`);
  if (service.outboxDepth) parts.push(`${count(service.outboxDepth)} in the outbox`);
  write(element, service.status, tone, service.detail ?? parts.join(" · "), service.detail && service.status !== "down" ? parts.join(" · ") : "");
}

function draw(svg, diagram, { topics, queues, subscriptions, services }) {
  if (getComputedStyle(svg).display === "none") return;
  const frame = diagram.getBoundingClientRect();
  const box = (kind, name) => diagram.querySelector(`.${kind}[data-name="${CSS.escape(name)}"]`)?.getBoundingClientRect();
  const line = (from, to, share) => {
    const [x1, y1] = [from.right - frame.left, from.top - frame.top + from.height * share];
    const [x2, y2] = [to.left - frame.left, to.top - frame.top + to.height / 2];
    const bend = (x2 - x1) * 0.55;
    return `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
  };
  const edges = [];
  for (const topic of topics) {
    const out = subscriptions.filter((one) => one.topic === topic.name);
    out.forEach((subscription, index) => edges.push({
      key: `${topic.name} ${subscription.queue}`, from: box("topic", topic.name), to: box("queue", subscription.queue),
      share: (index + 1) / (out.length + 1), isBusy: topic.publishedPerSecond > 0 && queues.some((queue) => queue.name === subscription.queue && queue.sentPerSecond > 0),
    }));
  }
  for (const queue of queues) {
    const service = services.find((one) => one.name === queue.name);
    if (service) edges.push({ key: `${queue.name} >`, from: box("queue", queue.name), to: box("service", queue.name), share: 0.5, isBusy: queue.deletedPerSecond > 0 });
  }
  const update = (path, edge) => {
    path.setAttribute("d", line(edge.from, edge.to, edge.share));
    path.setAttribute("class", edge.isBusy ? "edge busy" : "edge");
  };
  keyed(svg, edges.filter((edge) => edge.from && edge.to), (edge) => edge.key, (edge) => {
    const path = s("path", {});
    update(path, edge);
    return path;
  }, update);
}
