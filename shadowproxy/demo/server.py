"""One model behind the Open Inference Protocol v2.

    python -m shadowproxy.demo.server --model FILE --version V [--broken]

    POST /v2/models/digits[/versions/V]/infer      an answer, after the service time
    GET  /v2/models/digits[/versions/V][/ready]    metadata; ready
    GET  /v2  /v2/health/live  /v2/health/ready    the server's metadata; alive; ready

It prints `ready PORT` once it listens on loopback, and ends on SIGTERM, on SIGINT and, with `--until-stdin-ends`, when
the process that holds the other end of its stdin has gone, however that went.

The service time stands for the work of a larger model: an answer leaves no earlier than 8 ms after its request arrived
plus 1 ms on average (exponential), both times `--slower`. The model's own 0.1 ms of work lies within.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import joblib  # type: ignore[import-untyped]
import orjson
import uvloop
from aiohttp import web

import shadowproxy
from shadowproxy.demo.open_inference import MODEL, BadRequestError, answer, model_metadata, parse
from shadowproxy.demo.predictor import Broken, Predictor

HOST: Final = "127.0.0.1"
FLOOR_S: Final = 0.008
MEAN_EXTRA_S: Final = 0.001

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ModelServer:
    def __init__(self, predict: Predictor, version: str, chance: random.Random, slower: float = 1.0) -> None:
        self._predict = predict
        self._version = version
        self._chance = chance
        self._slower = slower

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_errors_as_json])
        app.router.add_get("/v2", self.server)
        app.router.add_get("/v2/health/{state:live|ready}", self.health)
        for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            app.router.add_get(model, self.metadata)
            app.router.add_get(f"{model}/ready", self.ready)
            app.router.add_post(f"{model}/infer", self.infer)
        return app

    async def infer(self, request: web.Request) -> web.Response:
        due_s = time.perf_counter() + self._service_time_s()
        self._check(request)
        body = answer(parse(await request.read()), self._predict, self._version)
        await asyncio.sleep(due_s - time.perf_counter())
        return web.Response(body=body, content_type="application/json")

    async def server(self, request: web.Request) -> web.Response:
        return _json({"name": "shadowproxy-demo", "version": shadowproxy.__version__, "extensions": []})

    async def health(self, request: web.Request) -> web.Response:
        return _json({request.match_info["state"]: True})

    async def metadata(self, request: web.Request) -> web.Response:
        self._check(request)
        return _json(model_metadata(self._version))

    async def ready(self, request: web.Request) -> web.Response:
        self._check(request)
        return _json({"name": MODEL, "ready": True})

    def _service_time_s(self) -> float:
        return self._slower * (FLOOR_S + self._chance.expovariate(1 / MEAN_EXTRA_S))

    def _check(self, request: web.Request) -> None:
        model, version = request.match_info["model"], request.match_info.get("version", self._version)
        if model != MODEL:
            raise web.HTTPNotFound(text=f"no model {model!r} here; this server has {MODEL!r}")
        if version != self._version:
            raise web.HTTPNotFound(text=f"{MODEL!r} has no version {version!r} here; this server has {self._version!r}")


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The protocol's form of an error: `{"error": sentence}`."""
    try:
        return await handler(request)
    except BadRequestError as e:
        return _json({"error": str(e)}, 400)
    except web.HTTPException as e:
        return _json({"error": e.text or e.reason}, e.status)


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


async def serve(app: web.Application, port: int, until_stdin_ends: bool) -> None:
    """Serve until told to end. Raises OSError when the port is taken."""
    told_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_end.set)
    if until_stdin_ends:
        await loop.connect_read_pipe(lambda: _Lifeline(told_to_end), sys.stdin)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75.0, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        print(f"ready {runner.addresses[0][1]}", flush=True)
        await told_to_end.wait()
    finally:
        await runner.cleanup()


class _Lifeline(asyncio.Protocol):
    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m shadowproxy.demo.server")
    parser.add_argument("--model", required=True, help="a predictor that shadowproxy.demo.training wrote")
    parser.add_argument("--version", required=True)
    parser.add_argument("--broken", action="store_true", help="give a logistic regression its faults")
    parser.add_argument("--slower", type=float, default=1.0, help="factor on the service time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--until-stdin-ends", action="store_true")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    model = joblib.load(given.model)
    predict: Predictor = Broken(model, chance) if given.broken else model
    app = ModelServer(predict, given.version, chance, given.slower).application()
    uvloop.run(serve(app, given.port, given.until_stdin_ends))


if __name__ == "__main__":
    main()
