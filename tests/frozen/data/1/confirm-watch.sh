
set -u; dir=$1

__now() { read -r __up __idle </proc/uptime; __up=${__up%%.*}; }


__runs() { [ -e "$1/begun" ] && [ ! -e "$1/rc" ] && ! flock -n "$1/lock" true; }
__busy() { # says what still runs here that others began, but for what works in scratch space
  for __one in "$HACORE_RUN"/jobs/*/; do
    [ -e "$__one/scratch" ] || ! __runs "$__one" || { cat "$__one/what"; return 0; }
  done
  return 1
}
__tidy() { # forgets what nobody will ask after any more; $1: a token whose jobs are over
  for __one in "$HACORE_RUN"/jobs/*/; do
    [ -d "$__one" ] && ! __runs "$__one" || continue
    [ "$(cat "$__one/token" 2>/dev/null)" != "$1" ] && [ -e "$__one/scratch" ] &&
      [ -z "$(find "$__one" -maxdepth 0 -mtime +7)" ] || rm -rf "$__one"
  done
}

exec 7>"$dir/watch"; flock -w 5 7 || exit 0
while :; do
  read -r until <"$dir/until" || exit 0 # confirmed
  __now; left=$((until - __up))
  if [ "$left" -gt 0 ]; then [ "$left" -le 2 ] || left=2; sleep "$left"; continue; fi
  exec 9>"$dir/lock"; flock 9
  read -r until <"$dir/until" || exit 0
  __now; [ "$until" -gt "$__up" ] || break
  flock -u 9 # it was prolonged while we waited
done
about='{"who": "the host itself", "what": "puts back what nobody confirmed", "stack": "-", "pid": "-"}'
printf '%s\n%s\n' "$$-$__up-puts-itself-back" "$about" >"$HACORE_RUN/lock.new"
mv "$HACORE_RUN/lock.new" "$HACORE_RUN/lock"
while __busy >/dev/null; do sleep 1; done # what had begun ends first
end='put back'
for one in $(ls -r "$dir" | grep '\.undo$') $(ls "$dir" | grep '\.settle$') $(ls "$dir" | grep '\.serve$'); do
  echo "== $one"; sh "$dir/$one" </dev/null 7>&- 9>&- || end="put back, but for $one"
done >>"$dir/out" 2>&1
echo "$end" >"$dir/over"
rm -f "$dir"/*.undo "$dir"/*.settle "$dir"/*.serve "$dir/until" "$HACORE_RUN/lock"
