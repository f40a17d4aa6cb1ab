"""A desk, made with the official SDK: mcp_desk.py FOLDER. What it says of its notes stands in a file there."""

import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.types import ToolAnnotations

folder = Path(sys.argv[1])
server = MCPServer("desk")


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def lookup(word: str) -> str:
    """Looks a word up in a lexicon."""
    return f"A {word} walks sideways."


@server.tool(description=(folder / "description").read_text())
def note(text: str) -> str:
    with open(folder / "notes", "a") as notes:
        notes.write(f"{text}\n")
    return "It stands in the book."


server.run("stdio")
