defmodule Hello.Application do
  use Application

  def start(_type, _arguments) do
    Supervisor.start_link([Hello.Repo, HelloWeb.Endpoint], strategy: :one_for_one)
  end
end
