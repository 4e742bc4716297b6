// The official TypeScript SDK's client on the bottle's tools: `mcp_client.mjs NODE_MODULES URL`, or
// `mcp_client.mjs NODE_MODULES PROGRAM ARGUMENT...`. Says the same lines as mcp_client.py.
const [modules, first, ...rest] = process.argv.slice(2);
const sdk = (part) => import(`${modules}/@modelcontextprotocol/sdk/dist/esm/client/${part}.js`);
const { Client } = await sdk("index");

let transport;
if (first.startsWith("http")) {
  const { StreamableHTTPClientTransport } = await sdk("streamableHttp");
  transport = new StreamableHTTPClientTransport(new URL(first));
} else {
  const { StdioClientTransport } = await sdk("stdio");
  transport = new StdioClientTransport({ command: first, args: rest, env: { ...process.env } });
}

const client = new Client({ name: "test", version: "1" });
await client.connect(transport);
console.log("protocol:", transport.protocolVersion ?? "-", "server:", client.getServerVersion().name);
const { tools } = await client.listTools();
const names = (list) => list.map((tool) => tool.name).sort().join(" ");
console.log("tools:", names(tools));
console.log("read only:", names(tools.filter((tool) => tool.annotations.readOnlyHint)));

async function call(name, args = {}) {
  const result = await client.callTool({ name, arguments: args });
  const text = result.content.map((block) => block.text).join(" ");
  console.log(`${name}: error=${result.isError === true ? "True" : "False"} ${text}`);
  console.log(`${name} structured: ${JSON.stringify(result.structuredContent)}`);
  return result.structuredContent;
}

await call("list-egress-routes");
await call("explain-request", { method: "GET", url: "https://refused.test/x" });
const asked = await call("egress-block", { url: "https://refused.test/x", why: "the test needs it" });
await call("egress-request-status", { id: asked.id ?? "none", wait_seconds: 1 });
await call("explain-request", { method: "GET" });
try {
  console.log("unknown tool: error", JSON.stringify(await client.callTool({ name: "allow-everything", arguments: {} })));
} catch (error) {
  console.log("unknown tool:", error.message);
}
await client.close();
