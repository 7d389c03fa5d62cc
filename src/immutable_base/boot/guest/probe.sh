# What a started machine is asked, by itself: every answer is one line of JSON on the virtio port.
# POSIX sh, and programs that each bootc image has. Handed in as a credential; never in an image.
port=/dev/virtio-ports/immutable-base
nonce=$(cat "$CREDENTIALS_DIRECTORY/immutable-base.nonce")
plan="$CREDENTIALS_DIRECTORY/immutable-base.questions"
work=$(mktemp -d /run/immutable-base.XXXXXX)
exec 3>"$port"

# answer NAME STATUS: the file $work/out becomes one line; base64, so that any bytes may be in it.
answer() {
    text=$(head -c 65536 "$work/out" | base64 -w0)
    printf '{"nonce":"%s","question":"%s","status":%d,"text":"%s"}\n' "$nonce" "$1" "$2" "$text" >&3
}

# Each line of the plan: a name, a tab, what sh is to run.
tab=$(printf '\t')
while IFS="$tab" read -r name script; do
    timeout 120 sh -c "$script" >"$work/out" 2>&1 </dev/null
    answer "$name" $?
done <"$plan"

: >"$work/out"
answer end 0
exec 3>&-
systemctl --no-block poweroff
