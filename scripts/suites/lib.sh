# What the suites beside this file have in common. `prepare` works in $PLACE, where what was fetched and built stays; `tests` prints
# `pass NAME`, `fail NAME` or `skip NAME` for each test, of all or of those that are named.

# The seconds that one file of tests may take.
FILE_SECONDS_MAX=120

# debian_source PACKAGE VERSION FOLDER [PATTERN...]: Debian's source of a package, as it was published; of it what fits the patterns.
debian_source() {
    local package=$1 version=$2 folder=$3
    shift 3
    local own=$PLACE/apt
    mkdir -p "$own/lists/partial" "$own/parts" "$own/cache/archives/partial"
    sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$own/parts/sources.sources"
    local options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$own/parts" -o "Dir::State::lists=$own/lists"
        -o "Dir::Cache=$own/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" -qq update
    # Debian keeps its changes to a version for as long as it wants; the tests are the project's own.
    (cd "$own" && { apt-get "${options[@]}" -qq source --download-only "$package=$version" || true; })
    rm -rf "$folder" && mkdir "$folder"
    local archive=("$own/$package"_*.orig.tar.*)
    local patterns=("$@")
    tar xf "${archive[0]}" -C "$folder" --strip-components=1 --wildcards ${patterns[@]+"${patterns[@]/#/*/}"}
}

# crate_source NAME VERSION: a crate's source as it was published, in the folder of its name.
crate_source() {
    rm -rf fetch "$1" && mkdir -p fetch/src && : >fetch/src/lib.rs
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n%s = "=%s"\n' "$1" "$2" \
        >fetch/Cargo.toml
    (cd fetch && cargo vendor --quiet vendor >/dev/null)
    cp -r "fetch/vendor/$1" "$1"
    rm -rf fetch
}

# build_tests FOLDER FLAG...: builds a crate's tests; `binaries` has a line for each.
build_tests() {
    local folder=$1
    shift
    # Its tests meet it, also those crates that use it.
    printf '[workspace]\nmembers = ["%s"]\nresolver = "2"\n[patch.crates-io]\n%s = { path = "%s" }\n' "$folder" "$folder" "$folder" \
        >Cargo.toml
    # Its own list of versions, where it has one, would bring the crate itself a second time.
    rm -f Cargo.lock
    (cd "$folder" && CARGO_TARGET_DIR=$PLACE/target cargo test --no-run "$@" 2>&1) | tee build.log |
        sed -n 's/^ *Executable tests.*(\(.*\))$/\1/p' >binaries
    test -s binaries
}

# run_binaries [NAME...]: what `build_tests` has built.
run_binaries() {
    local binary file
    cd "$PLACE/$folder"
    while read -r binary; do
        file=$(basename "$binary" | sed 's/-[0-9a-f]\{16\}$//')
        local own=()
        for name in "$@"; do if [ "${name%%::*}" = "$file" ]; then own+=("${name#*::}"); fi; done
        if [ $# != 0 ] && [ ${#own[@]} = 0 ]; then continue; fi
        { timeout -k 5 "$FILE_SECONDS_MAX" "$binary" ${own[@]+--exact "${own[@]}"} 2>&1 || true; } | libtest "$file"
    done <"$PLACE/binaries"
}

# libtest FILE: what Rust's test runner says, with the file's name before each test's.
libtest() {
    sed -n -e "s/^test \([^ ]*\).* \.\.\. .*\bok\$/pass $1::\1/p" -e "s/^test \([^ ]*\).* \.\.\. .*FAILED\$/fail $1::\1/p" \
        -e "s/^test \([^ ]*\).* \.\.\. ignored.*/skip $1::\1/p"
}

# tap PREFIX: what the Test Anything Protocol says, by number.
tap() {
    sed -n -e '/^\(not \)\?ok.*# *\(SKIP\|skip\|TODO\)/d' -e "s|^ok \([0-9]*\).*|pass $1.\1|p" -e "s|^not ok \([0-9]*\).*|fail $1.\1|p"
}
