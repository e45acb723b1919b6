#!/usr/bin/env bash
# Takes the pictures of the docs from a running host: make run, then docs/pictures.sh
# Needs chromium (Debian: apt-get install chromium).
set -euo pipefail
cd "$(dirname "$0")/images"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars \
  --user-data-dir="$profile" --window-size=1100,720 --virtual-time-budget=4000 \
  --screenshot=page.png "${1:-http://127.0.0.1:8100/export}"
