
exec 8>"$1/lock" || exit 6
flock -n 8 || exit 3
[ ! -e "$1/rc" ] || exit 5
[ ! -e "$1/begun" ] || exit 4
touch "$1/begun" || exit 6
__script=$(cat "$1/script"); rm -f "$1/script"
( eval "$__script" ) >"$1/out" 2>"$1/err"
echo $? >"$1/rc.new" && mv "$1/rc.new" "$1/rc"
