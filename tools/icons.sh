#!/bin/sh
# Draws static/icons.svg from the icons of lucide-static (ISC licence). Needs npm; run only when the list changes.
#   sh tools/icons.sh
set -eu
cd "$(dirname "$0")/.."
icons="arrow-down-to-line ban check chevron-down circle-check circle-dot circle-pause circle-x copy download
external-link eye file-text git-branch git-commit-horizontal globe key-round lock log-out moon plus refresh-cw
square trash-2 triangle-alert undo-2 x"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
(cd "$work" && npm pack --silent lucide-static@1.62.0 >/dev/null && tar xzf lucide-static-*.tgz)
{
  echo '<svg xmlns="http://www.w3.org/2000/svg"><!-- Lucide 1.62.0, ISC licence, https://lucide.dev/license. "orbit" is our own. -->'
  echo '<symbol id="orbit" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9" opacity=".35"/><circle cx="12" cy="3" r="2.5" fill="currentColor" stroke="none"/></symbol>'
  echo '<symbol id="mark" viewBox="0 0 24 24"><circle cx="12" cy="12" r="3" fill="currentColor" stroke="none"/><path d="M15.8 4.1A8.8 8.8 0 1 0 20 8.3"/><circle cx="18.3" cy="5.7" r="2.2" fill="currentColor" stroke="none"/></symbol>'
  for icon in $icons; do
    printf '<symbol id="%s" viewBox="0 0 24 24">' "$icon"
    sed -n '/^>$/,/<\/svg>/p' "$work/package/icons/$icon.svg" | sed '1d;$d' | sed 's/^ *//;s/ \/>/\/>/' | tr -d '\n'
    echo '</symbol>'
  done
  echo '</svg>'
} > static/icons.svg
