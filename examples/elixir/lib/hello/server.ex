defmodule Hello.Server do
  @moduledoc "Answers every request with a greeting, a process for each."

  use Task, restart: :permanent

  def start_link(port), do: Task.start_link(__MODULE__, :listen, [port])

  def listen(port) do
    {:ok, socket} = :gen_tcp.listen(port, [:binary, packet: :http_bin, active: false, reuseaddr: true, ip: {0, 0, 0, 0}])
    IO.puts("listening on #{port}")
    accept(socket)
  end

  defp accept(socket) do
    {:ok, client} = :gen_tcp.accept(socket)
    {:ok, pid} = Task.start(fn -> answer(client) end)
    :gen_tcp.controlling_process(client, pid)
    accept(socket)
  end

  # The request line and the headers are read to their end; there is one answer to all of them.
  defp answer(client) do
    case :gen_tcp.recv(client, 0, 10_000) do
      {:ok, :http_eoh} ->
        page = "<!doctype html><title>Elixir</title><h1>Hello from Elixir</h1>\n"

        :gen_tcp.send(client, [
          "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n",
          "content-length: #{byte_size(page)}\r\n\r\n",
          page
        ])

        :gen_tcp.close(client)

      {:ok, _line} ->
        answer(client)

      {:error, _reason} ->
        :gen_tcp.close(client)
    end
  end
end
