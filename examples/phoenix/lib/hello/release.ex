defmodule Hello.Release do
  @moduledoc "What is run in a release, where there is no Mix."

  def migrate do
    Application.load(:hello)
    {:ok, _, _} = Ecto.Migrator.with_repo(Hello.Repo, &Ecto.Migrator.run(&1, :up, all: true))
  end
end
