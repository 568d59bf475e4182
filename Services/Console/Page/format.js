// How values are written: amounts, times, ids.

const withoutFraction = new Intl.NumberFormat("en");

export function money({ amountMinorUnits, currency }) {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(amountMinorUnits / 10 ** digits);
}

export const count = (number) => withoutFraction.format(number);

export function rate(perSecond) {
  if (perSecond === 0) return "0/s";
  return perSecond < 10 ? `${perSecond.toFixed(1)}/s` : `${count(Math.round(perSecond))}/s`;
}

export function micros(microseconds) {
  if (microseconds < 1000) return `${microseconds} µs`;
  if (microseconds < 100_000) return `${(microseconds / 1000).toFixed(1)} ms`;
  if (microseconds < 1_000_000) return `${Math.round(microseconds / 1000)} ms`;
  return seconds(microseconds / 1_000_000);
}

export function seconds(value) {
  if (value < 60) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  if (value < 86_400) return `${Math.floor(value / 3600)} h ${Math.round((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86_400)} d ${Math.round((value % 86_400) / 3600)} h`;
}

export const ago = (date) => `${seconds(Math.max(0, (Date.now() - new Date(date)) / 1000))} ago`;

export function clock(date, milliseconds = false) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  if (milliseconds) options.fractionalSecondDigits = 3;
  return new Date(date).toLocaleTimeString("en-GB", options);
}

export function moment(date) {
  const isToday = new Date(date).toDateString() === new Date().toDateString();
  return isToday ? clock(date) : `${new Date(date).toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock(date)}`;
}

/** The end of an id: ids begin with their time, so that those of one day look alike. */
export const short = (id) => (id.length > 14 ? `…${id.slice(-8)}` : id);

/** What a state is like: good, bad, a warning, or on its way. */
export const mood = (status) => ({
  confirmed: "good", shipped: "good", delivered: "good", ready: "good",
  cancelled: "warn", refunded: "warn", degraded: "warn", starting: "warn",
  down: "bad", unavailable: "bad",
})[status] ?? "info";

/** The colour of a service; those that aren't the shop's own are grey. */
export const colour = (service) =>
  ["broker", "order", "payment", "inventory", "email", "loyalty", "notification"].includes(service) ? `var(--${service})` : "var(--quiet)";

/** JSON laid out for reading; anything else as it is. */
export function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}
