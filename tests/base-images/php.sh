# shellcheck shell=bash disable=SC2034,SC2154
# PHP with Apache, and Composer, from Debian. Read by base-images.sh, which gives it unpack_debian, install_debian,
# import, say, die, need and $work.

php_tags=(php:8.2-apache-bookworm)

make_php() {
  local root=$work/php
  unpack_debian "$root"
  say 'installing PHP, Apache and Composer (Debian)'
  install_debian "$root" apache2 libapache2-mod-php8.2 php8.2-cli php8.2-mbstring php8.2-xml php8.2-curl php8.2-bcmath \
    php8.2-mysql php8.2-sqlite3 composer
  chroot "$root" a2dismod -q -f mpm_event >/dev/null 2>&1 || true
  chroot "$root" a2enmod -q mpm_prefork php8.2 >/dev/null
  # As the official image: the variables can be given from outside, logs go to the container's output, and every user
  # may run the server.
  sed -ri 's/^export ([^=]+)=(.*)$/: ${\1:=\2}\nexport \1/' "$root/etc/apache2/envvars"
  ln -sfT /dev/stderr "$root/var/log/apache2/error.log"
  ln -sfT /dev/stdout "$root/var/log/apache2/access.log"
  ln -sfT /dev/stdout "$root/var/log/apache2/other_vhosts_access.log"
  cp "$root/usr/lib/php/8.2/php.ini-production" "$root/etc/php/8.2/"
  chroot "$root" chown -R --no-dereference www-data:www-data /var/log/apache2
  mkdir -p "$root/var/run/apache2" "$root/var/lock/apache2" "$root/usr/local/bin"
  chmod 1777 "$root/run/apache2" "$root/run/lock/apache2"
  cat >"$root/usr/local/bin/apache2-foreground" <<'SCRIPT'
#!/bin/sh
set -e
. /etc/apache2/envvars
rm -f "$APACHE_PID_FILE"
exec apache2 -DFOREGROUND "$@"
SCRIPT
  # Extensions are packages here; one that is not installed cannot be had.
  cat >"$root/usr/local/bin/docker-php-ext-install" <<'SCRIPT'
#!/bin/sh
for name; do
  case $name in -*) continue ;; esac
  php -m | grep -qi -e "$name" || { echo "$name is not in this stand-in" >&2; exit 1; }
done
SCRIPT
  chmod 0755 "$root"/usr/local/bin/*
  import "$root" 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'ENV APACHE_CONFDIR=/etc/apache2 APACHE_ENVVARS=/etc/apache2/envvars PHP_INI_DIR=/etc/php/8.2' \
    'WORKDIR /var/www/html' 'CMD ["apache2-foreground"]' -- "$@" composer:2
  rm -rf --one-file-system "$root"
}
