# project: PHP, ext/sockets, its streams over networks, and its web server
# version: 8.2.32
# needs: php-cli dpkg-dev
folders="ext/sockets/tests ext/standard/tests/streams ext/standard/tests/network ext/standard/tests/http sapi/cli/tests"
prepare() {
    debian_source php8.2 8.2.32-1~deb12u1 php run-tests.php ${folders// //* }/*
}
tests() {
    cd "$PLACE/php"
    local all=($folders)
    { TEST_PHP_EXECUTABLE=$(command -v php) NO_INTERACTION=1 SKIP_ONLINE_TESTS=1 NO_COLOR=1 php run-tests.php -q "${@:-${all[@]}}" 2>&1 || true; } |
        sed -n -e 's/\x1b\[[0-9;]*m//g' -e 's/.*\bPASS .*\[\([^ ]*\.phpt\)\].*/pass \1/p' -e 's/.*\bFAIL .*\[\([^ ]*\.phpt\)\].*/fail \1/p' \
            -e 's/.*\bSKIP .*\[\([^ ]*\.phpt\)\].*/skip \1/p'
}
