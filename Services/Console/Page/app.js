// The frame: which view is shown, and whether the news is live.

import { h, empty } from "./dom.js";
import { live } from "./api.js";
import overview from "./overview.js";
import shop from "./shop.js";
import orders from "./orders.js";
import timeline from "./timeline.js";
import deadLetters from "./deadletters.js";
import mail from "./mail.js";
import webhooks from "./webhooks.js";

// A view is given its place, a signal that ends with it, and what its address says.
const views = [
  { path: /^\/$/, title: "Overview", show: overview },
  { path: /^\/shop$/, title: "Shop", show: shop },
  { path: /^\/orders$/, title: "Orders", show: orders },
  { path: /^\/timelines\/([^/]+)$/, title: "Timeline", show: timeline },
  { path: /^\/dead-letters$/, title: "Dead letters", show: deadLetters },
  { path: /^\/mail$/, title: "Mail", show: mail },
  { path: /^\/webhooks$/, title: "Webhooks", show: webhooks },
];

const main = document.getElementById("main");
let end = new AbortController();

function show(isFirst = false) {
  end.abort();
  end = new AbortController();
  const view = views.find(({ path }) => path.test(location.pathname));
  for (const link of document.querySelectorAll("nav a")) {
    const isCurrent = link.pathname === location.pathname || (view?.title === "Timeline" && link.pathname === "/orders");
    if (isCurrent) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  document.title = `${view?.title ?? "Not found"} · async-shop`;
  if (!view) return main.append(empty("There is no such view."));
  const subject = location.pathname.match(view.path)[1];
  live.watch(subject && decodeURIComponent(subject));
  const query = new URLSearchParams(location.search);
  view.show(main, { signal: end.signal, subject: subject && decodeURIComponent(subject), query, navigate });
  scrollTo(0, 0);
  // Those who can't see the change hear it.
  if (!isFirst) main.querySelector("h1")?.focus();
}

/** Goes to an address of the page; `isReplacing` when it only says more about the view that is there. */
function navigate(address, isReplacing = false) {
  if (isReplacing) return history.replaceState(null, "", address);
  history.pushState(null, "", address);
  show();
}

addEventListener("popstate", () => show());
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || link.origin !== location.origin || link.target || link.hash) return;
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
});

// "/" goes to the search, as in many places.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
  const search = main.querySelector("input[type=search]");
  if (search) {
    event.preventDefault();
    search.focus();
  } else {
    navigate("/orders");
    main.querySelector("input[type=search]")?.focus();
    event.preventDefault();
  }
});

const pulse = document.getElementById("pulse");
live.addEventListener("connection", ({ detail: isConnected }) => {
  pulse.replaceChildren(
    h("span", { class: `dot ${isConnected ? "good" : "bad"}` }),
    h("span", { class: "word" }, isConnected ? "Live" : "No connection"));
});

const letters = document.getElementById("letters");
live.addEventListener("overview", ({ detail }) => {
  const sum = detail.queues.map((queue) => queue.deadLetters).reduce((one, other) => one + other, 0);
  letters.textContent = sum;
  letters.hidden = sum === 0;
});

show(true);
