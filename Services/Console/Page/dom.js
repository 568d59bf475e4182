// Makes elements. What is text stays text: nothing here, or anywhere on the page, is ever parsed as HTML, and the
// page's Content-Security-Policy (require-trusted-types-for) makes the browser refuse it too.

const svgNamespace = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (name === "style") {
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    } else if (name === "value") {
      element.value = value;
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** `h("a", { href: "/" }, "Home")`: an element with attributes, `on…` listeners and children. */
export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function s(name, attributes, ...children) {
  return fill(document.createElementNS(svgNamespace, name), attributes, children);
}

/**
 * Makes the children of `parent` those of `items`, by their keys. What is there stays the same element, so that focus,
 * selection and what somebody is typing survive each piece of news. `make(item)` gives the element and
 * `update(element, item)`, where given, brings it up to date.
 */
export function keyed(parent, items, key, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let element = old.get(name);
    if (element) {
      old.delete(name);
      update?.(element, item);
    } else {
      element = make(item);
      element.dataset.key = name;
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const left of old.values()) left.remove();
}

/** A question with two answers; true when it is to be done. */
export function ask(title, detail, deed, isDangerous = true) {
  return new Promise((resolve) => {
    const close = (answer) => () => dialog.close(answer);
    const dialog = h("dialog", { "aria-labelledby": "question", onclose: () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    } },
    h("h2", { id: "question" }, title),
    h("p", { class: "quiet" }, detail),
    h("div", { class: "row" },
      h("button", { type: "button", onclick: close("no"), autofocus: true }, "Cancel"),
      h("button", { type: "button", class: isDangerous ? "danger" : "primary", onclick: close("yes") }, deed)));
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A place for what came of a deed; says it to screen readers too. */
export function noticeBoard() {
  const board = h("div", { role: "status", "aria-live": "polite" });
  return {
    element: board,
    say: (text, kind = "good") => board.replaceChildren(h("p", { class: `notice ${kind}` }, text)),
    clear: () => board.replaceChildren(),
  };
}

export const empty = (text) => h("p", { class: "empty" }, text);
