// By keyboard alone: one letter each, listed in the help, and to be turned off there.
import { byId, el } from "./dom.js";
import { ask, isOpen } from "./dialogs.js";
import { askLockAll } from "./bottles.js";
import { cards, press } from "./petitions.js";

const OFF = "bottle-keys-off";
let on = localStorage.getItem(OFF) === null;

const KEYS = [
  ["r", "to the first request that waits", () => focusFirst(".card[data-is=open]", "petitions")],
  ["b", "to the bottles", () => focusFirst(".bottle button:enabled", "bottles")],
  ["a", "to the activity", () => focusFirst("#rows .row", "activity")],
  ["/", "to the filter", () => byId("filter").focus()],
  ["j", "the next request, bottle or line", () => step(1)],
  ["k", "the one before", () => step(-1)],
  ["K", "the kill switch, of all bottles", () => byId("lock-all").disabled || askLockAll()],
  ["?", "this help", () => help()],
];

const IN_CARD = [
  ["1", "allow once"], ["2", "allow as long as this bottle lives"], ["3", "allow for an hour"],
  ["4", "allow always, by the manifest (asks again)"], ["n", "allow something narrower"], ["x", "refuse, with a word"],
];

function focusFirst(selector, section) {
  const found = document.querySelector(selector) ?? byId(section);
  found.focus();
  found.scrollIntoView({ block: "nearest" });
}

// The list in which the focus is.
function step(by) {
  const at = document.activeElement;
  const lists = [
    [cards(), at.closest(".card")],
    [[...document.querySelectorAll(".bottle")], at.closest(".bottle")],
    [[...document.querySelectorAll("#rows > li")], at.closest("#rows > li")],
  ];
  const [items, here] = lists.find(([, here]) => here) ?? lists.find(([items]) => items.length > 0) ?? [[], null];
  const next = items[here ? items.indexOf(here) + by : 0];
  if (!next) return;
  const takes = next.matches(".card") ? next : next.querySelector("button:enabled");
  takes?.focus();
  next.scrollIntoView({ block: "nearest" });
}

function help() {
  const list = (keys) => el("dl", { class: "facts keys" }, ...keys.map(([key, text]) =>
    el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, text))));
  const box = el("input", { type: "checkbox", id: "keys-on" });
  box.checked = on;
  box.addEventListener("change", () => {
    on = box.checked;
    if (on) localStorage.removeItem(OFF); else localStorage.setItem(OFF, "1");
  });
  ask({
    title: "Keys", close: "Close", actions: [],
    body: [list(KEYS), el("h3", {}, "With the focus in a request"), list(IN_CARD),
      el("p", { class: "small" }, "Tab goes through everything, Enter opens a line of the activity, Escape closes what is open."),
      el("label", {}, box, " single keys work")],
  });
}

const takesText = (element) => element.matches("input:not([type=radio]):not([type=checkbox]), textarea, select");

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || isOpen()) return;
  const at = document.activeElement ?? document.body;
  if (event.key === "Escape" && at.id === "filter") {
    at.value = "";
    at.dispatchEvent(new Event("input"));
    at.blur();
    return;
  }
  // A key that is held down answers one thing, not the next one too.
  if (!on || event.repeat || takesText(at)) return;
  const does = KEYS.find(([key]) => key === event.key)?.[2];
  if (does) does();
  else if (!press(event.key)) return;
  event.preventDefault();
}

export function bindKeys() {
  addEventListener("keydown", pressed);
  byId("open-help").addEventListener("click", help);
  byId("lock-all").addEventListener("click", askLockAll);
}
