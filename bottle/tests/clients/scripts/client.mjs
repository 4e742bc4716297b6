// client.mjs LIBRARY URL...: asks each URL by this library and prints status and body, whatever the status.
const [library, ...urls] = process.argv.slice(2);
const show = (status, text) => console.log(status, text.trim());

const by = {
  async fetch(url) {
    const answer = await fetch(url);
    show(answer.status, await answer.text());
  },
  async https(url) {
    const https = await import("node:https");
    await new Promise((resolve, reject) => {
      https.get(url, (answer) => {
        let text = "";
        answer.on("data", (piece) => (text += piece)).on("end", () => resolve(show(answer.statusCode, text)));
      }).on("error", reject);
    });
  },
  async undici(url) {
    const { request } = await import("undici");
    const answer = await request(url);
    show(answer.statusCode, await answer.body.text());
  },
  async http2(url) {
    const http2 = await import("node:http2");
    const { origin, pathname, search } = new URL(url);
    const session = http2.connect(origin);
    await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ":path": pathname + search });
      let status, text = "";
      stream.on("response", (headers) => (status = headers[":status"]));
      stream.on("data", (piece) => (text += piece)).on("end", () => resolve(show(status, text))).on("error", reject);
      stream.end();
    });
    session.close();
  },
  async ws(url) {
    const { WebSocket } = await import("ws");
    await new Promise((resolve) => {
      const socket = new WebSocket(url.replace("https:", "wss:"));
      socket.on("open", () => socket.send("hello over websocket"));
      socket.on("message", (message) => { show(101, String(message)); socket.close(); });
      socket.on("unexpected-response", (_, answer) => {
        let text = "";
        answer.on("data", (piece) => (text += piece)).on("end", () => resolve(show(answer.statusCode, text)));
      });
      socket.on("error", (error) => { console.log(error.message); resolve(); });
      socket.on("close", resolve);
    });
  },
};

for (const url of urls) await by[library](url);
