// A trace as a waterfall over the services. Where nothing happened for long, as while an order waits for a slow bank,
// the axis is cut, so that milliseconds stay visible beside minutes.

import { h, keyed } from "./dom.js";
import { colour, micros } from "./format.js";

const words = { error: "failed", retried: "failed, is tried again", deadLettered: "is among the dead letters", duplicate: "a duplicate, skipped" };

/**
 * Where on the axis a moment is, from 0 to 1. A pure function of the spans: gaps longer than a tenth of what
 * happened become a fixed, narrow strip.
 */
export function makeScale(spans, total) {
  const busy = [];
  for (const { startMicroseconds: start, durationMicroseconds: length } of [...spans].sort((one, other) => one.startMicroseconds - other.startMicroseconds)) {
    const last = busy.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, start + length);
    else busy.push({ start, end: start + length });
  }
  const active = busy.reduce((sum, { start, end }) => sum + end - start, 0);
  const gaps = [];
  for (let index = 1; index < busy.length; index += 1) {
    const gap = { start: busy[index - 1].end, end: busy[index].start };
    if (gap.end - gap.start > Math.max(20_000, active / 2)) gaps.push(gap);
  }
  const strip = 0.04;
  const cut = gaps.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  const unit = Math.max(0.2, 1 - strip * gaps.length) / Math.max(1, total - cut);
  const width = gaps.length ? (1 - unit * Math.max(1, total - cut)) / gaps.length : 0;
  const at = (moment) => {
    let place = moment * unit;
    for (const gap of gaps) {
      if (moment >= gap.end) place += width - (gap.end - gap.start) * unit;
      else if (moment > gap.start) place += (moment - gap.start) * (width / (gap.end - gap.start) - unit);
    }
    return Math.min(1, place);
  };
  return { at, gaps };
}

const percent = (share) => `${(share * 100).toFixed(3)}%`;

/** A waterfall that can be brought up to date; `select(span)` hears which span somebody wants to know more of. */
export default function waterfall(select) {
  const axis = h("div", { class: "axis", "aria-hidden": "true" });
  const rows = h("div", { class: "waterfall", role: "group", "aria-label": "Spans, in the order in which they began" });
  let chosen = null;

  rows.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const list = [...rows.querySelectorAll(".span")];
    list[list.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  });

  function choose(span) {
    chosen = span?.spanId ?? null;
    for (const row of rows.querySelectorAll(".span")) row.setAttribute("aria-pressed", row.dataset.key === chosen);
    select(span);
  }

  function update(timeline) {
    const { at, gaps } = makeScale(timeline.spans, timeline.durationMicroseconds);
    drawAxis(axis, timeline, at, gaps);
    keyed(rows, timeline.spans, (span) => span.spanId, (span) => {
      const row = h("button", { type: "button", class: "span", "aria-pressed": "false", onclick: () => choose(chosen === row.span.spanId ? null : row.span) },
        h("span", { class: "name" }), h("span", { class: "lane" }));
      fillRow(row, span, at, gaps);
      return row;
    }, (row, span) => fillRow(row, span, at, gaps));
  }

  return { element: h("div", { class: "chart" }, axis, rows), update, clear: () => choose(null) };
}

function drawAxis(axis, timeline, at, gaps) {
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * timeline.durationMicroseconds);
  // With cuts in it an even scale would tell lies; then the edges of the cuts are what is written.
  const edges = [0, ...gaps.map((gap) => gap.end), timeline.durationMicroseconds];
  // Those that would stand on each other are left out, the last one never.
  const isApart = (moment, index) => index === 0 || index === edges.length - 1
    || (at(moment) - at(edges[index - 1]) > 0.08 && at(edges.at(-1)) - at(moment) > 0.08);
  const moments = gaps.length ? edges.filter(isApart) : marks;
  axis.replaceChildren(...moments.map((moment) => h("span", { style: { left: percent(at(moment)) } }, moment === 0 ? "0" : micros(Math.round(moment)))));
}

function fillRow(row, span, at, gaps) {
  row.span = span;
  row.style.setProperty("--depth", Math.min(span.depth, 12));
  row.style.setProperty("--service", colour(span.service));
  const attempt = span.attempt > 1 ? `, attempt ${span.attempt}` : "";
  const wait = span.waitMicroseconds ? `, after waiting ${micros(span.waitMicroseconds)}` : "";
  row.setAttribute("aria-label", `${span.service}: ${span.name}${attempt}, ${micros(span.durationMicroseconds)}${wait}${span.mark ? `, ${words[span.mark]}` : ""}`);
  row.querySelector(".name").replaceChildren(
    h("span", { class: "swatch", title: span.service }),
    h("span", { class: "label", title: `${span.service}: ${span.name}` }, h("span", { class: "who" }, `${span.service} · `), span.name),
    span.attempt > 1 ? h("span", { class: "tag warn" }, `#${span.attempt}`) : "");
  const start = at(span.startMicroseconds);
  const end = at(span.startMicroseconds + span.durationMicroseconds);
  const waited = span.waitMicroseconds ? at(Math.max(0, span.startMicroseconds - span.waitMicroseconds)) : start;
  const place = { "--left": percent(start), "--width": percent(end - start), "--from": percent(waited) };
  // The time stands where there is room for it.
  const side = end < 0.72 ? "" : start > 0.28 ? "before" : "inside";
  row.querySelector(".lane").replaceChildren(
    ...gaps.map((gap) => h("span", { class: "gap", style: { "--left": percent(at(gap.start)), "--width": percent(at(gap.end) - at(gap.start)) } })),
    waited < start ? h("span", { class: "wait", style: { "--left": percent(waited), "--width": percent(start - waited) } }) : "",
    h("span", { class: `bit ${span.mark ?? ""}`, style: place }),
    h("span", { class: `time ${side}`, style: place }, micros(span.durationMicroseconds)));
}
