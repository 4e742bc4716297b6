// The way to `bottle ui`: a session from the link, orders, and the stream of what happens.
//
// The session is kept for this tab alone. It is no cookie: those go to every port of this machine.

const KEPT = "bottle-session";
const SILENCE = 25_000; // the stream says something every 10 s

let session = sessionStorage.getItem(KEPT);

export const hasSession = () => session !== null;

// Uses up the link, if this page was opened with one. A sentence when that came to nothing.
export async function useLink() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return null;
  history.replaceState(null, "", "/");
  const answer = await fetch("/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  const said = await answer.json();
  if (!answer.ok) return said.what;
  session = said.session;
  sessionStorage.setItem(KEPT, session);
  return null;
}

export class Failed extends Error {
  constructor(said, status) {
    super(said.what ?? "something went wrong");
    this.help = said.help ?? "";
    this.late = said.late === true;
    this.status = status;
  }
}

// An order; what came of it, or Failed.
export async function order(path, what) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${session}` },
      body: JSON.stringify(what),
    });
  } catch {
    throw new Failed({ what: "`bottle ui` does not answer", help: "nothing is known of what became of this" }, 0);
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Failed(said, answer.status);
  return said;
}

// Hears everything until there is nothing more to hear. `state` is told how the line stands.
export async function listen(hear, state) {
  let wait = 500;
  for (;;) {
    const ended = await once(hear, () => { wait = 500; state("live"); });
    if (ended) return state(ended);
    state("lost");
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, 5000);
  }
}

async function once(hear, connected) {
  const stop = new AbortController();
  let quiet = setTimeout(() => stop.abort(), SILENCE);
  try {
    const answer = await fetch("/events", {
      headers: { Authorization: `Bearer ${session}` }, cache: "no-store", signal: stop.signal,
    });
    if (answer.status === 401) {
      sessionStorage.removeItem(KEPT);
      session = null;
      return "closed";
    }
    if (!answer.ok) return false;
    connected();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      clearTimeout(quiet);
      quiet = setTimeout(() => stop.abort(), SILENCE);
      const messages = (rest + value).split("\n\n");
      rest = messages.pop();
      for (const message of messages) {
        if (!message.startsWith("data: ")) continue;
        const said = JSON.parse(message.slice(6));
        if (said.say === "farewell") return "ended";
        hear(said);
      }
    }
  } catch {
    return false;
  } finally {
    clearTimeout(quiet);
    stop.abort();
  }
}
