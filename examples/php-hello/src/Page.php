<?php

declare(strict_types=1);

namespace Hello;

final class Page
{
    public static function html(string $title): string
    {
        $title = htmlspecialchars(mb_strimwidth($title, 0, 80));
        return "<!doctype html><title>PHP</title><link rel=stylesheet href=/style.css><h1>$title</h1>\n";
    }
}
