// The beginning: a session, then everything that happens, handed to the parts of the page.
import { byId, announce } from "./dom.js";
import { useLink, hasSession, listen } from "./server.js";
import * as bottles from "./bottles.js";
import * as petitions from "./petitions.js";
import * as activity from "./activity.js";
import { bindKeys } from "./keys.js";

const STATES = {
  live: ["live", "live"],
  lost: ["connecting again…", "lost"],
  closed: ["no session", "over"],
  ended: ["ended", "over"],
};

const BANNERS = {
  closed: "This page has no session (any more). Open it with a new link: press Enter where `bottle ui` runs.",
  ended: "`bottle ui` has ended. What is shown is how it stood then, and nobody can be answered from here.",
  lost: "No connection to `bottle ui`. What is shown is how it stood then.",
};

let lostFor = null;

function state(now) {
  const [text, mark] = STATES[now];
  const shown = byId("state");
  if (shown.textContent !== text) shown.textContent = text;
  shown.dataset.is = mark;
  document.body.dataset.line = mark;
  clearTimeout(lostFor);
  // A moment without a line is no matter.
  if (now === "lost") lostFor = setTimeout(() => banner(BANNERS.lost), 3000);
  else banner(BANNERS[now] ?? null);
}

function banner(text) {
  const shown = byId("banner");
  if (text !== null) shown.textContent = text;
  shown.hidden = text === null;
}

function hear(said) {
  switch (said.say) {
    case "roster": bottles.roster(said.bottles); break;
    case "blind": banner(`Bottles cannot be looked for: ${said.what}`); break;
    case "deaf": bottles.deaf(said.bottle, said.what); break;
    case "snapshot":
      bottles.snapshot(said);
      petitions.snapshot(said.bottle, said.petitions);
      activity.record(said.bottle, said.seen);
      activity.running(said.bottle, said.live);
      break;
    case "seen":
      activity.record(said.bottle, [said]);
      bottles.seen(said.bottle, said.event);
      break;
    case "running": activity.running(said.bottle, said.live); break;
    case "petition": petitions.petition(said.bottle, said.petition); break;
    case "locked": bottles.locked(said.bottle, said.on); break;
    case "policy": bottles.policy(said.bottle, said.hash, said.changes); break;
    case "failed": bottles.complains(said.bottle, said.what, said.help); break;
    case "ended": bottles.ended(said.bottle); break;
    default: break;
  }
}

// The number of what waits stands in the tab's title, too.
function count(open) {
  document.title = open === 0 ? "bottle" : `(${open}) bottle`;
}

async function start() {
  bindKeys();
  bottles.onEnd((slug) => {
    petitions.ended(slug);
    activity.running(slug, []);
  });
  petitions.onCount(count);
  activity.start();
  const wrong = await useLink().catch(() => "`bottle ui` does not answer");
  if (!hasSession()) {
    state("closed");
    if (wrong !== null) banner(`No session: ${wrong}.`);
    return;
  }
  if (wrong !== null) announce(wrong, true);
  await listen(hear, state);
}

// Another link in the same tab.
addEventListener("hashchange", () => { if (location.hash.startsWith("#token=")) location.reload(); });
start();
