defmodule Hello.Application do
  use Application

  def start(_type, _arguments) do
    port = String.to_integer(System.get_env("PORT") || "4000")
    Supervisor.start_link([{Hello.Server, port}], strategy: :one_for_one)
  end
end
