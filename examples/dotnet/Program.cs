var app = WebApplication.CreateBuilder(args).Build();
app.MapGet("/", () => Results.Content("<!doctype html><title>.NET</title><h1>Hello from .NET</h1>\n", "text/html"));
app.Run();
