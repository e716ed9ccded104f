#!/bin/sh
# A game engine as small as can be: counts its starts in its state folder, answers HTTP on 8080, ends on SIGTERM.
state="${GAME_STATE_PATH:-/var/lib/galaxy-game}"
starts=$(($(cat "$state/starts" 2>/dev/null || echo 0) + 1))
echo "$starts" > "$state/starts"
mkdir -p /tmp/www
echo ok > /tmp/www/healthz
echo "game $(hostname), start number $starts" > /tmp/www/index.html
httpd -f -p 8080 -h /tmp/www &
server=$!
trap 'echo "saving and leaving"; kill $server; exit 0' TERM INT
echo "game $(hostname) is up, start number $starts"
wait $server
