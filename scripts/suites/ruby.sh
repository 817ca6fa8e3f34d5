# project: Ruby, test/socket, test/net, test/open-uri, test/drb and test/rinda
# version: 3.1.2
# needs: ruby dpkg-dev
prepare() {
    debian_source ruby3.1 3.1.2-7+deb12u1 ruby 'test/*' 'tool/*'
}
tests() {
    local only=()
    if [ $# != 0 ]; then only=(--name "/^(?:$(printf '%s|' "${@##*#}" | sed 's/|$//'))\$/"); fi
    cd "$PLACE/ruby"
    # Each test is named as it ends; those that did not pass are told of at the end, the name in the line after the number.
    { ruby test/runner.rb --verbose --ruby=ruby ${only[@]+"${only[@]}"} test/socket test/net test/open-uri test/drb test/rinda 2>&1 || true; } |
        awk '/^\[ *[0-9]+\/[0-9]+\] [^ ]+#test/ { sub(/^\[ *[0-9]+\/[0-9]+\] /, ""); outcome[$1] = "pass" }
            told { name = $1; sub(/:$/, "", name); outcome[name] = told; told = "" }
            /^ +[0-9]+\) (Error|Failure|Timeout):$/ { told = "fail" }
            /^ +[0-9]+\) Skipped:$/ { told = "skip" }
            END { for (name in outcome) print outcome[name], name }'
}
