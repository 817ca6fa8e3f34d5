# project: Go, `net`, `net/http` and what is below them (`-short`)
# version: 1.19
# needs: golang-go
packages="net net/http net/rpc net/http/httputil net/http/httptest net/smtp net/textproto"
prepare() {
    for package in $packages; do CGO_ENABLED=0 go test -c -o "$PLACE/$(echo "$package" | tr / _).test" "$package"; done
}
tests() {
    local package name
    for package in $packages; do
        local own=()
        for name in "$@"; do if [ "${name%%:*}" = "$package" ]; then own+=("${name#*:}"); fi; done
        if [ $# != 0 ] && [ ${#own[@]} = 0 ]; then continue; fi
        cd "$(go env GOROOT)/src/$package"
        local only=()
        if [ $# != 0 ]; then only=(-test.run "^($(IFS='|'; echo "${own[*]%%/*}"))\$"); fi
        { "$PLACE/$(echo "$package" | tr / _).test" -test.v -test.short -test.timeout 600s ${only[@]+"${only[@]}"} 2>&1 || true; } |
            sed -n -e "s|^ *--- PASS: \([^ ]*\) .*|pass $package:\1|p" -e "s|^ *--- FAIL: \([^ ]*\) .*|fail $package:\1|p" \
                -e "s|^ *--- SKIP: \([^ ]*\) .*|skip $package:\1|p"
    done
}
