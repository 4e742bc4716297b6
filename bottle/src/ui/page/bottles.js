// The running bottles: how each stands, and what can be done to it as a whole.
import { byId, el, fill, announce, duration, plural, facts } from "./dom.js";
import { ask, conclude } from "./dialogs.js";
import { order } from "./server.js";

const all = new Map(); // slug → { about, line: live|deaf|ended, refused, findings, card }
let ends = () => {};

export const onEnd = (does) => { ends = does; };
export const about = (slug) => all.get(slug)?.about ?? null;
export const running = () => [...all.values()].filter((bottle) => bottle.line !== "ended");

function bottle(slug) {
  if (!all.has(slug)) {
    all.set(slug, { slug, about: null, line: "deaf", why: "", wrong: "", counts: { passed: 0, refused: 0, findings: 0 } });
  }
  return all.get(slug);
}

// Which bottles there are. Those that are not any more stay, in grey.
export function roster(slugs) {
  for (const slug of slugs) {
    const one = bottle(slug);
    if (one.line === "ended") one.line = "deaf";
  }
  for (const one of all.values()) if (!slugs.includes(one.slug)) end(one);
  draw();
}

export function snapshot(said) {
  const one = bottle(said.bottle);
  const isNew = one.about === null;
  const { seen, petitions, live, say, bottle: slug, ...rest } = said;
  one.about = rest;
  one.line = "live";
  one.wrong = "";
  one.counts = { passed: 0, refused: 0, findings: 0 };
  for (const { event } of seen) count(one, event);
  if (isNew) announce(`Bottle ${one.slug} runs`);
  draw();
}

function count({ counts }, event) {
  if (event.event !== "exchange") return;
  counts[event.decision === "allowed" ? "passed" : "refused"] += 1;
  counts.findings += event.findings?.length ?? 0;
}

export function seen(slug, event) {
  count(bottle(slug), event);
  draw();
}

export function deaf(slug, why) {
  const one = bottle(slug);
  if (one.line === "ended") return;
  one.line = "deaf";
  one.why = why;
  draw();
}

export function locked(slug, on) {
  const one = bottle(slug);
  if (one.about) one.about.locked = on;
  announce(`${slug}: ${on ? "kill switch on, everything is refused" : "kill switch off"}`, on);
  draw();
}

export function policy(slug, hash, changes) {
  const one = bottle(slug);
  if (one.about) one.about.policy = hash;
  one.wrong = "";
  announce(`${slug}: ${plural(changes.length, "change")} of the policy`);
  draw();
}

// A manifest that was changed and is wrong; until another one is in force.
export function complains(slug, what, help) {
  const one = bottle(slug);
  one.wrong = [what, help].filter(Boolean).join(". ");
  announce(`${slug}: ${one.wrong}`, true);
  draw();
}

export function ended(slug) {
  end(bottle(slug));
  draw();
}

function end(one) {
  if (one.line === "ended") return;
  one.line = "ended";
  announce(`Bottle ${one.slug} has ended`);
  ends(one.slug);
}

// Once for all that happens in a moment.
let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; drawNow(); });
}

function drawNow() {
  const list = byId("bottle-list");
  const order = [...all.values()].sort((one, other) =>
    (one.line === "ended") - (other.line === "ended") || one.slug.localeCompare(other.slug));
  for (const one of order) {
    one.card ??= card(one);
    update(one);
  }
  // Cards are moved only when the order has changed: moving one takes the focus away from it.
  const cards = order.map((one) => one.card);
  if (cards.some((one, at) => list.children[at] !== one)) list.replaceChildren(...cards);
  byId("bottles-count").textContent = running().length;
  byId("bottles-none").hidden = all.size > 0;
  byId("lock-all").disabled = running().length === 0;
  options(order);
}

function options(order) {
  const select = byId("which");
  const slugs = order.map((one) => one.slug);
  if ([...select.options].slice(1).map((option) => option.value).join("\n") === slugs.join("\n")) return;
  const chosen = select.value;
  fill(select, el("option", { value: "" }, "all bottles"), ...slugs.map((slug) => el("option", { value: slug }, slug)));
  select.value = slugs.includes(chosen) ? chosen : "";
}

function card(one) {
  const parts = {
    name: el("h3", {}, one.slug),
    mark: el("span", { class: "mark" }),
    command: el("p", { class: "command" }),
    line: el("p", { class: "small" }),
    wrong: el("p", { class: "error", hidden: true }),
    reload: el("button", { type: "button", on: { click: () => askReload(one) } }, "Reload…"),
    lock: el("button", { type: "button", on: { click: () => askLock(one) } }),
    details: el("button", { type: "button", on: { click: () => showDetails(one) } }, "Details"),
  };
  for (const [button, word] of [[parts.reload, "Reload the manifest of"], [parts.details, "Details of"]]) {
    button.setAttribute("aria-label", `${word} ${one.slug}`);
  }
  const shown = el("li", { class: "bottle", "data-bottle": one.slug },
    el("div", { class: "head" }, parts.name, parts.mark), parts.command, parts.line, parts.wrong,
    el("div", { class: "actions" }, parts.details, parts.reload, parts.lock));
  one.parts = parts;
  return shown;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function update(one) {
  const { parts, about, line, counts } = one;
  const isLocked = line === "live" && about?.locked;
  one.card.dataset.is = isLocked ? "locked" : line;
  set(parts.mark, isLocked ? "kill switch on" : { live: "running", deaf: "does not answer", ended: "ended" }[line]);
  set(parts.command, about === null ? one.why : about.command.join(" "));
  const words = about === null ? [] : [
    about.backend, line === "live" ? `up ${duration(Date.now() - Date.parse(about.started))}` : null,
    `${counts.passed} passed`, `${counts.refused} refused`, counts.findings > 0 ? plural(counts.findings, "finding") : null,
  ];
  set(parts.line, words.filter(Boolean).join(" · "));
  set(parts.wrong, one.wrong);
  parts.wrong.hidden = one.wrong === "" || line === "ended";
  set(parts.lock, isLocked ? "Serve again…" : "Kill switch…");
  parts.lock.className = isLocked ? "" : "no";
  parts.lock.setAttribute("aria-label", `${isLocked ? "Serve again" : "Kill switch"}: ${one.slug}`);
  parts.reload.disabled = line !== "live" || about.manifest === null;
  parts.lock.disabled = line === "ended";
  parts.details.disabled = about === null;
}

setInterval(draw, 20_000);

async function showDetails(one) {
  const { about } = one;
  const routes = el("div", {}, el("p", { class: "small" }, one.line === "ended" ? "" : "asking for the routes…"));
  ask({
    title: one.slug, close: "Close", actions: [],
    body: [facts([
      ["started", new Date(about.started).toLocaleString()], ["backend", about.backend], ["name", about.name],
      ["runs", about.command.join(" ")], ["workspace", about.workspace], ["manifest", about.manifest ?? "none"],
      ["policy", about.policy], ["audit", about.audit],
    ]), routes],
  });
  if (one.line === "ended") return;
  try {
    const { routes: known } = await order("/routes", { bottle: one.slug });
    const items = known.map(({ name, shows }) => el("li", {}, el("code", {}, shows), el("span", { class: "small" }, ` ${name}`)));
    fill(routes, el("h3", {}, `Reaches, by its manifest (${known.length})`), el("ul", { class: "plain" }, ...items));
  } catch (failure) {
    fill(routes, el("p", { class: "error" }, failure.message));
  }
}

function askReload(one) {
  const looked = el("input", { type: "checkbox", id: "looked" });
  ask({
    title: `Reload the manifest of ${one.slug}?`,
    body: [
      el("p", {}, el("code", {}, one.about.manifest)),
      el("p", { class: "small" }, "What is wrong in it changes nothing. What it does not allow any more ends at once."),
      el("label", {}, looked, " I have looked at what it says now (needed where the agent could have written it)"),
    ],
    actions: [{ text: "Reload", kind: "yes", does: async () => {
      const { what, changes, warnings } = await order("/reload", { bottle: one.slug, looked: looked.checked });
      announce(what);
      conclude(`${one.slug}: reloaded`, [
        el("p", {}, what),
        warnings.length > 0 ? el("div", { class: "warning", role: "alert" }, el("h3", {}, "Look at this"),
          el("ul", {}, ...warnings.map((line) => el("li", {}, line)))) : null,
        changes.length > 0 ? el("h3", {}, "What changed") : null,
        el("ul", { class: "plain changes" }, ...changes.map((line) => el("li", {}, el("code", {}, line)))),
      ].filter(Boolean));
      return "stay";
    } }],
  });
}

function askLock(one) {
  const on = !(one.line === "live" && one.about?.locked);
  lockDialog(on ? `Refuse everything of ${one.slug}?` : `Let ${one.slug} serve again?`, on, { bottle: one.slug, on });
}

export function askLockAll() {
  const here = running();
  const on = !here.length || here.some((one) => !one.about?.locked);
  lockDialog(on ? `Refuse everything, in ${plural(here.length, "bottle")}?` : "Let all bottles serve again?", on, { on });
}

function lockDialog(title, on, what) {
  const text = on
    ? "Nothing leaves any more, and what is under way is ended at once. The agent goes on running."
    : "Requests are judged by the policy again.";
  ask({
    title,
    body: [el("p", {}, text)],
    actions: [{ text: on ? "Turn it on" : "Serve again", kind: on ? "no" : "yes", does: async () => {
      announce((await order("/lock", what)).what, true);
    } }],
  });
}
