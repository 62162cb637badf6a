from fastapi import FastAPI, Request

api = FastAPI(title="Hello")


@api.get("/")
def home(request: Request) -> dict[str, str]:
    return {"hello": "FastAPI", "scheme": request.url.scheme}
