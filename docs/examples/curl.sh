#!/usr/bin/env bash
# Ask, follow, fetch the receipt: nothing but curl, and Node to read JSON. Usage: curl.sh <url of the service>
set -euo pipefail
url=${1:-http://127.0.0.1:8080}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
field() { node -p "const value = JSON.parse(require('fs').readFileSync(0)); value$1"; }

node -p "JSON.stringify({ input: { data: require('./models/digits8x8/samples.json').samples[0].x } })" > "$folder/body"
curl -sSf "$url/v1/models/digits8x8/inferences" \
  -H 'content-type: application/json' -H "idempotency-key: $RANDOM$RANDOM$RANDOM" --data-binary @"$folder/body" > "$folder/answer"
id=$(field .id < "$folder/answer")
echo "answer   $(field ".outputs.find(({ proven }) => proven).data.join(' ')" < "$folder/answer")"
curl -sSfN "$url/v1/inferences/$id/events" > "$folder/events" # ends with the last event
echo "state    $(curl -sSf "$url/v1/inferences/$id" | field .state)"
curl -sSf "$url/v1/receipts/$id" > "$folder/receipt"
echo "receipt  $(wc -c < "$folder/receipt") bytes"
