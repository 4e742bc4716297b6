// What waits for an answer, and the answering.
//
// A card never moves while somebody may be about to press one of its buttons: new ones come behind the others, and answered
// ones stay in their place until neither pointer nor focus is among them. Buttons of a new card take a moment to work.
import { byId, el, announce, clock, plural } from "./dom.js";
import { ask } from "./dialogs.js";
import { order, Failed } from "./server.js";
import { about } from "./bottles.js";

const FRESH = 500; // ms in which a new card is not answered
const STAYS = 4000; // ms that an answered card stays at least

const all = new Map(); // "slug id" → { slug, asked, card, since, settled }
let told = () => {};

export const onCount = (does) => { told = does; };
const keyOf = (slug, id) => `${slug} ${id}`;

export function snapshot(slug, petitions) {
  const ids = new Set(petitions.map(({ id }) => keyOf(slug, id)));
  for (const one of all.values()) {
    if (one.slug === slug && !ids.has(keyOf(slug, one.asked.id))) settle(one, "its bottle was started anew");
  }
  for (const one of petitions) petition(slug, one);
}

export function petition(slug, asked) {
  const key = keyOf(slug, asked.id);
  const known = all.get(key);
  if (asked.state.is !== "open") {
    if (known) settle(known, asked.became, asked.state.is);
    else remember(slug, asked, asked.became);
    return;
  }
  if (known) return;
  const one = { slug, asked, since: Date.now(), settled: null };
  one.card = card(one);
  all.set(key, one);
  byId("cards").append(one.card);
  announce(`Request ${asked.id} of ${slug}: ${asked.shows}`, true);
  count();
}

// Its bottle has ended: there is nobody to answer.
export function ended(slug) {
  for (const one of all.values()) if (one.slug === slug) settle(one, "its bottle has ended");
}

function settle(one, became, is = "gone") {
  if (one.settled !== null) return;
  one.settled = Date.now();
  one.card.dataset.is = "settled";
  const focused = one.card.contains(document.activeElement);
  const verdict = el("p", { class: "verdict", tabindex: "-1", "data-is": is }, `${one.asked.id}: ${became}`);
  one.card.querySelector(".actions").replaceChildren(verdict);
  one.card.querySelector(".credential")?.setAttribute("hidden", "");
  if (focused) verdict.focus();
  announce(`Request ${one.asked.id}: ${became}`);
  remember(one.slug, one.asked, became);
  count();
}

function remember(slug, asked, became) {
  const list = byId("answered-list");
  const id = keyOf(slug, asked.id);
  if ([...list.children].some((line) => line.dataset.id === id)) return;
  list.prepend(el("li", { "data-id": id }, el("code", {}, asked.id), ` ${slug} · `, el("code", {}, asked.shows), ` · ${became}`));
  while (list.childElementCount > 100) list.lastElementChild.remove();
  byId("answered").hidden = false;
  byId("answered-count").textContent = list.childElementCount;
}

const open = () => [...all.values()].filter((one) => one.settled === null);

function count() {
  byId("petitions-count").textContent = open().length;
  byId("petitions").dataset.is = open().length > 0 ? "waiting" : "calm";
  byId("petitions-none").hidden = all.size > 0;
  told(open().length);
}

function tidy() {
  const section = byId("cards");
  if (section.matches(":hover") || section.contains(document.activeElement) || document.querySelector("dialog[open]")) return;
  for (const [key, one] of all) {
    if (one.settled !== null && Date.now() - one.settled > STAYS) {
      one.card.remove();
      all.delete(key);
    }
  }
  count();
}
setInterval(tidy, 1000);

// What each button does, and its key while the focus is in the card.
const SPANS = [
  { key: "1", text: "Once", verdict: "once", says: "for one request" },
  { key: "2", text: "This bottle", verdict: "bottle", says: "as long as this bottle lives" },
  { key: "3", text: "1 hour", verdict: { minutes: 60 }, says: "for an hour" },
  { key: "4", text: "Always…", verdict: "always", says: "from now on, by the manifest" },
];

const isRaw = ({ proposal }) => proposal.protocol === "tcp";
const isHttp = ({ proposal }) => proposal.protocol === "http" && proposal.tls === "open";

function card(one) {
  const { slug, asked } = one;
  const { id, near } = asked;
  const how = asked.how === "held" ? "its request waits for the answer" : "the agent asks";
  const who = about(slug);
  const actions = el("div", { class: "actions" });
  const button = ({ key, text, kind = "", label, does, off = false, title = null }) => actions.append(
    el("button", {
      type: "button", class: kind, "data-key": key, "aria-label": `${label}, request ${id}`, "aria-keyshortcuts": key,
      disabled: off, title, on: { click: () => Date.now() - one.since > FRESH && does() },
    }, text, " ", el("kbd", { "aria-hidden": "true" }, key)));
  for (const span of SPANS) {
    const always = span.verdict === "always";
    const off = (span.verdict === "once" && isRaw(asked)) || (always && about(slug)?.manifest === null);
    const title = off ? (always ? "there is no manifest file" : "a raw connection is no request") : null;
    const does = () => (always ? askAlways(one) : quick(one, span.verdict));
    button({ ...span, kind: "yes", label: `Allow ${span.says}`, off, title, does });
  }
  button({ key: "n", text: "Narrow…", label: "Allow something narrower", off: !isHttp(asked), does: () => askNarrowed(one) });
  button({ key: "x", text: "Refuse…", kind: "no", label: "Refuse", does: () => askRefusal(one) });

  one.credential = near?.credential && !isRaw(asked)
    ? el("input", { type: "checkbox", id: `credential-${slug}-${id}` }) : null;
  return el("li", { class: "card", tabindex: "-1", "data-id": id, "data-bottle": slug, "data-is": "open", "aria-label": `Request ${id} of ${slug}` },
    el("p", { class: "head" }, el("strong", {}, slug), el("span", {}, who ? who.command.join(" ") : ""),
      el("span", {}, `${how}, since ${clock(asked.asked)}`), el("code", { class: "id" }, id)),
    el("p", { class: "wants" }, asked.shows),
    asked.international ? el("p", { class: "warning" },
      "An international name, in its canonical form: its letters may look like those of another name.") : null,
    asked.why === "" ? null : el("blockquote", { class: "why" }, asked.why),
    el("p", { class: "small" }, passed(asked), near?.credential ? "" : " · carries no credential", asked.code ? ` · refused as ${asked.code}` : ""),
    one.credential === null ? null : el("label", { class: "credential" }, one.credential,
      el("span", {}, "let it carry ", el("code", {}, near.credential), `, the credential of the route ${near.route}; else it carries none`,
        el("span", { class: "small" }, " (not with “always”)"))),
    actions);
}

const passed = (asked) => asked.would_have_allowed === 0
  ? "no refused request of the last hour would have passed"
  : `${plural(asked.would_have_allowed, "refused request")} of the last hour would have passed`;

const answer = (one, what) => order("/answer", {
  bottle: one.slug, id: one.asked.id, credential: false, word: "", narrowed: null, ...what,
});

// Answers at once. Somebody else may have been first: then their answer is what counts, and is shown as that.
async function quick(one, verdict) {
  if (one.settled !== null || one.busy) return;
  one.busy = true;
  one.card.setAttribute("aria-busy", "true");
  try {
    await answer(one, { verdict, credential: one.credential?.checked ?? false });
  } catch (failure) {
    if (failure instanceof Failed && failure.late) tooLate(one, failure);
    else problem(one, failure);
  } finally {
    one.busy = false;
    one.card.removeAttribute("aria-busy");
  }
}

function problem(one, failure) {
  one.card.querySelector(".error")?.remove();
  one.card.append(el("p", { class: "error", role: "alert" }, [failure.message, failure.help].filter(Boolean).join(". ")));
}

function tooLate(one, failure) {
  settle(one, failure.message, "late");
  const late = `Your answer to ${one.asked.id} came too late and changed nothing: ${failure.message}`;
  if (!one.card.querySelector(".late")) one.card.append(el("p", { class: "late", role: "alert" }, late));
  announce(late, true);
}

// The same from a dialog: late answers close it, other failures are shown in it.
async function fromDialog(one, what) {
  try {
    await answer(one, what);
  } catch (failure) {
    if (!(failure instanceof Failed && failure.late)) throw failure;
    tooLate(one, failure);
  }
}

const wants = (one) => el("p", { class: "wants" }, one.asked.shows);
const word = (text) => {
  const input = el("input", { type: "text", id: "word", maxlength: "300", autocomplete: "off" });
  return { input, field: el("label", { class: "field" }, text, input) };
};

function askAlways(one) {
  const manifest = about(one.slug)?.manifest ?? "the manifest";
  ask({
    title: `Always allow ${one.asked.id}?`, home: one.card,
    body: [wants(one), el("p", {}, "This is written into ", el("code", {}, manifest), " and holds for every bottle that is started from it.")],
    actions: [{ text: "Always allow", kind: "yes", does: () => fromDialog(one, { verdict: "always" }) }],
  });
}

function askRefusal(one) {
  const { input, field } = word("A word to the agent (may be left out)");
  ask({
    title: `Refuse ${one.asked.id}?`,
    body: [wants(one), field], focus: input, home: one.card,
    actions: [{ text: "Refuse", kind: "no", does: () => fromDialog(one, { verdict: "refuse", word: input.value }) }],
  });
}

const listed = (text, between) => text.split(between).map((part) => part.trim()).filter((part) => part !== "");

function askNarrowed(one) {
  const { proposal } = one.asked;
  const methods = el("input", { type: "text", id: "methods", autocomplete: "off", spellcheck: "false" });
  methods.value = (proposal.methods ?? []).join(", ");
  const paths = el("textarea", { id: "paths", rows: "3", spellcheck: "false" });
  paths.value = (proposal.paths ?? ["/**"]).join("\n");
  const span = el("select", { id: "span" }, ...[
    ["once", "once"], ["bottle", "as long as this bottle lives"], ["15", "for 15 minutes"], ["60", "for an hour"],
    ["480", "for 8 hours"], ["always", "always, by the manifest"],
  ].map(([value, text]) => el("option", { value }, text)));
  const { input, field } = word("A word to the agent (may be left out)");
  const means = el("input", { type: "checkbox", id: "wider" });
  const wider = el("label", { class: "warning", hidden: true }, means, " This is not within what was asked for. I mean it.");
  const narrowed = () => ({
    wider: means.checked,
    methods: methods.value.trim() === "" ? null : listed(methods.value.toUpperCase(), /[\s,|]+/),
    paths: listed(paths.value, "\n"),
  });
  const look = () => {
    const now = narrowed();
    const isWithin = (given, asked) => asked === null || (given !== null && given.every((part) => asked.includes(part)));
    wider.hidden = isWithin(now.methods, proposal.methods) && isWithin(now.paths, proposal.paths);
  };
  for (const field of [methods, paths]) field.addEventListener("input", look);
  ask({
    title: `Allow ${one.asked.id}, but narrower`,
    body: [wants(one), el("label", { class: "field" }, "Methods (none: any)", methods),
      el("label", { class: "field" }, "Paths, a line each (* within a segment, /** for all below)", paths),
      el("label", { class: "field" }, "How long", span), wider, field],
    focus: methods, home: one.card,
    actions: [{ text: "Allow", kind: "yes", does: () => {
      const minutes = Number(span.value);
      const verdict = Number.isNaN(minutes) ? span.value : { minutes };
      const credential = verdict !== "always" && (one.credential?.checked ?? false);
      return fromDialog(one, { verdict, narrowed: narrowed(), credential, word: input.value });
    } }],
  });
}

// By key, with the focus in a card: true when it was one.
export function press(key) {
  const here = document.activeElement?.closest?.(".card");
  const button = here?.querySelector(`button[data-key="${CSS.escape(key)}"]`);
  button?.click();
  return Boolean(button);
}

export const cards = () => [...byId("cards").children];
