<!doctype html>
<title>Laravel</title>
@vite('resources/js/app.js')
<h1>Hello from Laravel</h1>
