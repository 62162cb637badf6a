import os

from bottle import Bottle, run

site = Bottle()


@site.get("/")
def home() -> str:
    return "Hello from Pipenv\n"


run(site, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
