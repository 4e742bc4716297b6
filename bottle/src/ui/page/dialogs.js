// One dialog at a time: what it asks, what it does, and the way back to where the focus was.
import { byId, el, fill } from "./dom.js";

const dialog = byId("dialog");
let shown = null;

export const isOpen = () => dialog.open;

// actions: [{ text, kind, does }]; the first is what Enter does. `does` may fail: its words are shown, and nothing closes.
// The focus goes back to where it was, or, when that is gone, to what stands in `home` now.
export function ask({ title, body, actions, close = "Cancel", focus = null, home = null }) {
  if (dialog.open) return;
  const back = document.activeElement;
  byId("dialog-title").textContent = title;
  fill(byId("dialog-body"), ...body);
  error(null);
  const buttons = actions.map(({ text, kind, does }, at) =>
    el("button", { type: at === 0 ? "submit" : "button", class: kind, on: at === 0 ? {} : { click: () => run(does) } }, text));
  const cancel = el("button", { type: "button", on: { click: shut } }, close);
  fill(byId("dialog-actions"), ...buttons, cancel);
  shown = { first: actions[0]?.does ?? (() => {}), back, home, busy: false };
  dialog.showModal();
  (focus ?? buttons[0] ?? cancel).focus();
}

export function error(failure) {
  const place = byId("dialog-error");
  place.hidden = failure === null;
  place.textContent = failure === null ? "" : [failure.message, failure.help].filter(Boolean).join(". ");
}

// Shows something else in the same dialog, with nothing left to do but to close it.
export function conclude(title, body) {
  byId("dialog-title").textContent = title;
  fill(byId("dialog-body"), ...body);
  error(null);
  const close = el("button", { type: "button", on: { click: shut } }, "Close");
  fill(byId("dialog-actions"), close);
  shown.first = () => {};
  close.focus();
}

async function run(does) {
  if (shown.busy) return;
  shown.busy = true;
  dialog.setAttribute("aria-busy", "true");
  try {
    if ((await does()) !== "stay") shut();
  } catch (failure) {
    error(failure);
  } finally {
    dialog.removeAttribute("aria-busy");
    if (shown) shown.busy = false;
  }
}

byId("dialog-form").addEventListener("submit", (event) => {
  event.preventDefault();
  run(shown.first);
});

// Closes and gives the focus back in one go: whatever is pressed next is meant for where it is then.
function shut() {
  if (shown === null) return;
  const { back, home } = shown;
  shown = null;
  dialog.close();
  const places = [back, home?.querySelector(".verdict"), home, byId("petitions")];
  places.find((place) => place?.isConnected && !place.disabled && place !== document.body)?.focus();
}

dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  shut();
});
// A browser may close it without asking.
dialog.addEventListener("close", () => { if (!dialog.open) shut(); });

// The focus goes round in it, and not to the browser's own controls.
dialog.addEventListener("keydown", (event) => {
  if (event.key !== "Tab") return;
  const all = [...dialog.querySelectorAll("button, input, select, textarea, summary")]
    .filter((element) => !element.disabled && element.offsetParent !== null);
  const [first, last] = [all[0], all[all.length - 1]];
  const at = document.activeElement;
  const wraps = event.shiftKey ? at === first || !all.includes(at) : at === last;
  if (!wraps) return;
  event.preventDefault();
  (event.shiftKey ? last : first).focus();
});
