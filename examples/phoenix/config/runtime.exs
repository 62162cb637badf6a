import Config

if System.get_env("PHX_SERVER"), do: config(:hello, HelloWeb.Endpoint, server: true)

if config_env() == :prod do
  config :hello, Hello.Repo, url: System.fetch_env!("DATABASE_URL")

  config :hello, HelloWeb.Endpoint,
    url: [host: System.get_env("PHX_HOST"), scheme: "https"],
    http: [ip: {0, 0, 0, 0}, port: String.to_integer(System.get_env("PORT") || "4000")],
    secret_key_base: System.fetch_env!("SECRET_KEY_BASE")
end
