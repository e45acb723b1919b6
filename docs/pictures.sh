#!/usr/bin/env bash
# Takes the pictures of the docs, from a host of its own: docs/pictures.sh [FOLDER]
# With FOLDER, each view of the page goes there too: narrow and wide, light and dark.
# Needs make setup, chromium and poppler, and the fonts that stand for those of most machines
# (Debian: apt-get install chromium poppler-utils fonts-inter fonts-urw-base35).
set -euo pipefail
folder="${1:+$(realpath -m "$1")}"
cd "$(dirname "$0")/images"
bin=$(realpath ../../.venv/bin)
work=$(mktemp -d)
"$bin/arkham-export" serve --demo --port 0 --data "$work/data" >"$work/log" 2>&1 &
server=$!
trap 'kill "$server"; wait "$server" || true; rm -rf "$work"' EXIT
until host=$(grep -o 'http://127.0.0.1:[0-9]*' "$work/log"); do sleep 0.2; done
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

cat >"$work/fonts.conf" <<'FONTS'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <match target="pattern">
    <test qual="any" name="family"><string>sans-serif</string></test>
    <edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit>
  </match>
  <match target="pattern">
    <test qual="any" name="family"><string>system-ui</string></test>
    <edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit>
  </match>
</fontconfig>
FONTS
FONTCONFIG_FILE="$work/fonts.conf" "$bin/python" ../pictures.py "$host" "$work/data" $folder
