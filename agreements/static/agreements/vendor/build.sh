#!/bin/sh
# Rebuilds govuk-frontend.css beside this file from pinned npm packages (network: npm only).
# Nothing here runs when the site runs; the compiled file is committed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/govuk-frontend.scss" "$work/"
cd "$work"
npm init --yes >/dev/null
npm install --ignore-scripts --no-audit --no-fund --save-exact govuk-frontend@6.6.0 sass@1.108.2 >/dev/null
./node_modules/.bin/sass --pkg-importer=node --style=compressed --no-source-map --no-charset \
  govuk-frontend.scss govuk-frontend.css
if grep -Eiq 'url\(|sourceMappingURL|GDS Transport' govuk-frontend.css; then
  echo "build.sh: the compiled file names a font, a map or a file that is not vendored" >&2
  exit 1
fi
{ echo '/*! govuk-frontend 6.6.0, MIT, see LICENSE.govuk-frontend.txt. Made by build.sh: do not edit. */'; cat govuk-frontend.css; } > "$here/govuk-frontend.css"
