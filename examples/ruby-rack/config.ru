# A page that greets.
run lambda { |_environment|
  page = "<!doctype html><title>Ruby</title><h1>Hello from Ruby</h1>\n"
  [200, { "content-type" => "text/html; charset=utf-8" }, [page]]
}
