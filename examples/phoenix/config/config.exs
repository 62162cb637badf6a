import Config

config :hello, ecto_repos: [Hello.Repo]
config :hello, HelloWeb.Endpoint, adapter: Bandit.PhoenixAdapter
config :esbuild, version: "0.17.11"
