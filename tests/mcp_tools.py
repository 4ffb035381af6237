"""A small MCP server, for tests: on stdin and stdout, or over HTTP at the port that it is given."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("Orders")


@server.tool()
def where_is(order: str) -> str:
    """Where an order is."""
    return f"Order {order} is in Oslo"


@server.tool(name="orders.cancel")
def cancel(order: str) -> str:
    """Cancel an order."""
    raise ToolError(f"order {order} has left")


@server.tool()
async def count(seconds: float) -> str:
    """Count all orders, which takes a while."""
    await asyncio.sleep(seconds)
    return "seven"


@server.tool()
async def learn(ctx: Context) -> str:
    """Offer one tool more."""
    server.add_tool(lambda: "a box", name="weigh", description="What an order weighs.")
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()
    return "learnt"


@server.tool()
def die() -> str:
    """End at once."""
    os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run()
