# shellcheck shell=bash disable=SC2034,SC2154
# Ruby, Bundler, Rack and Puma from Debian. Read by base-images.sh, which gives it unpack_debian, install_debian,
# import, say, die, need and $work.
#
# No gem server is asked: the gems of examples/ruby-rack are there as packages. Rack alone gets new versions within a
# release of Debian; it is given the number of the example's lock file.

ruby_tags=(ruby:3.1-bookworm ruby:3.1-slim-bookworm)

make_ruby() {
  local root=$work/ruby wanted specification
  unpack_debian "$root"
  say 'installing Ruby, Bundler, Rack and Puma (Debian)'
  install_debian "$root" ruby ruby-bundler ruby-rack puma
  wanted=$(sed -n 's/^    rack (\(.*\))$/\1/p' "$DEFINITIONS/../../examples/ruby-rack/Gemfile.lock")
  specification=$(find "$root/usr/share/rubygems-integration" -name 'rack-[0-9]*.gemspec')
  sed -i "s/^# stub: rack [^ ]*/# stub: rack $wanted/; s/^\( *s.version = \).*/\1\"$wanted\"/" "$specification"
  mv -n "$specification" "${specification%/*}/rack-$wanted.gemspec"
  mkdir -p "$root/usr/local/bundle"
  chmod 1777 "$root/usr/local/bundle"
  import "$root" 'ENV PATH=/usr/local/bundle/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'ENV LANG=C.UTF-8 GEM_HOME=/usr/local/bundle BUNDLE_SILENCE_ROOT_WARNING=1 BUNDLE_APP_CONFIG=/usr/local/bundle' \
    'CMD ["irb"]' -- "$@"
  rm -rf --one-file-system "$root"
}
