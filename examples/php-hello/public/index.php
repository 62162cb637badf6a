<?php

declare(strict_types=1);

require __DIR__ . '/../vendor/autoload.php';

// Every path without a file of its own comes here.
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path !== '/') {
    http_response_code(404);
}
echo Hello\Page::html($path === '/' ? 'Hello from PHP' : 'Nothing here');
