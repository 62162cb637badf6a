//! Regions and frameworks the API names.

/// Placement labels: (id, name). On one machine all of them place here.
pub const REGIONS: [(&str, &str); 8] = [
    ("us-east-1", "US East (N. Virginia)"),
    ("us-west-2", "US West (Oregon)"),
    ("eu-west-1", "EU West (Ireland)"),
    ("eu-central-1", "EU Central (Frankfurt)"),
    ("ap-southeast-1", "Asia Pacific (Singapore)"),
    ("ap-northeast-1", "Asia Pacific (Tokyo)"),
    ("sa-east-1", "South America (São Paulo)"),
    ("local", "This server"),
];

/// Framework ids.
pub const FRAMEWORKS: [&str; 26] = [
    "nodejs",
    "nextjs",
    "nuxt",
    "remix",
    "astro",
    "sveltekit",
    "vite",
    "bun",
    "deno",
    "python",
    "django",
    "flask",
    "fastapi",
    "go",
    "rust",
    "ruby",
    "rails",
    "php",
    "laravel",
    "java",
    "spring",
    "dotnet",
    "elixir",
    "phoenix",
    "static",
    "dockerfile",
];

/// Whether a region exists.
pub fn is_region(id: &str) -> bool {
    REGIONS.iter().any(|(region, _)| *region == id)
}

/// Whether a framework exists.
pub fn is_framework(id: &str) -> bool {
    FRAMEWORKS.contains(&id)
}
