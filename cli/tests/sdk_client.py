"""A client made with the official SDK, of either era: sdk_client.py http URL KEY [MODE] | stdio COMMAND ARGUMENT...

Prints what it found as JSON.
"""

import asyncio
import json
import sys

try:
    import httpx2
    from mcp import Client, StdioServerParameters
    from mcp.client.streamable_http import streamable_http_client

    ERA = 2
except ImportError:
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamablehttp_client

    ERA = 1


async def use(client):
    tools = (await client.list_tools()).tools

    async def call(name, arguments):
        result = await client.call_tool(name, arguments)
        failed = result.is_error if ERA == 2 else result.isError
        text = result.content[0].text
        return {"error": text} if failed else json.loads(text)

    said = await call("send_message", {"text": "Hello from the SDK", "peer": "sdk", "key": "once", "wait": 20})
    again = await call("send_message", {"text": "Hello from the SDK", "peer": "sdk", "key": "once", "wait": 20})
    listed = await call("sessions_list", {})
    history = await call("session_history", {"session": said["session"]})
    resources = (await client.list_resources()).resources
    uri = next(resource.uri for resource in resources if str(resource.uri).endswith("/memory/2026-03-04.md"))
    note = await client.read_resource(uri)
    return {
        "tools": [tool.name for tool in tools],
        "reply": said["reply"],
        "same": said["event"] == again["event"],
        "sessions": len(listed["sessions"]),
        "entries": [line["text"] for entry in history["entries"] for line in entry["said"] if line["who"] == "user"],
        "found": [hit["path"] for hit in (await call("memory_search", {"query": "crab"}))["hits"]],
        "note": (await call("memory_get", {"path": "memory/2026-03-04.md"}))["text"],
        "missing": await call("memory_get", {"path": "memory/none.md"}),
        "resource": [str(uri), note.contents[0].text],
    }


async def main():
    kind, rest = sys.argv[1], sys.argv[2:]
    if kind == "stdio":
        server = StdioServerParameters(command=rest[0], args=rest[1:])
        if ERA == 2:
            async with Client(server) as client:
                return await use(client)
        async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            return await use(session)
    url, key = rest[:2]
    headers = {"authorization": f"Bearer {key}"}
    if ERA == 2:
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            async with Client(streamable_http_client(url, http_client=http), mode=rest[2]) as client:
                return await use(client)
    async with streamablehttp_client(url, headers=headers) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        return await use(session)


print(json.dumps(asyncio.run(main())))
