from flask import Flask


def create_app(name: str = "poetry") -> Flask:
    app = Flask(__name__)

    @app.get("/")
    def home() -> str:
        return f"Hello from {name}\n"

    return app
