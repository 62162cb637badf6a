defmodule HelloWeb.Endpoint do
  use Phoenix.Endpoint, otp_app: :hello

  plug :hello

  def hello(conn, _options) do
    Phoenix.Controller.html(conn, "<!doctype html><title>Phoenix</title><h1>Hello from Phoenix</h1>")
  end
end
