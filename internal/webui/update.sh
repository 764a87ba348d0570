#!/usr/bin/env bash
# Fetches the files of Swagger UI that orgd embeds, by npm, and stores them
# compressed, the same bytes every time. To change the version: change both
# lines below (`npm view swagger-ui-dist@VERSION dist.integrity` gives the second),
# run this, look at /docs in a browser with its console open, and commit.
set -euo pipefail

version=5.35.0
integrity=sha512-U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==

cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

npm pack --silent --pack-destination "$tmp" "swagger-ui-dist@$version" >/dev/null
tarball=$tmp/swagger-ui-dist-$version.tgz
got=sha512-$(openssl dgst -sha512 -binary "$tarball" | base64 -w0)
if [ "$got" != "$integrity" ]; then
  echo "swagger-ui-dist $version is $got, not $integrity" >&2
  exit 1
fi
tar -xzf "$tarball" -C "$tmp"

rm -rf swagger-ui
mkdir swagger-ui
for f in swagger-ui-bundle.js swagger-ui.css favicon-32x32.png; do
  gzip -n -9 -c "$tmp/package/$f" >"swagger-ui/$f.gz"
done
for f in swagger-ui-bundle.js.LICENSE.txt LICENSE NOTICE; do # to be read in the repository too
  cp "$tmp/package/$f" "swagger-ui/$f"
done
