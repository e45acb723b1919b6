#!/usr/bin/env bash
# Takes the pictures of the docs from a running host: make run, then docs/pictures.sh
# Needs chromium and poppler (Debian: apt-get install chromium poppler-utils).
set -euo pipefail
cd "$(dirname "$0")/images"
host="${1:-http://127.0.0.1:8100}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# report TARGET TEXT: the page of the target's PDF after its contents that has this text.
report() {
  job=$(curl -sf "$host/api/export/jobs" -H 'content-type: application/json' -d "{\"target\": \"$1\", \"format\": \"pdf\"}" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
  until curl -sf -o "$work/$1.pdf" "$host/api/export/jobs/$job/download"; do sleep 0.5; done
  for page in $(seq 2 20); do
    text=$(pdftotext -f "$page" -l "$page" "$work/$1.pdf" -)
    if grep -q "$2" <<<"$text" && ! grep -q '^Contents' <<<"$text"; then
      pdftoppm -singlefile -png -r 75 -f "$page" -l "$page" "$work/$1.pdf" "$1"
      return
    fi
  done
  echo "No page of $1 has: $2" >&2
  exit 1
}
report claims 'Evidence that refutes it'
report graph 'The network has'
report matrix 'Evidence against hypotheses'

chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars \
  --user-data-dir="$work/profile" --window-size=1100,720 --virtual-time-budget=4000 \
  --screenshot=page.png "$host/export"
