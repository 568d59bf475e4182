// Messages that could not be handled: why, what is in them, and the ways to go on.

import { h, keyed, ask, empty, noticeBoard } from "./dom.js";
import { get, live, post, Refused } from "./api.js";
import { moment, pretty } from "./format.js";

export default function deadLetters(main, { signal }) {
  const board = noticeBoard();
  const groups = h("div", { class: "stack" });
  const nothing = h("section", { class: "card", hidden: true }, empty("No dead letters. Every message was handled."));
  main.append(
    h("div", { class: "head" }, h("h1", { tabindex: -1 }, "Dead letters"), h("button", { type: "button", onclick: () => load() }, "Look again")),
    h("div", { class: "stack" }, board.element, groups, nothing));

  let shown = new Map();
  async function load() {
    try {
      const { queues } = await get("/api/dead-letters", signal);
      shown = new Map(queues.map(({ source, count }) => [source, count]));
      const list = queues.flatMap(grouped);
      keyed(groups, list, (group) => group.key, (group) => makeGroup(group, deeds), updateGroup);
      nothing.hidden = list.length > 0;
    } catch (error) {
      if (error instanceof Refused) board.say(error.message, "bad");
      else if (error.name !== "AbortError") throw error;
    }
  }

  async function act(deed, queue, order, done) {
    try {
      const { count } = await post(`/api/dead-letters/${encodeURIComponent(queue)}/${deed}`, order);
      board.say(count ? done(count) : "Nothing was there any more.");
    } catch (error) {
      board.say(error.message, "bad");
    }
    await load();
  }

  const many = (count) => (count === 1 ? "One message" : `${count} messages`);
  const deeds = {
    async redriveGroup(group) {
      if (!(await ask("Send them back?", `${many(group.letters.length)} of ${group.queue} to ${group.source}. What has been handled already is recognised and skipped.`, "Redrive", false))) return;
      await act("redrive", group.queue, { reason: group.reason }, (count) => `${many(count)} sent back to ${group.source}.`);
    },
    async purgeGroup(group) {
      if (!(await ask("Remove them for good?", `${many(group.letters.length)} of ${group.queue} can't be brought back after this.`, "Remove"))) return;
      await act("purge", group.queue, { reason: group.reason }, (count) => `${many(count)} removed from ${group.queue}.`);
    },
    redrive: (group, letter, body) =>
      act("redrive", group.queue, body === pretty(letter.body) ? { messageIds: [letter.messageId] } : { messageIds: [letter.messageId], body },
        () => `The message was sent back to ${group.source}.`),
    async remove(group, letter) {
      if (!(await ask("Remove it for good?", "The message can't be brought back after this.", "Remove"))) return;
      await act("purge", group.queue, { messageIds: [letter.messageId] }, () => "The message was removed.");
    },
  };

  load();
  // The overview counts them; another number than is shown is a reason to look.
  live.on("overview", signal, ({ queues }) => {
    if (queues.some(({ name, deadLetters: count }) => shown.has(name) && shown.get(name) !== count)) load();
  });
}

function grouped({ queue, source, letters }) {
  const byReason = new Map();
  for (const letter of letters) byReason.set(letter.reason, [...(byReason.get(letter.reason) ?? []), letter]);
  return [...byReason].map(([reason, list]) => ({ key: `${queue} ${reason}`, queue, source, reason, letters: list }));
}

function makeGroup(group, deeds) {
  const current = () => element.group;
  const element = h("section", { class: "card flush group", "aria-label": `${group.queue}: ${group.reason}` },
    h("header", {},
      h("div", {}, h("h2", {}, group.queue, " ", h("span", { class: "tag bad" })), h("p", { class: "quiet reason" }, group.reason)),
      h("button", { type: "button", onclick: () => deeds.redriveGroup(current()) }, "Redrive all"),
      h("button", { type: "button", class: "danger", onclick: () => deeds.purgeGroup(current()) }, "Purge")),
    h("div", { class: "letters" }));
  element.deeds = deeds;
  updateGroup(element, group);
  return element;
}

function updateGroup(element, group) {
  element.group = group;
  element.querySelector(".tag").textContent = group.letters.length;
  keyed(element.querySelector(".letters"), group.letters, (letter) => letter.messageId, (letter) => makeLetter(element, letter));
}

function makeLetter(element, letter) {
  const text = pretty(letter.body);
  const body = h("textarea", { rows: Math.min(24, text.split("\n").length + 1), "aria-label": "Body of the message", spellcheck: "false", value: text });
  const attributes = Object.entries(letter.attributes).filter(([name]) => name !== "reason");
  const row = (name, value) => [h("dt", {}, name), h("dd", { class: "mono" }, value)];
  return h("details", { class: "letter" },
    h("summary", {}, h("b", {}, letter.type ?? "unknown type"), h("span", { class: "quiet" }, letter.subject ?? ""), h("span", { class: "quiet" }, letter.sentAt ? moment(letter.sentAt) : "")),
    h("div", { class: "inside" },
      h("dl", { class: "facts" }, row("event id", letter.eventId ?? "none: it isn't a CloudEvent"), row("broker's id", letter.messageId), attributes.map(([name, value]) => row(name, value))),
      body,
      h("div", { class: "row" },
        h("button", { type: "button", class: "primary", onclick: () => element.deeds.redrive(element.group, letter, body.value) }, "Redrive"),
        h("button", { type: "button", onclick: () => { body.value = text; } }, "Undo changes"),
        h("button", { type: "button", class: "danger", onclick: () => element.deeds.remove(element.group, letter) }, "Remove"),
        letter.correlationId ? h("a", { class: "button", href: `/timelines/${encodeURIComponent(letter.correlationId)}` }, "Timeline") : "")));
}
