"""A scripted model on a loopback port, for demos and tests without a key or a network."""

from runcycles.testing.model_server.clock import Clock
from runcycles.testing.model_server.connections import Limits
from runcycles.testing.model_server.faults import Fault, FaultKind
from runcycles.testing.model_server.meter import FLAT, PRICES, TOKENS, Call, Price, RunMeter
from runcycles.testing.model_server.requests import Message, ModelRequest, ToolCall, count_tokens
from runcycles.testing.model_server.scripts import RefineLoop, Replies, Reply, Script, ScriptError
from runcycles.testing.model_server.server import ModelServer

__all__ = [
    "Call",
    "Clock",
    "FLAT",
    "Fault",
    "FaultKind",
    "Limits",
    "Message",
    "ModelRequest",
    "ModelServer",
    "PRICES",
    "Price",
    "RefineLoop",
    "Replies",
    "Reply",
    "RunMeter",
    "Script",
    "ScriptError",
    "TOKENS",
    "ToolCall",
    "count_tokens",
]
