from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Hello from uv, over {request.url.scheme}\n")


application = Starlette(routes=[Route("/", home)])
