// What happened and what is under way, of all bottles together, the latest first.
import { byId, el, fill, bytes, duration, when, plural, facts } from "./dom.js";

const KEPT = 2000; // what is remembered here; the audit has everything
const PAGE = 200; // rows that are shown at first

let past = []; // { slug, time, event, key, text }, the latest first
const known = new Set();
const live = new Map(); // slug → what is under way
let shown = PAGE;
let held = 0; // what came while somebody was reading

const filter = { text: "", which: "", kind: "all" };

export function start() {
  byId("filter").addEventListener("input", ({ target }) => { filter.text = target.value.trim().toLowerCase(); rebuild(); });
  byId("which").addEventListener("change", ({ target }) => { filter.which = target.value; rebuild(); });
  byId("kinds").addEventListener("change", ({ target }) => { filter.kind = target.value; rebuild(); });
  byId("more").addEventListener("click", () => { shown += PAGE; rebuild(); });
  byId("fresh").addEventListener("click", () => { rebuild(); byId("rows").querySelector("button")?.focus(); });
  byId("rows").addEventListener("focusout", () => setTimeout(() => { if (held > 0 && !isRead()) rebuild(); }));
}

// The list stands still as long as somebody is in it.
const isRead = () => byId("rows").contains(document.activeElement);

const keyOf = (slug, time, event) => event.event === "exchange"
  ? `${slug} ${event.id}` : `${slug} ${time} ${event.step} ${event.detail ?? ""}`;

export function running(slug, now) {
  live.set(slug, now);
  later("live", drawLive);
}

export function record(slug, seen) {
  const fresh = [];
  for (const { time, event } of seen) {
    const key = keyOf(slug, time, event);
    if (known.has(key)) continue;
    known.add(key);
    fresh.push({ slug, time, event, key, text: words(slug, event) });
  }
  if (fresh.length === 0) return;
  fresh.reverse();
  const inOrder = past.length === 0 || fresh[fresh.length - 1].time >= past[0].time;
  past = [...fresh, ...past];
  if (!inOrder) past.sort((one, other) => (one.time < other.time ? 1 : one.time > other.time ? -1 : 0));
  for (const { key } of past.splice(KEPT)) known.delete(key);
  const matching = fresh.filter(matches);
  if (matching.length === 0) return;
  held += matching.length;
  later("past", () => (isRead() ? drawHeld() : rebuild()));
}


// At most once in a frame, whatever happens in it.
const waiting = new Set();
function later(name, draws) {
  if (waiting.has(name)) return;
  waiting.add(name);
  requestAnimationFrame(() => { waiting.delete(name); draws(); });
}

const words = (slug, event) => [
  slug, event.method, event.host, event.path, event.decision, event.code, event.reason, event.route, event.protocol,
  event.status, event.credential, event.step, event.detail, event.id,
  ...(event.findings ?? []).flatMap(({ rule, name, place, action }) => [rule, name, place, action]),
].filter((word) => word !== undefined && word !== null).join(" ").toLowerCase();

function matches({ slug, event, text }) {
  if (filter.which !== "" && slug !== filter.which) return false;
  if (filter.text !== "" && !filter.text.split(/\s+/).every((word) => text.includes(word))) return false;
  switch (filter.kind) {
    case "refused": return event.event === "exchange" && event.decision !== "allowed";
    case "findings": return (event.findings?.length ?? 0) > 0;
    case "lifecycle": return event.event === "lifecycle";
    case "live": return false;
    default: return true;
  }
}

function rebuild() {
  held = 0;
  drawLive();
  const found = past.filter(matches);
  const rows = byId("rows");
  const have = new Map([...rows.children].map((row) => [row.dataset.key, row]));
  const wanted = found.slice(0, shown).map((one) => have.get(one.key) ?? row(one));
  // Only what is new is put in: what is there stays, opened or not.
  if (wanted.length !== rows.childElementCount || wanted.some((one, at) => rows.children[at] !== one)) {
    rows.replaceChildren(...wanted);
  }
  byId("more").hidden = found.length <= shown;
  byId("fresh").hidden = true;
  byId("rows-none").hidden = found.length > 0 || byId("live").childElementCount > 0;
}

function drawHeld() {
  const fresh = byId("fresh");
  fresh.hidden = false;
  fresh.textContent = `${held} new`;
}

const target = ({ method, host, path, port, protocol }) => {
  const at = port && port !== 443 && port !== 80 ? `:${port}` : "";
  return [el("b", {}, method ?? protocol), ` ${host ?? "?"}${at}`, el("span", { class: "path" }, path ?? "")];
};

function row({ slug, time, event, key }) {
  const isExchange = event.event === "exchange";
  const findings = event.findings ?? [];
  const mark = isExchange ? event.decision : "step";
  const cells = isExchange
    ? [el("span", { class: "what" }, ...target(event)), el("span", { class: "how" }, outcome(event))]
    : [el("span", { class: "what" }, el("b", {}, event.step)), el("span", { class: "how" }, event.detail ?? "")];
  const more = el("div", { class: "more", hidden: true });
  const head = el("button", { type: "button", class: "row", "aria-expanded": "false", on: { click: () => {
    const opens = more.hidden;
    if (opens && more.childElementCount === 0) more.append(isExchange ? details(event) : facts([["detail", event.detail]]));
    more.hidden = !opens;
    head.setAttribute("aria-expanded", String(opens));
  } } }, when(time), el("span", { class: "slug" }, slug), el("span", { class: "badge" }, isExchange ? event.decision : "·"),
    ...cells, findings.length > 0 ? el("span", { class: "badge found" }, plural(findings.length, "finding")) : null);
  return el("li", { "data-key": key, "data-is": mark }, head, more);
}

function outcome(event) {
  if (event.decision !== "allowed") return event.code ?? "";
  return [event.status, bytes(event.bytes_up + event.bytes_down), duration(event.duration_ms)].filter(Boolean).join(" · ");
}

function details(event) {
  const findings = (event.findings ?? []).map((one) => facts([
    ["rule", one.rule], ["what", one.name], ["where", one.place], ["done", one.action], ["read as", one.layer],
    ["bytes", one.length], ["fingerprint", one.fingerprint], ["why let through", one.reason], ["said", one.excerpt],
  ]));
  return el("div", {}, facts([
    ["why", event.reason], ["code", event.code], ["scheme", event.scheme], ["protocol", event.protocol],
    ["host", event.host], ["port", event.port], ["path", event.path], ["route", event.route],
    ["credential", event.credential], ["upstream", event.upstream], ["status", event.status],
    ["sent", bytes(event.bytes_up)], ["received", bytes(event.bytes_down)], ["took", duration(event.duration_ms)],
    ["policy", event.policy], ["exchange", event.id],
  ]), ...findings.map((list) => el("div", { class: "finding" }, el("h4", {}, "Finding"), list)));
}

function drawLive() {
  const wanted = [];
  const list = byId("live");
  const have = new Map([...list.children].map((item) => [item.dataset.key, item]));
  if (filter.kind === "all" || filter.kind === "live") {
    for (const [slug, all] of [...live].sort(([one], [other]) => one.localeCompare(other))) {
      if (filter.which !== "" && slug !== filter.which) continue;
      for (const one of all) {
        const text = words(slug, one);
        if (filter.text !== "" && !filter.text.split(/\s+/).every((word) => text.includes(word))) continue;
        wanted.push(liveRow(slug, one, have.get(`${slug} ${one.id}`)));
      }
    }
  }
  if (wanted.length !== list.childElementCount || wanted.some((one, at) => list.children[at] !== one)) fill(list, ...wanted);
  byId("rows-none").hidden = wanted.length > 0 || byId("rows").childElementCount > 0;
}

function liveRow(slug, one, item) {
  const waits = !one.route;
  const line = `${bytes(one.bytes_up)} up · ${bytes(one.bytes_down)} down · ${duration(one.since_ms)}`;
  if (!item) {
    item = el("li", { "data-key": `${slug} ${one.id}` }, el("div", { class: "row" },
      el("span", { class: "badge" }), el("span", { class: "slug" }, slug), el("span", { class: "what" }, ...target(one)),
      el("span", { class: "how" })));
  }
  item.dataset.is = waits ? "waits" : "live";
  item.querySelector(".badge").textContent = waits ? "waits" : "under way";
  item.querySelector(".how").textContent = line;
  return item;
}
