"""The official Python SDK's client on the bottle's tools: `mcp_client.py URL`, or `mcp_client.py PROGRAM ARGUMENT...`.

Lists the tools and calls each of them; what they answer is printed for the test to look at.
"""
import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


async def call(session, name, **arguments):
    result = await session.call_tool(name, arguments)
    value = result.model_dump(by_alias=True, mode="json")
    text = " ".join(block["text"] for block in value["content"])
    print(f"{name}: error={bool(value.get('isError'))} {text}")
    print(f"{name} structured: {json.dumps(value['structuredContent'], separators=(',', ':'))}")
    return value["structuredContent"]


async def talk(read, write):
    async with ClientSession(read, write) as session:
        welcome = (await session.initialize()).model_dump(by_alias=True, mode="json")
        print("protocol:", welcome["protocolVersion"], "server:", welcome["serverInfo"]["name"])
        tools = (await session.list_tools()).model_dump(by_alias=True, mode="json")["tools"]
        print("tools:", " ".join(sorted(tool["name"] for tool in tools)))
        print("read only:", " ".join(sorted(t["name"] for t in tools if t["annotations"]["readOnlyHint"])))
        await call(session, "list-egress-routes")
        await call(session, "explain-request", method="GET", url="https://refused.test/x")
        asked = await call(session, "egress-block", url="https://refused.test/x", why="the test needs it")
        await call(session, "egress-request-status", id=asked.get("id", "none"), wait_seconds=1)
        await call(session, "explain-request", method="GET")
        try:
            result = await session.call_tool("allow-everything", {})
            print("unknown tool: error", result)
        except Exception as error:
            print("unknown tool:", error)


async def main():
    if sys.argv[1].startswith("http"):
        async with streamable_http_client(sys.argv[1]) as streams:
            await talk(streams[0], streams[1])
    else:
        import os

        server = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
        async with stdio_client(server) as (read, write):
            await talk(read, write)


asyncio.run(main())
