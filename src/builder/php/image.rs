//! The stage of a PHP image that both the build and the finished image stand on: extensions and Apache's settings.

use crate::builder::Project;
use crate::builder::image::{Image, Step};

/// The image's own way to start Apache.
pub(super) const START: &str = "apache2-foreground";

/// Extensions the image has, under any name that `composer.json` knows.
const INCLUDED: &[&str] = &[
    "core",
    "ctype",
    "curl",
    "date",
    "dom",
    "fileinfo",
    "filter",
    "ftp",
    "hash",
    "iconv",
    "json",
    "libxml",
    "mbstring",
    "mysqlnd",
    "openssl",
    "pcre",
    "pdo",
    "pdo_sqlite",
    "phar",
    "posix",
    "random",
    "readline",
    "reflection",
    "session",
    "simplexml",
    "sodium",
    "spl",
    "sqlite3",
    "standard",
    "tokenizer",
    "xml",
    "xmlreader",
    "xmlwriter",
    "zlib",
];

/// Extensions made from PHP's own sources, and the packages that takes.
const BUNDLED: &[(&str, &[&str])] = &[
    ("bcmath", &[]),
    ("bz2", &["libbz2-dev"]),
    ("calendar", &[]),
    ("exif", &[]),
    ("ffi", &["libffi-dev"]),
    ("gd", &["libfreetype6-dev", "libjpeg62-turbo-dev", "libpng-dev", "libwebp-dev"]),
    ("gettext", &[]),
    ("gmp", &["libgmp-dev"]),
    ("intl", &["libicu-dev"]),
    ("ldap", &["libldap2-dev"]),
    ("mysqli", &[]),
    ("opcache", &[]),
    ("pcntl", &[]),
    ("pdo_mysql", &[]),
    ("pdo_pgsql", &["libpq-dev"]),
    ("pgsql", &["libpq-dev"]),
    ("shmop", &[]),
    ("soap", &["libxml2-dev"]),
    ("sockets", &[]),
    ("sysvmsg", &[]),
    ("sysvsem", &[]),
    ("sysvshm", &[]),
    ("tidy", &["libtidy-dev"]),
    ("xsl", &["libxslt1-dev"]),
    ("zip", &["libzip-dev"]),
];

/// Extensions from PHP's extension registry.
const PECL: &[(&str, &[&str])] = &[
    ("amqp", &["librabbitmq-dev"]),
    ("apcu", &[]),
    ("ds", &[]),
    ("igbinary", &[]),
    ("imagick", &["libmagickwand-dev"]),
    ("memcached", &["libmemcached-dev", "libssl-dev", "zlib1g-dev"]),
    ("mongodb", &["libssl-dev"]),
    ("msgpack", &[]),
    ("redis", &[]),
    ("uuid", &["uuid-dev"]),
    ("yaml", &["libyaml-dev"]),
];

/// What the stage is written from.
pub(super) struct PhpImage<'a> {
    version: &'a str,
    bundled: Vec<&'static str>,
    pecl: Vec<&'static str>,
    packages: Vec<&'static str>,
    root: &'static str,
    /// Whether paths without a file go to `index.php`.
    front_controller: bool,
}

impl<'a> PhpImage<'a> {
    /// Sorts the extensions; one that is not known is warned about.
    pub fn new(
        version: &'a str,
        extensions: &[String],
        root: &'static str,
        project: &Project<'_>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let (mut bundled, mut pecl, mut packages) = (Vec::new(), Vec::new(), Vec::new());
        let mut unknown: Vec<String> = Vec::new();
        for name in extensions.iter().map(|name| name.replace("zend-opcache", "opcache")) {
            let find = |list: &[(&'static str, &'static [&'static str])]| {
                list.iter().copied().find(|(known, _)| *known == name)
            };
            // Part of PHP itself since then.
            let included = name == "opcache" && version == "8.5";
            if INCLUDED.contains(&name.as_str()) || included {
                continue;
            }
            if let Some((name, needs)) = find(BUNDLED) {
                bundled.push(name);
                packages.extend(needs);
            } else if let Some((name, needs)) = find(PECL) {
                pecl.push(name);
                packages.extend(needs);
            } else {
                unknown.push(name.chars().filter(|c| !c.is_control()).take(40).collect());
            }
        }
        for list in [&mut bundled, &mut pecl, &mut packages] {
            list.sort_unstable();
            list.dedup();
        }
        unknown.sort_unstable();
        unknown.dedup();
        for name in unknown.iter().take(10) {
            warnings.push(format!(
                "The extension `ext-{name}` is not known and not installed. Add a `Dockerfile` if the application needs it."
            ));
        }
        let htaccess =
            if root.is_empty() { ".htaccess".into() } else { format!("{root}/.htaccess") };
        let front_controller = !root.is_empty() && !project.has_path(&htaccess);
        Self { version, bundled, pecl, packages, root, front_controller }
    }

    /// The stage `runtime`.
    pub fn runtime_stage(&self, image: &mut Image, environment: Option<&str>) {
        image.from(&format!("php:{}-apache-bookworm", self.version), Some("runtime"));
        image.packages(&self.packages);
        let mut commands = Vec::new();
        if self.bundled.contains(&"gd") {
            commands.push(
                "docker-php-ext-configure gd --with-freetype --with-jpeg --with-webp".to_owned(),
            );
        }
        if !self.bundled.is_empty() {
            commands.push(format!("docker-php-ext-install -j2 {}", self.bundled.join(" ")));
        }
        if !self.pecl.is_empty() {
            let names = self.pecl.join(" ");
            commands.push(format!("pecl install {names} && docker-php-ext-enable {names}"));
        }
        if !commands.is_empty() {
            image.run(&Step { command: &commands.join(" && "), ..Step::default() });
        }
        let settings: Vec<String> = self.apache().iter().map(|line| format!("'{line}'")).collect();
        let configure = format!(
            "printf '%s\\n' {} > /etc/apache2/ports.conf && a2dissite -q 000-default && a2enmod -q rewrite headers && \
             cp \"$PHP_INI_DIR/php.ini-production\" \"$PHP_INI_DIR/php.ini\"",
            settings.join(" ")
        );
        image
            .line("WORKDIR /app")
            .run(&Step { command: &configure, ..Step::default() })
            .run(&Step { command: "chown www-data:www-data /app", ..Step::default() })
            .line(format!(
                "ENV PORT=8080{}",
                environment.map_or(String::new(), |more| format!(" {more}"))
            ))
            .line("EXPOSE 8080")
            .line("STOPSIGNAL SIGWINCH");
    }

    /// The server's settings. Apache itself puts the port in. What only the application reads is never given out, and
    /// files are told apart by their content: those of a commit all carry its time.
    fn apache(&self) -> Vec<String> {
        let root =
            if self.root.is_empty() { "/app".to_owned() } else { format!("/app/{}", self.root) };
        let mut lines = vec![
            "Listen ${PORT}".to_owned(),
            "ServerName localhost".into(),
            "ServerTokens Prod".into(),
            "FileETag Digest".into(),
            "<VirtualHost *:${PORT}>".into(),
            format!("DocumentRoot {root}"),
            format!("<Directory {root}>"),
            "Options FollowSymLinks".into(),
            "AllowOverride All".into(),
            "Require all granted".into(),
            "DirectoryIndex index.php index.html".into(),
        ];
        if self.front_controller {
            lines.push("FallbackResource /index.php".into());
        }
        lines.extend([
            "</Directory>".to_owned(),
            "<LocationMatch \"/\\.(?!well-known/)\">".into(),
            "Require all denied".into(),
            "</LocationMatch>".into(),
            "<LocationMatch \"^/(vendor/.*\\.php|composer\\.(json|lock)|auth\\.json)$\">".into(),
            "Require all denied".into(),
            "</LocationMatch>".into(),
            // After a step back to an older commit the times are older, and copies of the newer one would count as new.
            "Header unset Last-Modified".into(),
            "</VirtualHost>".into(),
        ]);
        lines
    }
}
